from __future__ import annotations

import pytest

from trioscsi.machines.initiator.connection import Effect, machine

LOGIN = ("connect_requested", "transport_connected", "login_accepted")


def walk(*causes):
    labels = []
    running = machine.start(lambda row: labels.append(row.label))
    for cause in causes:
        getattr(running, cause)()
    return running, labels


def test_a_connection_that_logs_in_and_out_ends_where_it_began():
    running, labels = walk(*LOGIN, "logout_wanted", "logout_succeeded")
    assert labels == ["T1", "T4", "T5", "T9", "T13"]
    assert running.state == "FREE"


def test_an_initiator_that_is_asked_to_log_out_does_so_however_often_it_is_asked():
    running, labels = walk(
        *LOGIN, "logout_asked_for", "logout_asked_for", "logout_wanted", "logout_asked_for"
    )
    assert labels[3:] == ["T11", "T12", "T10", "T14"]
    assert running.state == "IN_LOGOUT"


def test_a_login_begins_as_soon_as_the_transport_is_up():
    running, _ = walk("connect_requested")
    assert running.transport_connected() == (Effect.START_LOGIN,)


@pytest.mark.parametrize("cause", ["transport_lost", "given_up", "drop_announced"])
@pytest.mark.parametrize("before", [(), ("logout_asked_for",), ("logout_wanted",)])
def test_a_connection_lost_in_full_feature_phase_waits_for_cleanup(before, cause):
    running, _ = walk(*LOGIN, *before)
    assert getattr(running, cause)() == (Effect.CLOSE, Effect.START_CLEANUP)
    assert running.state == "CLEANUP_WAIT"


@pytest.mark.parametrize(
    "before",
    [LOGIN[:1], LOGIN[:2], LOGIN, (*LOGIN, "logout_wanted"), (*LOGIN, "logout_asked_for")],
    ids=["T2", "T7", "T8", "T13", "T18"],
)
def test_a_session_that_is_closed_elsewhere_closes_a_connection_in_any_state(before):
    running, _ = walk(*before)
    assert running.session_logout_succeeded_elsewhere() == (Effect.CLOSE,)
    assert running.state == "FREE"
