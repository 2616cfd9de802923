from __future__ import annotations

from trioscsi.machines.initiator.login import Effect, machine


def login(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_the_usual_login_goes_through_both_stages():
    running, effects = login(
        "starts_in_security",
        "request_is_ready",
        "moved_to_operational",
        "request_is_ready",
        "moved_to_full_feature",
    )
    assert running.state == "ACCEPTED"
    assert effects == [
        Effect.SEND_REQUEST,
        Effect.LEARN_AND_MOVE_ON,
        Effect.SEND_REQUEST,
        Effect.FINISH,
    ]


def test_a_stage_goes_on_until_the_target_agrees_to_leave_it():
    running, effects = login(
        "starts_in_operational", "request_is_ready", "answered", "request_is_ready", "answered"
    )
    assert running.state == "OPERATIONAL"
    assert effects == [Effect.SEND_REQUEST, Effect.LEARN] * 2


def test_a_long_request_leaves_in_parts():
    running, effects = login(
        "starts_in_security", "request_is_long", "asked_for_part", "asked_for_last_part"
    )
    assert running.state == "SECURITY"
    assert effects == [Effect.SEND_PART] * 3


def test_a_long_response_is_collected():
    running, effects = login("starts_in_security", "text_goes_on", "text_goes_on", "text_is_whole")
    assert running.state == "SECURITY"
    assert effects == [Effect.ASK_FOR_MORE] * 2


def test_a_target_that_has_moved_is_followed():
    running, effects = login("starts_in_security", "request_is_ready", "redirected")
    assert (running.state, effects[-1]) == ("REFUSED", Effect.FOLLOW)


def test_a_login_can_fail_in_every_stage():
    for state in machine.states:
        running = machine.start()
        running.state = state.name
        begun = state.name not in {"CONNECTED", "ACCEPTED", "REFUSED"}
        assert running.hears("refused") is running.hears("broken") is begun
