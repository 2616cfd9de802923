from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.login import Effect, machine


def login(*causes):
    running = machine.start()
    return running, [getattr(running, cause)() for cause in causes]


def test_an_initiator_may_skip_security():
    running, effects = login("starts_in_operational", "moves_to_full_feature")
    assert running.state == "ACCEPTED"
    assert effects == [(), (Effect.ACCEPT,)]


def test_an_initiator_may_skip_operational_negotiation():
    running, _ = login("starts_in_security", "stays", "stays", "moves_to_full_feature")
    assert running.state == "ACCEPTED"


def test_the_usual_login_goes_through_both_stages():
    running, effects = login(
        "starts_in_security", "moves_to_operational", "stays", "moves_to_full_feature"
    )
    assert running.state == "ACCEPTED"
    assert effects == [(), (Effect.ANSWER_AND_MOVE_ON,), (Effect.ANSWER,), (Effect.ACCEPT,)]


def test_no_way_leads_back_to_security():
    with pytest.raises(UndefinedTransition):
        login("starts_in_operational", "moves_to_operational")


def test_a_long_text_is_collected_before_it_is_answered():
    running, effects = login("starts_in_security", "text_goes_on", "text_goes_on", "text_is_whole")
    assert running.state == "SECURITY"
    assert effects == [(), (Effect.ASK_FOR_MORE,), (Effect.ASK_FOR_MORE,), ()]


def test_a_long_answer_leaves_in_parts():
    running, effects = login(
        "starts_in_operational", "answer_is_long", "asks_for_part", "asks_for_last_part"
    )
    assert running.state == "OPERATIONAL"
    assert effects[1:] == [(Effect.SEND_PART,)] * 3


def test_a_login_may_end_in_every_state_but_its_last():
    for state in machine.states:
        running = machine.start()
        running.state = state.name
        over = state.name in {"ACCEPTED", "REFUSED"}
        assert running.hears("refused") is running.hears("ended") is not over
