from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.initiator.gap import Effect, machine


def after(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_what_is_missing_is_asked_for_until_it_comes():
    running, effects = after("gap_seen", "gap_seen", "timed_out", "filled")
    assert running.state == "COMPLETE"
    assert effects == [Effect.SEND_SNACK] * 3 + [Effect.STOP_TIMER]
    assert running.gap_seen() == (Effect.SEND_SNACK,)


@pytest.mark.parametrize("cause", ["refused", "tries_over"])
def test_what_does_not_come_is_done_without(cause):
    running, effects = after("gap_seen", cause)
    assert running.state == "LOST"
    assert effects[-2:] == [Effect.STOP_TIMER, Effect.DO_WITHOUT]
    for later in machine.inputs:
        with pytest.raises(UndefinedTransition):
            getattr(running, later)()
