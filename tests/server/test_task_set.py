"""The order of commands against what SAM-5 says of it, by cases and at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trioscsi.pdu import TaskAttribute
from trioscsi.scsi import Failed, LogicalUnit, Refused, Status
from trioscsi.scsi.complaints import INVALID_MESSAGE, invalid_data_out
from trioscsi.server.task_set import Member, TaskSet

UNTAGGED, SIMPLE, ORDERED, HEAD, ACA = TaskAttribute
PLAIN, WITH_NACA = bytes(16), bytes(5) + b"\x04" + bytes(10)
PREEMPT_AND_ABORT = b"\x5f\x05" + bytes(14)


@attrs.define(eq=False)
class Command:
    """As much of a task as a task set looks at."""

    session: str
    attributes: int = SIMPLE
    cdb: bytes = PLAIN
    over: bool = False
    begun: bool = False
    owned: bool = False
    instant: bool = False
    """Whether it ends as soon as it begins."""

    def own_data(self) -> None:
        self.owned = True


class Bench:
    """A task set whose commands run until they are told to end."""

    def __init__(self, *running: Command, tst: int = 0) -> None:
        self.unit = LogicalUnit(0, target_name="iqn.2026-11.example:disk", blocks=1)
        self.unit.modes.tst = tst
        self.order: list[Command] = []
        self.watch: Callable[[Command], None] = lambda _: None
        self.tasks = TaskSet(
            self.unit, [self.member(each) for each in running], self.start, self.abort
        )

    def member(self, command: Any) -> Member:
        return Member(command, command.session)

    def start(self, command: Any) -> None:
        assert not command.begun
        self.watch(command)
        command.begun = True
        self.order.append(command)
        command.over = command.instant

    def abort(self, _session: Any, commands: list[Any]) -> None:
        for command in commands:
            command.over = True

    def send(self, session: str = "a", attributes: int = SIMPLE, **fields: Any) -> Command:
        """A command that may enter, and does."""
        command = Command(session, attributes, **fields)
        assert self.refuses(command) is None
        return command

    def refuses(self, command: Command) -> Any:
        member = self.member(command)
        refusal = self.tasks.refusal(member)
        if refusal is None:
            self.tasks.enter(member)
        return refusal

    def end(self, *commands: Command) -> None:
        for command in commands:
            command.over = True
        self.tasks.settle()


# Attributes.


def test_an_ordered_command_begins_after_all_before_it() -> None:
    old = Command("a", begun=True)
    bench = Bench(old)
    ordered, later = bench.send("b", ORDERED), bench.send("a")
    assert not ordered.begun
    assert ordered.owned
    assert not later.begun
    assert bench.tasks.waiting == 2
    bench.end(old)
    assert bench.order == [ordered]
    bench.end(ordered)
    assert bench.order == [ordered, later]
    assert bench.tasks.plain


def test_ordered_commands_begin_one_after_the_other() -> None:
    bench = Bench()
    first, second = bench.send("a", ORDERED), bench.send("b", ORDERED)
    assert bench.order == [first]
    bench.end(first)
    assert bench.order == [first, second]


def test_a_command_at_the_head_of_the_queue_begins_at_once_and_others_wait_for_it() -> None:
    old = Command("a", begun=True)
    bench = Bench(old)
    ordered, urgent, simple = bench.send("a", ORDERED), bench.send("a", HEAD), bench.send("a")
    assert bench.order == [urgent]
    bench.end(old)
    assert bench.order == [urgent]
    bench.end(urgent)
    assert bench.order == [urgent, ordered]
    bench.end(ordered)
    assert bench.order == [urgent, ordered, simple]


def test_commands_that_end_at_once_let_the_next_begin() -> None:
    old = Command("a", begun=True)
    bench = Bench(old)
    waiting = [bench.send("a", ORDERED, instant=True) for _ in range(5)]
    bench.end(old)
    assert bench.order == waiting
    assert bench.tasks.plain


def test_a_command_without_a_tag_is_simple() -> None:
    bench = Bench(Command("a", UNTAGGED, begun=True))
    assert bench.tasks.plain
    assert bench.send("a", UNTAGGED).begun


def test_a_task_set_for_each_nexus_has_an_order_of_its_own() -> None:
    old = Command("a", begun=True)
    bench = Bench(old, tst=1)
    ordered, other = bench.send("b", ORDERED), bench.send("a", ORDERED)
    assert bench.order == [ordered]
    bench.end(old)
    assert bench.order == [ordered, other]


def test_a_command_that_is_aborted_while_it_waits_is_in_nobodys_way() -> None:
    old = Command("a", begun=True)
    bench = Bench(old)
    gone, later = bench.send("a", ORDERED), bench.send("a")
    bench.end(gone)
    assert bench.order == [later]


def test_attributes_that_are_none_are_refused() -> None:
    assert Bench().refuses(Command("a", 5)) == Failed(invalid_data_out())


def test_whoever_is_behind_an_ordered_command_is_not_looked_at_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench, looks = Bench(), 0
    bench.send("a", ORDERED)
    for _ in range(100):
        bench.send("b", SIMPLE)

    def attribute(member: Member) -> int:
        nonlocal looks
        looks += 1
        return member.task.attributes

    monkeypatch.setattr(Member, "attribute", property(attribute))
    bench.tasks.settle()
    assert not bench.send("b", SIMPLE).begun
    assert bench.tasks.waiting == 101
    assert looks < 20


# Allegiances.


def test_an_allegiance_holds_back_what_has_begun_and_what_has_not() -> None:
    old, other = Command("a", begun=True), Command("b", begun=True)
    bench, told = Bench(old, other), []
    ordered = bench.send("b", ORDERED)
    bench.tasks.establish("a")  # type: ignore[arg-type]
    assert not bench.tasks.plain
    bench.tasks.goes_on(other, lambda: told.append("other"))  # type: ignore[arg-type]
    bench.tasks.goes_on(Command("c"), lambda: told.append("stranger"))  # type: ignore[arg-type]
    assert told == ["stranger"]
    old.over = True
    bench.tasks.settle()
    bench.tasks.clear("b")  # type: ignore[arg-type]
    assert told == ["stranger"]
    bench.tasks.clear("a")  # type: ignore[arg-type]
    assert told == ["stranger", "other"]
    bench.end(other)
    assert bench.order == [ordered]


def test_what_was_aborted_meanwhile_is_let_go_at_once_or_not_answered() -> None:
    gone, kept = Command("a", begun=True), Command("a", begun=True)
    bench, told = Bench(gone, kept), []
    bench.tasks.establish("a")  # type: ignore[arg-type]
    bench.tasks.goes_on(kept, lambda: told.append("kept"))  # type: ignore[arg-type]
    gone.over = kept.over = True
    bench.tasks.goes_on(gone, lambda: told.append("gone"))  # type: ignore[arg-type]
    bench.tasks.clear("a")  # type: ignore[arg-type]
    assert told == ["gone"]


@pytest.mark.parametrize(
    ("tst", "session", "attribute", "cdb", "refusal"),
    [
        (0, "a", SIMPLE, PLAIN, Refused(Status.ACA_ACTIVE)),
        (0, "a", HEAD, WITH_NACA, Refused(Status.ACA_ACTIVE)),
        (0, "a", ACA, PLAIN, None),
        (0, "a", SIMPLE, PREEMPT_AND_ABORT, Refused(Status.ACA_ACTIVE)),
        (0, "b", SIMPLE, PLAIN, Refused(Status.BUSY)),
        (0, "b", SIMPLE, WITH_NACA, Refused(Status.ACA_ACTIVE)),
        (0, "b", ACA, PLAIN, Refused(Status.BUSY)),
        (0, "b", SIMPLE, PREEMPT_AND_ABORT, None),
        (1, "a", SIMPLE, PLAIN, Refused(Status.ACA_ACTIVE)),
        (1, "a", ACA, WITH_NACA, None),
        (1, "b", SIMPLE, PLAIN, None),
        (1, "b", ACA, PLAIN, Failed(INVALID_MESSAGE)),
    ],
)
def test_who_may_come_in_while_there_is_an_allegiance(
    tst: int, session: str, attribute: int, cdb: bytes, refusal: Any
) -> None:
    bench = Bench(tst=tst)
    bench.tasks.establish("a")  # type: ignore[arg-type]
    command = Command(session, attribute, cdb)
    assert bench.refuses(command) == refusal
    assert command.begun is (refusal is None)


def test_without_an_allegiance_there_are_no_aca_commands() -> None:
    assert Bench().refuses(Command("a", ACA)) == Failed(INVALID_MESSAGE)


def test_one_aca_command_at_a_time_and_it_ends_with_its_allegiance() -> None:
    bench = Bench()
    bench.tasks.establish("a")  # type: ignore[arg-type]
    first = bench.send("a", ACA)
    assert bench.refuses(Command("a", ACA)) == Refused(Status.ACA_ACTIVE)
    bench.end(first)
    second = bench.send("a", ACA)
    bench.tasks.clear("a")  # type: ignore[arg-type]
    assert second.over
    bench.tasks.settle()
    assert bench.tasks.plain


def test_no_allegiance_outlives_a_reset() -> None:
    old = Command("b", begun=True)
    bench, told = Bench(old), []
    bench.tasks.establish("a")  # type: ignore[arg-type]
    bench.tasks.goes_on(old, lambda: told.append("old"))  # type: ignore[arg-type]
    bench.tasks.reset()
    assert told == ["old"]
    assert bench.send("b").begun


# At random.


class Order(RuleBasedStateMachine):
    """Commands of two nexuses, as SAM-5 has them: each rule of 8.6 is written down once more."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.bench.watch = self.check_start
        self.all: list[Command] = []
        self.faulted: set[str] = set()

    @property
    def live(self) -> list[Command]:
        return [command for command in self.all if not command.over]

    def together(self, one: Command, other: Command) -> bool:
        return not self.bench.unit.modes.tst or one.session == other.session

    def must_wait(self, command: Command) -> bool:
        if command.attributes in (HEAD, ACA):
            return False
        place = self.all.index(command)
        return any(
            other.attributes == HEAD
            or (other in self.all[:place] and ORDERED in (command.attributes, other.attributes))
            for other in self.live
            if other is not command and self.together(command, other)
        )

    def is_held_up(self, command: Command) -> bool:
        if command.attributes == ACA:
            return False
        if self.bench.unit.modes.tst:
            return command.session in self.faulted
        return bool(self.faulted)

    def check_start(self, command: Command) -> None:
        assert not command.over
        assert not self.must_wait(command)
        assert not self.is_held_up(command)

    @rule(
        session=st.sampled_from("ab"),
        attribute=st.sampled_from([SIMPLE, SIMPLE, ORDERED, HEAD, ACA]),
        instant=st.booleans(),
    )
    def arrive(self, session: str, attribute: int, instant: bool) -> None:
        command = Command(session, attribute, instant=instant)
        self.all.append(command)
        if self.bench.refuses(command) is not None:
            command.over = True

    @precondition(lambda self: any(c.begun for c in self.live))
    @rule(data=st.data())
    def end(self, data: Any) -> None:
        """A command that is performed ends, unless that is withheld."""
        begun = [c for c in self.live if c.begun and not self.is_held_up(c)]
        if begun:
            self.bench.end(data.draw(st.sampled_from(begun)))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def abort(self, data: Any) -> None:
        self.bench.end(data.draw(st.sampled_from(self.live)))

    @precondition(lambda self: not self.faulted or self.bench.unit.modes.tst)
    @rule(session=st.sampled_from("ab"))
    def fail(self, session: str) -> None:
        self.faulted.add(session)
        self.bench.tasks.establish(session)  # type: ignore[arg-type]

    @rule(session=st.sampled_from("ab"))
    def clear(self, session: str) -> None:
        self.faulted.discard(session)
        self.bench.tasks.clear(session)  # type: ignore[arg-type]
        self.bench.tasks.settle()

    @precondition(lambda self: not self.live and not self.faulted)
    @rule(tst=st.integers(0, 1))
    def change_task_sets(self, tst: int) -> None:
        self.bench.unit.modes.tst = tst

    @invariant()
    def nobody_waits_without_a_reason(self) -> None:
        for command in self.live:
            if not command.begun:
                assert self.must_wait(command) or self.is_held_up(command)
        waiting = [command for command in self.live if not command.begun]
        assert self.bench.tasks.waiting == len(waiting)
        special = [c for c in self.live if c.attributes != SIMPLE]
        assert self.bench.tasks.plain == (not waiting and not special and not self.faulted)


TestOrder = Order.TestCase
TestOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
