from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.initiator.chap import Effect, machine


def after(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_a_target_that_need_not_prove_itself_gets_a_response():
    running, effects = after("method_agreed", "challenged")
    assert running.state == "DONE"
    assert effects == [Effect.OFFER, Effect.RESPOND]


def test_a_target_that_has_to_prove_itself_is_challenged_and_awaited():
    running, effects = after("method_agreed", "challenged_by_suspect")
    assert running.state == "CHALLENGING"
    assert effects == [Effect.OFFER, Effect.RESPOND_AND_CHALLENGE]
    running.target_proven()
    assert running.state == "DONE"


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_failure_is_final(steps):
    running, _ = after(*("method_agreed", "challenged_by_suspect")[:steps], "failed")
    assert running.state == "FAILED"
    for cause in machine.inputs:
        with pytest.raises(UndefinedTransition):
            getattr(running, cause)()
