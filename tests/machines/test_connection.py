from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.connection import Effect, machine


def walk(*causes):
    """A connection after ``causes``, and the labels of the transitions that it took."""
    labels = []
    running = machine.start(lambda row: labels.append(row.label))
    for cause in causes:
        getattr(running, cause)()
    return running, labels


LOGIN = ("transport_connected", "login_requested", "login_accepted")


def test_a_connection_that_logs_in_and_out_ends_where_it_began():
    running, labels = walk(*LOGIN, "logout_received", "logout_succeeded")
    assert labels == ["T3", "T4", "T5", "T9", "T13"]
    assert running.state == "FREE"


def test_a_connection_that_the_target_asks_to_leave_leaves_by_t10():
    running, labels = walk(*LOGIN, "decommissioned", "decommissioned", "logout_received")
    assert labels == ["T3", "T4", "T5", "T11", "T12", "T10"]
    assert running.logout_succeeded() == (Effect.CLOSE,)


def test_a_first_pdu_that_is_no_login_request_ends_the_connection_at_once():
    running, labels = walk("transport_connected", "wrong_first_pdu")
    assert (running.state, labels) == ("FREE", ["T3", "T6"])


def test_a_refused_login_leaves_nothing_to_clean_up():
    running, labels = walk("transport_connected", "login_requested", "login_refused")
    assert (running.state, labels[-1]) == ("FREE", "T7")


@pytest.mark.parametrize(
    ("before", "label"), [((), "T15"), (("decommissioned",), "T16"), (("logout_received",), "T17")]
)
def test_a_connection_lost_in_full_feature_phase_waits_for_cleanup(before, label):
    running, _ = walk(*LOGIN, *before)
    seen = []
    running.watcher = seen.append
    assert running.transport_lost() == (Effect.CLOSE, Effect.START_CLEANUP)
    assert (running.state, seen[0].label) == ("CLEANUP_WAIT", label)


def test_nothing_happens_to_a_connection_in_cleanup_wait():
    running, _ = walk(*LOGIN, "transport_lost")
    for cause in machine.inputs:
        with pytest.raises(UndefinedTransition):
            getattr(running, cause)()


def test_a_second_login_on_a_connection_is_undefined():
    running, _ = walk(*LOGIN)
    with pytest.raises(UndefinedTransition, match="LOGGED_IN upon login_requested"):
        running.login_requested()
    assert running.state == "LOGGED_IN"


def test_the_login_timer_runs_from_the_transport_to_the_end_of_the_login():
    running, _ = walk()
    assert running.transport_connected() == (Effect.START_LOGIN_TIMER,)
    assert running.login_requested() == ()
    assert running.login_accepted() == (Effect.STOP_LOGIN_TIMER, Effect.ENTER_FULL_FEATURE)


def test_every_way_back_to_free_closes_the_transport():
    for row in machine.transitions:
        if row.target == "FREE":
            assert row.effects[-1] is Effect.CLOSE
