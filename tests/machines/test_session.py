from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.session import Effect, machine


def session(*causes):
    running = machine.start()
    for cause in causes:
        getattr(running, cause)()
    return running


LOGIN = ("leading_connection_in_login", "connection_logged_in")
LOST = (Effect.REPORT_NEXUS_LOSS, Effect.FREE_SESSION)


def test_a_session_exists_for_scsi_once_its_first_connection_is_logged_in():
    running = session("leading_connection_in_login")
    assert running.state == "ACTIVE"
    assert running.connection_logged_in() == (Effect.CREATE_NEXUS,)


def test_a_session_whose_first_login_fails_was_never_there():
    running = session("leading_connection_in_login")
    assert running.leading_login_failed() == (Effect.FREE_SESSION,)


def test_a_clean_session_ends_with_its_logout():
    running = session(*LOGIN)
    assert running.closed() == LOST
    assert running.state == "FREE"


def test_a_lost_session_is_forgotten_in_time():
    running = session(*LOGIN, "failed")
    assert running.state == "FAILED"
    assert running.timed_out() == LOST


def test_a_lost_session_comes_back_by_way_of_in_continue():
    running = session(*LOGIN, "failed", "continuation_started")
    assert running.state == "IN_CONTINUE"
    running.continuation_failed()
    assert running.state == "FAILED"
    running.continuation_started()
    assert running.connection_logged_in() == ()
    assert running.state == "LOGGED_IN"


@pytest.mark.parametrize(
    "before", [(), ("failed",), ("failed", "continuation_started")], ids=["N3", "N6", "N11"]
)
def test_a_new_session_in_its_place_ends_a_session_in_any_state(before):
    running = session(*LOGIN, *before)
    assert running.reinstated() == LOST


def test_a_session_does_not_time_out_while_it_is_logged_in():
    with pytest.raises(UndefinedTransition):
        session(*LOGIN).timed_out()
