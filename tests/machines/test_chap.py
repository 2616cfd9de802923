from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.chap import Effect, machine


def after(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_one_proof_is_enough():
    running, effects = after("method_agreed", "algorithms_offered", "proven")
    assert running.state == "PROVEN"
    assert effects == [Effect.CHALLENGE]


def test_the_target_proves_itself_to_who_asks_for_it():
    running, effects = after("method_agreed", "algorithms_offered", "proven_and_challenged")
    assert running.state == "PROVEN"
    assert effects == [Effect.CHALLENGE, Effect.RESPOND]


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_failure_is_final(steps):
    running, _ = after(*("method_agreed", "algorithms_offered")[:steps], "failed")
    assert running.state == "FAILED"
    for cause in machine.inputs:
        with pytest.raises(UndefinedTransition):
            getattr(running, cause)()
