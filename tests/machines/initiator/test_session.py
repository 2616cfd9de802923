from __future__ import annotations

from trioscsi.machines.initiator.session import Effect, machine


def session(*causes):
    running = machine.start()
    for cause in causes:
        getattr(running, cause)()
    return running


def test_a_session_begins_with_its_first_connection_and_ends_with_its_logout():
    running = session()
    assert running.connection_logged_in() == (Effect.CREATE_NEXUS,)
    assert running.closed() == (Effect.REPORT_NEXUS_LOSS, Effect.FREE_SESSION)
    assert running.state == "FREE"


def test_a_failed_session_comes_back_without_a_state_between():
    running = session("connection_logged_in")
    assert running.failed() == (Effect.RECOVER,)
    assert running.connection_logged_in() == (Effect.RESUME_NEXUS,)
    assert running.state == "LOGGED_IN"


def test_a_failed_session_is_lost_in_time_or_to_a_new_one():
    for cause in ("timed_out", "reinstated"):
        running = session("connection_logged_in", "failed")
        assert getattr(running, cause)() == (Effect.REPORT_NEXUS_LOSS, Effect.FREE_SESSION)


def test_only_a_failed_session_may_be_reinstated():
    assert not session("connection_logged_in").hears("reinstated")
