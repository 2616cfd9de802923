from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.initiator.escalation import Effect, machine


def after(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_what_does_not_help_is_followed_by_what_is_harder():
    running, effects = after("timed_out", "timed_out", "timed_out")
    assert running.state == "OVER"
    assert effects == [Effect.SEND_ABORT, Effect.SEND_RESET, Effect.DROP_SESSION]


def test_a_function_that_is_refused_is_as_one_that_is_not_answered():
    _, effects = after("timed_out", "function_failed", "function_failed")
    assert effects == [Effect.SEND_ABORT, Effect.SEND_RESET, Effect.DROP_SESSION]


@pytest.mark.parametrize(
    "causes",
    [
        ("answered",),
        ("timed_out", "function_done"),
        ("timed_out", "answered"),
        ("timed_out", "function_failed", "function_done"),
    ],
)
def test_a_command_that_has_ended_is_left_alone(causes):
    running, _ = after(*causes)
    assert running.state == "OVER"
    with pytest.raises(UndefinedTransition):
        running.timed_out()
