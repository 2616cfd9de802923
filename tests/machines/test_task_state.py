from __future__ import annotations

import pytest

from trioscsi.machines.task_state import Effect, machine


def command(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_a_command_that_waits_for_none_is_performed_at_once():
    running, effects = command("is_first")
    assert (running.state, effects) == ("ENABLED", [Effect.START])


def test_a_command_waits_for_its_turn():
    running, effects = command("is_behind")
    assert (running.state, effects) == ("DORMANT", [])
    assert running.turn_came() == (Effect.START,)


def test_a_command_that_runs_already_is_not_begun_again():
    running, effects = command("found_running")
    assert (running.state, effects) == ("ENABLED", [])


def test_what_is_refused_never_enters():
    running, effects = command("is_refused")
    assert (running.state, effects) == ("ENDED", [Effect.REFUSE])


def test_an_allegiance_withholds_what_a_command_would_end_with():
    running, effects = command("is_first", "went_on", "allegiance_established", "went_on")
    assert (running.state, effects[1:]) == ("BLOCKED", [Effect.GO_ON, Effect.WITHHOLD])
    assert running.allegiance_cleared() == (Effect.GO_ON,)
    assert running.state == "ENABLED"


def test_a_command_that_has_not_begun_is_not_blocked():
    running, _ = command("is_behind")
    assert not running.hears("allegiance_established")


@pytest.mark.parametrize(
    "before", [("is_behind",), ("is_first",), ("found_running", "allegiance_established")]
)
def test_a_command_may_end_wherever_it_is(before):
    running, _ = command(*before, "over")
    assert running.state == "ENDED"
    assert not any(running.hears(cause) for cause in machine.inputs)
