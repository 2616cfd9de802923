from __future__ import annotations

from trioscsi.protocol.deadlines import Deadlines


def test_what_is_due_is_done_earliest_first_and_once():
    deadlines, done = Deadlines(), []
    deadlines.set("late", 3.0, lambda: done.append("late"))
    deadlines.set("early", 1.0, lambda: done.append("early"))
    deadlines.set("never", 9.0, lambda: done.append("never"))
    assert deadlines.next() == 1.0
    deadlines.run(0.5)
    assert done == []
    deadlines.run(3.0)
    deadlines.run(3.0)
    assert done == ["early", "late"]
    assert deadlines.next() == 9.0


def test_a_name_has_one_deadline():
    deadlines, done = Deadlines(), []
    deadlines.set("ping", 1.0, lambda: done.append("first"))
    deadlines.set("ping", 2.0, lambda: done.append("second"))
    deadlines.run(1.0)
    assert done == []
    deadlines.run(2.0)
    assert done == ["second"]


def test_deadlines_can_be_forgotten():
    deadlines = Deadlines()
    deadlines.set("one", 1.0, lambda: None)
    deadlines.set("two", 2.0, lambda: None)
    deadlines.cancel("one")
    deadlines.cancel("one")
    assert deadlines.next() == 2.0
    deadlines.clear()
    assert deadlines.next() is None


def test_a_deadline_that_an_earlier_one_cancels_or_puts_off_is_not_met():
    deadlines, done = Deadlines(), []

    def first() -> None:
        deadlines.cancel("cancelled")
        deadlines.set("put off", 5.0, lambda: done.append("put off"))

    deadlines.set("first", 1.0, first)
    deadlines.set("cancelled", 2.0, lambda: done.append("cancelled"))
    deadlines.set("put off", 2.0, lambda: done.append("too soon"))
    deadlines.run(3.0)
    assert done == []
    deadlines.run(5.0)
    assert done == ["put off"]


def test_a_driver_is_told_when_the_next_deadline_may_be_another():
    deadlines = Deadlines()
    for change in (
        lambda: deadlines.set("a", 1, lambda: None),
        lambda: deadlines.cancel("a"),
        lambda: deadlines.run(2),
        deadlines.clear,
    ):
        deadlines.changed = False
        change()
        assert deadlines.changed


def test_all_deadlines_can_be_postponed():
    deadlines, done = Deadlines(), []
    deadlines.set("one", 1.0, lambda: done.append("one"))
    deadlines.set("two", 2.0, lambda: done.append("two"))
    deadlines.changed = False
    deadlines.postpone(10.0)
    assert deadlines.changed
    deadlines.run(10.9)
    assert done == []
    deadlines.run(12.0)
    assert done == ["one", "two"]
