"""Our initiator and our target in memory, doing what they may in any order, against a bytearray.

Whatever they do: neither raises nor finds fault with the other, both have the same parameters and
numbers, every request is over once nothing is left to say, and what is read is what was written.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.initiator.pair import Pair, Wire, intent, reading, writing
from tests.initiator.test_login import OFFERS
from tests.protocol.peer import BOTH, FAIL, Gate, cdb
from trioscsi.initiator.events import LoginFailed, SessionFailed
from trioscsi.initiator.requests import Management, Ping, Request, Task, TextWish
from trioscsi.limits import Limits
from trioscsi.pdu import LogoutReason, Reject, TaskFunction
from trioscsi.text import Offer, Stage

SIZE = 20_000
OFFSETS = st.integers(0, SIZE - 1)
LENGTHS = st.one_of(st.integers(0, 600), st.integers(0, SIZE))
LIMITS = Limits(tasks=5, write_buffers=65_536, ping_interval=15, ping_time=5)


class Talk(RuleBasedStateMachine):
    """One session at a time; commands that may overlap are ordered by the target."""

    def __init__(self) -> None:
        super().__init__()
        self.store = bytearray(SIZE)
        self.pair: Pair | None = None
        self.asked: list[Request] = []

    @initialize(ours=OFFERS, theirs=OFFERS, stage=st.sampled_from([Stage.SECURITY, Stage(1)]))
    def log_in(self, ours, theirs, stage) -> None:
        self.gate = Gate(Offer(**theirs), LIMITS)
        self.wish = intent(first_stage=stage, **ours)
        self.begin()

    def begin(self) -> None:
        self.pair = Pair(self.gate, self.wish, limits=LIMITS)
        assert self.pair.connection.full_feature, self.pair.events

    @property
    def wires(self) -> list[Wire]:
        assert self.pair is not None
        return [wire for wire in self.pair.wires if wire.initiator.full_feature]

    def send(self, request: Request) -> None:
        assert self.pair is not None
        self.asked.append(request)
        self.pair.session.submit(request, self.wires[0].initiator)

    @rule(offset=OFFSETS, data=st.binary(max_size=40), times=st.integers(1, 500))
    def write(self, offset: int, data: bytes, times: int) -> None:
        data = (data * times)[: SIZE - offset]
        self.send(writing(offset, data))
        self.store[offset : offset + len(data)] = data
        self.settle()

    @rule(offset=OFFSETS, length=LENGTHS)
    def read(self, offset: int, length: int) -> None:
        task = reading(offset, min(length, SIZE - offset))
        self.send(task)
        self.settle()
        assert task.data_in == self.store[offset : offset + task.expected_in]

    @rule(offset=OFFSETS, data=st.binary(min_size=1, max_size=4000))
    def read_and_write(self, offset: int, data: bytes) -> None:
        data = data[: SIZE - offset]
        task = Task(cdb=cdb(BOTH, offset, len(data)), data_out=data, expected_in=len(data))
        self.send(task)
        self.settle()
        assert task.data_in == self.store[offset : offset + len(data)]
        self.store[offset : offset + len(data)] = data

    @rule(offsets=st.lists(OFFSETS, max_size=12), length=LENGTHS)
    def read_many_at_once(self, offsets: list[int], length: int) -> None:
        tasks = [reading(offset, min(length, SIZE - offset)) for offset in offsets]
        for task in tasks:
            self.send(task)
        self.settle()
        for task, offset in zip(tasks, offsets, strict=True):
            assert task.data_in == self.store[offset : offset + task.expected_in]

    @rule(expected=st.integers(0, 5000), length=st.integers(0, 5000))
    def read_more_or_less_than_there_is(self, expected: int, length: int) -> None:
        task = reading(0, length, expected)
        self.send(task)
        self.settle()
        assert task.data_in == self.store[: min(expected, length)]
        assert task.residual == expected - length

    @rule()
    def fail(self) -> None:
        task = Task(cdb=cdb(FAIL, 0, 0))
        self.send(task)
        self.settle()
        assert (task.status, task.sense) == (2, b"no")

    @rule(data=st.binary(max_size=300), immediate=st.booleans())
    def ping(self, data: bytes, immediate: bool) -> None:
        ping = Ping(data=data, immediate=immediate)
        self.send(ping)
        self.settle()
        assert ping.answer == data

    @rule()
    def negotiate(self) -> None:
        self.send(TextWish(negotiates=True))
        self.settle()

    @rule(
        function=st.sampled_from(
            [
                TaskFunction.ABORT_TASK_SET,
                TaskFunction.LOGICAL_UNIT_RESET,
                TaskFunction.CLEAR_TASK_SET,
            ]
        ),
        count=st.integers(0, 6),
    )
    def manage(self, function: TaskFunction, count: int) -> None:
        assert self.pair is not None
        self.gate.disk.lazy = True
        for _ in range(count):
            self.send(reading(0, 10))
        self.pair.run()
        self.send(Management(function=function, immediate=True))
        self.pair.run()
        self.gate.disk.lazy = False
        self.gate.disk.work()
        self.settle()

    @rule(seconds=st.sampled_from([1.0, 5.0, 16.0]))
    def wait(self, seconds: float) -> None:
        assert self.pair is not None
        self.pair.pass_time(seconds)
        self.settle()

    @rule()
    def target_wants_to_negotiate(self) -> None:
        assert self.pair is not None
        self.wires[0].target.ask_for_negotiation(self.pair.now)
        self.settle()

    @rule()
    def add_connection(self) -> None:
        assert self.pair is not None
        if len(self.wires) < self.pair.session.parameters.max_connections:
            wire = self.pair.connect()
            assert wire.initiator.full_feature, self.pair.events

    @rule(reason=st.sampled_from([LogoutReason.CLOSE_SESSION, LogoutReason.CLOSE_CONNECTION]))
    def log_out(self, reason: LogoutReason) -> None:
        assert self.pair is not None
        wish = self.pair.session.log_out(self.wires[-1].initiator, reason)
        self.pair.run()
        assert (wish.over, wish.lost, wish.result) == (True, "", 0)
        if not self.wires:
            self.begin()

    @rule()
    def lose_everything_and_come_back(self) -> None:
        assert self.pair is not None
        old = self.pair
        for wire in self.wires:
            wire.initiator.lost("cut", old.now)
        old.run()
        assert old.happened(SessionFailed)
        self.begin()
        old.session.reinstated()
        assert old.session.machine.state == "FREE"

    def settle(self) -> None:
        assert self.pair is not None
        self.pair.run()
        asked, self.asked = self.asked, []
        for request in asked:
            assert request.over, request
            assert request.lost in ("", "aborted"), request

    @invariant()
    def both_are_of_one_mind(self) -> None:
        if self.pair is None:
            return
        session = self.pair.session
        assert not session.requests
        assert not session.waiting
        assert not self.pair.happened(LoginFailed)
        for wire in self.wires:
            assert wire.initiator.parameters == wire.target.parameters
            assert wire.initiator.statuses.expected == wire.target.stat_sn
            assert not any(isinstance(pdu, Reject) for pdu in wire.back)
            assert wire.target.session is not None
            assert session.numbers.next == wire.target.session.order.expected


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
