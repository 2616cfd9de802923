from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.task import Effect, machine


def task(*causes):
    running = machine.start()
    return running, [effect for cause in causes for effect in getattr(running, cause)()]


def test_a_read_is_delivered_and_answered():
    running, effects = task("arrived_in_order", "finished")
    assert running.state == "RESPONDED"
    assert effects == [Effect.DELIVER, Effect.RESPOND]


def test_a_write_waits_for_its_data():
    running, effects = task("arrived_in_order", "data_wanted", "data_completed", "finished")
    assert running.state == "RESPONDED"
    assert effects == [Effect.DELIVER, Effect.SOLICIT, Effect.RESUME, Effect.RESPOND]


def test_a_command_that_overtook_others_waits_for_its_turn():
    running, effects = task("arrived_early", "turn_came")
    assert running.state == "EXECUTING"
    assert effects == [Effect.HOLD, Effect.DELIVER]


def test_status_waits_for_data_that_was_announced():
    running, effects = task("arrived_in_order", "finished_early")
    assert (running.state, effects) == ("DRAINING", [Effect.DELIVER])
    assert running.data_completed() == (Effect.RESPOND,)


@pytest.mark.parametrize(
    "before",
    [
        ("arrived_early",),
        ("arrived_in_order",),
        ("arrived_in_order", "data_wanted"),
        ("arrived_in_order", "finished_early"),
    ],
)
def test_an_aborted_task_gets_no_status(before):
    running, effects = task(*before, "aborted")
    assert (running.state, effects[-1]) == ("ABORTED", Effect.FORGET)
    assert not any(running.hears(cause) for cause in machine.inputs)


@pytest.mark.parametrize("before", [(), ("data_wanted",)])
def test_a_task_that_others_ended_gets_a_status_of_its_own(before):
    running, effects = task("arrived_in_order", *before, "terminated")
    assert (running.state, effects[-1]) == ("RESPONDED", Effect.RESPOND)
    running, effects = task("arrived_in_order", *before, "terminated_early")
    assert (running.state, Effect.RESPOND in effects) == ("DRAINING", False)
    assert running.data_completed() == (Effect.RESPOND,)


def test_a_task_is_not_answered_twice():
    running, _ = task("arrived_in_order", "finished")
    with pytest.raises(UndefinedTransition):
        running.finished()
