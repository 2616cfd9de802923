from __future__ import annotations

from trioscsi.machines.logout import Effect, machine


def logout(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_a_session_ends_before_its_logout_is_answered():
    running, effects = logout("close_session_requested", "commands_ended")
    assert running.state == "ANSWERED"
    assert effects == [Effect.END_SESSION, Effect.SEND_SUCCESS]


def test_a_logout_that_the_target_asked_for():
    running, effects = logout("wanted", "wanted", "close_connection_requested", "commands_ended")
    assert running.state == "ANSWERED"
    assert effects[:2] == [Effect.ASK_INITIATOR] * 2
    assert effects[2:] == [Effect.END_CONNECTION, Effect.SEND_SUCCESS]


def test_an_initiator_that_does_not_log_out_when_asked_is_dropped():
    running, effects = logout("wanted", "initiator_was_silent")
    assert (running.state, effects[-1]) == ("DROPPED", Effect.DROP)


def test_commands_that_do_not_end_fail_the_logout():
    running, effects = logout("close_connection_requested", "commands_stuck")
    assert (running.state, effects[-1]) == ("ANSWERED", Effect.SEND_CLEANUP_FAILED)


def test_a_logout_that_names_what_is_not_there_leaves_the_connection_up():
    running, effects = logout("unknown_connection_requested", "recovery_requested")
    assert running.state == "NONE"
    assert effects == [Effect.SEND_CID_NOT_FOUND, Effect.SEND_RECOVERY_UNSUPPORTED]
