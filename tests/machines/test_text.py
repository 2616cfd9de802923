from __future__ import annotations

import pytest

from trioscsi.machines.text import Effect, machine


def exchange(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_one_request_and_one_response_are_an_exchange():
    running, effects = exchange("started", "all_is_said")
    assert running.state == "IDLE"
    assert effects == [Effect.START_OVER, Effect.ANSWER_AND_END]


def test_a_long_list_of_targets_leaves_in_parts():
    running, effects = exchange("started", "answer_is_long", "asks_for_part", "asks_for_last_part")
    assert running.state == "IDLE"
    assert effects[1:] == [Effect.SEND_PART, Effect.SEND_PART, Effect.SEND_LAST_PART]


def test_a_long_request_is_collected_first():
    running, effects = exchange("started", "text_goes_on", "text_goes_on", "all_is_said")
    assert running.state == "IDLE"
    assert effects[1:] == [Effect.ASK_FOR_MORE, Effect.ASK_FOR_MORE, Effect.ANSWER_AND_END]


def test_an_initiator_that_has_more_to_say_keeps_the_exchange_open():
    running, _ = exchange("started", "initiator_goes_on")
    assert running.state == "NEGOTIATING"


@pytest.mark.parametrize(
    "before", [(), ("initiator_goes_on",), ("text_goes_on",), ("answer_is_long",)]
)
def test_a_new_exchange_forgets_the_unfinished_one(before):
    running, effects = exchange("started", *before, "started")
    assert running.state == "NEGOTIATING"
    assert effects[-1] is Effect.START_OVER


@pytest.mark.parametrize("before", [(), ("text_goes_on",), ("answer_is_long",)])
def test_what_is_broken_or_left_alone_is_void(before):
    for cause, effect in (("broken", Effect.REJECT), ("timed_out", Effect.START_OVER)):
        running, effects = exchange("started", *before, cause)
        assert running.state == "IDLE"
        assert effects[-1] is effect
