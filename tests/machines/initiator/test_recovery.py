from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.initiator.recovery import Effect, machine


def after(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_a_session_that_fails_is_followed_by_another_after_time2wait():
    running, effects = after("logged_in", "session_failed", "wait_over", "logged_in")
    assert running.state == "UP"
    assert effects == [Effect.RESUME, Effect.WAIT_TIME2WAIT, Effect.LOG_IN, Effect.RESUME]


def test_a_login_that_fails_is_tried_again_later():
    running, effects = after("login_failed", "wait_over", "login_failed")
    assert running.state == "WAITING"
    assert effects == [Effect.BACK_OFF, Effect.LOG_IN, Effect.BACK_OFF]


@pytest.mark.parametrize(
    "causes",
    [
        ("login_refused",),
        ("patience_over",),
        ("login_failed", "patience_over"),
        ("closed",),
        ("logged_in", "closed"),
        ("logged_in", "session_failed", "closed"),
    ],
)
def test_at_last_no_session_comes_any_more(causes):
    running, effects = after(*causes)
    assert running.state == "DOWN"
    assert effects[-1] is Effect.GIVE_UP
    for cause in machine.inputs:
        with pytest.raises(UndefinedTransition):
            getattr(running, cause)()
