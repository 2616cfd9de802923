from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.cleanup import Effect, machine


def test_a_connection_that_nobody_comes_back_for_is_forgotten_in_time():
    running = machine.start()
    assert running.connection_timed_out() == (Effect.FREE_CONNECTION,)
    assert running.state == "FREE"


def test_a_login_in_its_place_cleans_a_connection_up():
    running = machine.start()
    running.logout_started()
    assert running.state == "IN_CLEANUP"
    assert running.logout_succeeded() == (Effect.FREE_CONNECTION,)
    assert running.state == "FREE"


def test_a_logout_that_fails_leaves_the_connection_waiting():
    running = machine.start()
    running.logout_started()
    running.logout_failed()
    assert running.state == "CLEANUP_WAIT"


def test_time_has_no_say_while_a_logout_is_under_way():
    running = machine.start()
    assert running.logout_started() == (Effect.STOP_TIMER,)
    with pytest.raises(UndefinedTransition):
        running.connection_timed_out()


def test_the_end_of_the_session_ends_a_cleanup_in_either_state():
    waiting, leaving = machine.start(), machine.start()
    leaving.logout_started()
    for running in (waiting, leaving):
        running.session_logout_answered_elsewhere()
        assert running.state == "FREE"
