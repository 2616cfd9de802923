from __future__ import annotations

from typing import Any

from trioscsi.limits import Limits
from trioscsi.pdu import Buffer
from trioscsi.protocol.bursts import Incoming
from trioscsi.protocol.line import Line, nobody
from trioscsi.protocol.tasks import Dying, Task, TaskSet
from trioscsi.text import Parameters


def task_of(itt: int, *, immediate: bool = False, data: Buffer = b"", in_hand: bool = True) -> Task:
    connection: Any = Line(Limits(), now=0, wake=nobody)
    task = Task(connection, 0, itt, itt, immediate, 0, bytes(16), 0, 0, data)
    task.in_hand = in_hand
    return task


def test_tasks_are_found_by_their_tag():
    tasks, task = TaskSet(), task_of(5)
    tasks.add(task)
    assert tasks.get(5) is task
    assert tasks.get(6) is None
    assert list(tasks) == [task]
    assert len(tasks) == 1


def test_immediate_tasks_are_counted():
    tasks = TaskSet()
    immediate = task_of(1, immediate=True)
    for task in (immediate, task_of(2)):
        tasks.add(task)
    assert tasks.immediate == 1
    tasks.remove(immediate)
    tasks.remove(immediate)
    assert tasks.immediate == 0


def test_a_task_is_not_removed_for_another_with_its_tag():
    tasks, old, new = TaskSet(), task_of(1), task_of(1)
    tasks.add(old)
    tasks.remove(old)
    tasks.add(new)
    tasks.remove(old)
    assert tasks.get(1) is new


def test_tasks_may_be_removed_while_they_are_looked_through():
    tasks = TaskSet()
    for itt in range(3):
        tasks.add(task_of(itt))
    for task in tasks:
        tasks.remove(task)
    assert len(tasks) == 0


def test_a_task_is_aborted_once_its_machine_says_so():
    task = task_of(1)
    task.machine.arrived_in_order()
    assert not task.over
    task.machine.aborted()
    assert task.over


def test_data_is_copied_if_it_would_not_last():
    store = bytearray(b"then")
    task = task_of(1, data=memoryview(store))
    task.own_data()
    store[:] = b"now!"
    assert task.data == b"then"


def test_data_that_lasts_is_not_copied():
    data = memoryview(bytearray(b"data"))
    task = task_of(1, data=data)
    task.incoming = Incoming.begin(4, b"data", False, Parameters(), lambda _: data)
    task.own_data()
    assert task.data is data


def test_whoever_waits_for_nothing_waits_no_time():
    done: list[str] = []
    Dying().when_gone([task_of(1, in_hand=False)], lambda: done.append("gone"))
    assert done == ["gone"]


def test_each_who_waits_is_told_when_the_last_task_is_gone():
    dying, done = Dying(), []
    one, two = task_of(1), task_of(2)
    dying.add(one)
    dying.add(two)
    dying.when_gone([one, two], lambda: done.append("both"))
    dying.when_gone([two], lambda: done.append("two"))
    assert list(dying) == [one, two]
    dying.released(one)
    assert done == []
    assert not one.in_hand
    dying.released(two)
    assert done == ["both", "two"]
    assert list(dying) == []


def test_whoever_has_waited_for_too_long_is_told_once():
    dying, done = Dying(), []

    def then() -> None:
        done.append("then")

    task = task_of(1)
    dying.add(task)
    assert not dying.when_gone([task], then)
    dying.give_up(then)
    assert done == ["then"]
    assert list(dying) == [task]
    dying.released(task)
    assert done == ["then"]
