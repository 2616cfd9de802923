"""Initiators that do what they may and what they may not, in any order, against a model.

Whatever they do: the target raises nothing, numbers are as section 4.2.2 has them (`Peer` checks
them), a command is answered once unless something that ends commands has ended it, and what is read
is what was written.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.protocol.covered import COVERED, counting
from tests.protocol.peer import (
    FAIL,
    ISID,
    OTHER,
    READ,
    TARGET,
    Gate,
    Peer,
    cdb,
    connect,
    leading_keys,
    login_request,
)
from trioscsi.limits import Limits
from trioscsi.pdu import (
    FROM_INITIATOR,
    NO_TASK,
    DataOut,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    NopIn,
    NopOut,
    Pdu,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)
from trioscsi.protocol import Session
from trioscsi.serial import add, distance, less
from trioscsi.text import Offer
from trioscsi.text import encode as encode_text

LIMITS = Limits(
    tasks=6,
    immediate_tasks=3,
    sessions=2,
    write_buffers=65_536,
    login_pdus=8,
    login_time=10.0,
    logout_time=5.0,
    text_time=20.0,
    ping_interval=15.0,
    ping_time=5.0,
)
OFFER = Offer(max_connections=3, max_recv_data_segment_length=4096)
SLOT, SLOTS = 3000, 4
TASK_ABORTED = 0x40
LUNS = st.sampled_from([0, 0, 0, 1 << 48])

OPERATIONAL_KEYS = st.fixed_dictionaries(
    {},
    optional={
        "MaxConnections": st.just("3"),
        "InitialR2T": st.sampled_from(["Yes", "No"]),
        "ImmediateData": st.sampled_from(["Yes", "No"]),
        "FirstBurstLength": st.sampled_from(["512", "2048", "65536"]),
        "MaxBurstLength": st.sampled_from(["512", "1024", "262144"]),
        "MaxOutstandingR2T": st.sampled_from(["1", "3"]),
        "MaxRecvDataSegmentLength": st.sampled_from(["512", "8192"]),
        "DataDigest": st.just("CRC32C"),
        "HeaderDigest": st.just("CRC32C,None"),
        "DefaultTime2Retain": st.sampled_from(["0", "5"]),
        "X-com.example.test": st.sampled_from(["1", "Reject"]),
    },
)
ODD_KEYS = st.dictionaries(
    st.sampled_from(
        ["InitiatorName", "TargetName", "AuthMethod", "SessionType", "MaxBurstLength", "CHAP_A"]
    ),
    st.sampled_from(["", "5", "CHAP,None", "Discovery", "Normal", "Reject", "512", TARGET, OTHER]),
    max_size=2,
)
LONGER = {f"X-com.example.{'k' * 43}.{place:03}": "1" for place in range(110)}
"""Whose answer fits no response of 8192 bytes."""
LONG = {f"X-com.example.long.{place:02}": "1" for place in range(40)}
SECONDS = st.sampled_from([0.5, 0.5, 1.0, 3.0, 5.0, 10.0, 16.0, 30.0])


@attrs.define
class Slot:
    """A part of the disk: what may be in it."""

    values: set[bytes] | None = attrs.field(factory=lambda: {bytes(SLOT)})
    """None: anything, as a broken transfer has touched it."""
    writing: dict[tuple[Session, int], bytes] = attrs.field(factory=dict)


@attrs.define
class Doing:
    """What the model knows of a command."""

    slot: int
    written: bytes | None = None
    allowed: set[bytes] | None = None
    """What a read may find; None: anything."""
    length: int = SLOT
    broken: bool = False
    """A transfer that broke the rules: it may fail, or not."""
    fails: bool = False


@attrs.define(eq=False)
class Line:
    """A connection, and what its initiator remembers of it."""

    peer: Peer
    csg: int = 1
    request: dict[str, Any] = attrs.field(factory=dict)
    doing: dict[int, Doing] = attrs.field(factory=dict)
    bursts: dict[int, list[DataOut]] = attrs.field(factory=dict)
    stash: list[Pdu] = attrs.field(factory=list)
    functions: dict[int, TaskManagementRequest] = attrs.field(factory=dict)
    pings: list[int] = attrs.field(factory=list)
    text: TextResponse | None = None

    @property
    def session(self) -> Session:
        session = self.peer.connection.session
        assert session is not None
        return session

    @property
    def session_or_none(self) -> Session | None:
        return self.peer.connection.session

    @property
    def open(self) -> bool:
        return not self.peer.connection.closed


class Conversations(RuleBasedStateMachine):
    """Logins, texts, pings, logouts, losses: all that goes without commands."""

    most = 4
    """Connections that may be there when one more comes that may lead to nothing."""
    fewest = 0
    """Connections that stay when one is ended."""
    rarely = st.sampled_from([False, False, False, True])
    """When to end a connection: it would never come to anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate(OFFER, LIMITS, COVERED)
        self.lines: list[Line] = []
        self.numbers: dict[Session, tuple[int, int]] = {}
        """The next CmdSN and the last task tag of each session."""
        self.slots = [Slot() for _ in range(SLOTS)]
        self.ended: list[tuple[Session, TaskManagementRequest]] = []
        """Functions that were answered in this step."""
        self.now = 0.0

    def pick(self, data: Any, lines: list[Line]) -> Line:
        return data.draw(st.sampled_from(lines))

    @property
    def in_login(self) -> list[Line]:
        return [line for line in self.lines if line.peer.connection.in_login]

    @property
    def full(self) -> list[Line]:
        return [line for line in self.lines if line.peer.connection.full_feature]

    def send(self, line: Line, *pdus: Pdu) -> list[Any]:
        return self.hear(line, line.peer.send(*pdus))

    def number(self, line: Line, cls: type[Pdu], **fields: Any) -> Any:
        """A request with the numbers of the line's session."""
        peer = line.peer
        peer.cmd_sn, peer.itt = self.numbers[line.session]
        pdu = peer.request(cls, **fields)
        self.numbers[line.session] = (peer.cmd_sn, peer.itt)
        return pdu

    def has_room(self, line: Line) -> bool:
        """Whether the session may send one more request that is not immediate."""
        order = line.session.order
        return less(self.numbers[line.session][0], add(order.maximum))

    def hear(self, line: Line, answers: list[Any]) -> list[Any]:
        for pdu in answers:
            match pdu:
                case LoginResponse():
                    self.hear_login(line, pdu)
                case TaskManagementResponse():
                    self.ended.append((line.session, line.functions.pop(pdu.itt)))
                case NopIn() if pdu.itt == NO_TASK:
                    line.pings.append(pdu.ttt)
                case TextResponse():
                    line.text = None if pdu.final else pdu
                case Reject():
                    assert len(pdu.data) >= 48
                    if pdu.reason == RejectReason.WAITING_FOR_LOGOUT:
                        self.forget(line, int.from_bytes(pdu.data[16:20], "big"))
        return answers

    def forget(self, line: Line, itt: int) -> None:
        """A command was rejected, unless it was a retry of one that is under way."""
        if line.session.tasks.get(itt) is None:
            line.peer.abandon(itt)
            line.doing.pop(itt, None)

    def hear_login(self, line: Line, pdu: LoginResponse) -> None:
        if pdu.status_class:
            assert not line.open
        elif pdu.transit:
            assert line.request["transit"]
            assert pdu.nsg == line.request["nsg"]
            line.csg = pdu.nsg
            if pdu.nsg == 3:
                assert line.peer.connection.full_feature
                assert pdu.tsih != 0
                self.numbers.setdefault(line.session, (line.request["cmd_sn"], 0))

    # Rules.

    @initialize(keys=OPERATIONAL_KEYS, discovery=st.sampled_from([False, False, False, True]))
    def begin_with_a_session(self, keys: Any, discovery: bool) -> None:
        self.start(keys, discovery)

    def start(self, keys: Any, discovery: bool = False) -> Line:
        fields = {"isid": ISID, "cid": 0, "cmd_sn": 0xFFFFFFFD}
        line = Line(connect(self.gate, now=self.now), request=fields)
        self.lines.append(line)
        keys = leading_keys(discovery, **{**keys, "X-com.example.test": "1"})
        self.step(line, keys, transit=True, nsg=3)
        return line

    @precondition(lambda self: len(self.lines) < 4)
    @rule(
        data=st.data(),
        keys=OPERATIONAL_KEYS,
        isid=st.sampled_from([ISID, ISID, b"second", b"third!"]),
        discovery=st.sampled_from([False] * 4 + [True]),
        joins=st.booleans(),
        cid=st.integers(0, 2),
    )
    def log_in(
        self, data: Any, keys: Any, isid: bytes, discovery: bool, joins: bool, cid: int
    ) -> None:
        """A login that asks for nothing odd; it may begin in either stage and take its time."""
        fields: dict[str, Any] = {"isid": isid, "cid": cid, "cmd_sn": 5}
        sessions = self.gate.target.sessions
        if joins and sessions:
            session = data.draw(st.sampled_from(sessions))
            fields.update(isid=session.isid, tsih=session.tsih)
            fields["cmd_sn"] = self.numbers[session][0]
        self.begin(data, leading_keys(discovery, **keys), fields)

    @precondition(lambda self: len(self.lines) < self.most)
    @rule(data=st.data(), keys=ODD_KEYS, tsih=st.integers(0, 3), csg=st.integers(0, 3))
    def log_in_oddly(self, data: Any, keys: Any, tsih: int, csg: int) -> None:
        fields = {"isid": ISID, "tsih": tsih, "cid": 0, "cmd_sn": 5}
        self.begin(data, {**leading_keys(), **keys}, fields, csg=csg)

    def begin(self, data: Any, keys: Any, fields: dict[str, Any], csg: int | None = None) -> None:
        line = Line(connect(self.gate, now=self.now), request=fields)
        self.lines.append(line)
        line.csg = data.draw(st.sampled_from([0, 1, 1, 1])) if csg is None else csg
        if line.csg == 0:
            keys = {k: v for k, v in keys.items() if k in (*leading_keys(), "SessionType")}
        goes_on = data.draw(st.sampled_from([3, 3, 3, 3, 1, None]))
        self.step(line, keys, transit=goes_on is not None, nsg=goes_on or 0)

    def step(self, line: Line, keys: Any, **fields: Any) -> None:
        line.request.update(transit=False, nsg=0, continue_=False, csg=line.csg)
        line.request.update(fields)
        self.send(line, login_request(keys, **line.request))

    @precondition(lambda self: self.in_login)
    @rule(data=st.data(), move=st.sampled_from([3, 3, 3, 1, 0, None]))
    def go_on_with_login(self, data: Any, move: int | None) -> None:
        line = self.pick(data, self.in_login)
        if line.request:
            self.step(line, {}, transit=move is not None, nsg=move or 0)

    @precondition(lambda self: self.in_login)
    @rule(data=st.data(), part=st.sampled_from([b"", b"X-a=", b"X-b", b"=1\0", b"\0"]))
    def say_part_in_login(self, data: Any, part: bytes) -> None:
        line = self.pick(data, self.in_login)
        more = data.draw(st.booleans())
        self.step(line, {}, data=part, continue_=more)

    @precondition(lambda self: self.in_login)
    @rule(data=st.data())
    def say_much_in_login(self, data: Any) -> None:
        line = self.pick(data, self.in_login)
        declared = {"MaxRecvDataSegmentLength": "512"} if line.csg else {}
        self.step(line, {**declared, **(LONG if line.csg else LONGER)})

    @precondition(lambda self: self.in_login)
    @rule(
        data=st.data(),
        keys=ODD_KEYS,
        field=st.sampled_from(["isid", "tsih", "cid", "itt", "version_min", "csg"]),
    )
    def say_something_odd_in_login(self, data: Any, keys: Any, field: str) -> None:
        line = self.pick(data, self.in_login)
        odd = {"isid": b"chance"}.get(field, 1)
        self.step(line, keys, **({field: odd} if data.draw(st.booleans()) else {}))

    @precondition(lambda self: len(self.lines) < self.most)
    @rule()
    def connect_and_say_nothing(self) -> None:
        self.lines.append(Line(connect(self.gate, now=self.now), request={"cmd_sn": 5}))

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def send_a_pdu_that_has_no_place(self, data: Any) -> None:
        line = self.pick(data, self.lines)
        if line.peer.connection.in_login and not data.draw(self.rarely):
            return
        cls = data.draw(st.sampled_from(FROM_INITIATOR))
        if line.peer.connection.full_feature and cls in (LoginRequest, LogoutRequest):
            cls = SnackRequest
        itt = data.draw(st.integers(0xF0000000, NO_TASK))
        fields: dict[str, Any] = {"itt": itt}
        if hasattr(cls, "immediate"):
            fields["immediate"] = data.draw(st.booleans())
        pdu = cls(**fields)
        if cls is ScsiCommand:
            pdu.read, pdu.write = data.draw(st.booleans()), data.draw(st.booleans())
            pdu.final = data.draw(st.booleans())
            pdu.data = data.draw(st.binary(max_size=9))
            pdu.expected_data_transfer_length = data.draw(st.integers(0, 9))
            line.peer.careless.add(itt)
        if line.peer.connection.full_feature and not getattr(pdu, "immediate", True):
            order = line.session.order
            pdu.cmd_sn = add(order.expected, data.draw(st.sampled_from([-1, order.size + 1])))
        if isinstance(pdu, TaskManagementRequest):
            line.functions[itt] = pdu
        self.hear(line, line.peer.feed(line.peer.encode(pdu)))

    @precondition(lambda self: self.full)
    @rule(data=st.data(), stream=st.sampled_from([bytes([0x1C]) + bytes(47), b"\xff" * 48]))
    def send_what_nobody_knows(self, data: Any, stream: bytes) -> None:
        line = self.pick(data, self.full)
        if data.draw(st.integers(0, 3)) == 0:
            self.hear(line, line.peer.feed(stream))

    @precondition(lambda self: self.full)
    @rule(data=st.data(), immediate=st.booleans())
    def ping(self, data: Any, immediate: bool) -> None:
        line = self.pick(data, self.full)
        if immediate or self.has_room(line):
            self.send(line, self.number(line, NopOut, immediate=immediate, data=b"ping"))

    @precondition(lambda self: any(line.pings for line in self.full))
    @rule(data=st.data())
    def answer_pings(self, data: Any) -> None:
        line = self.pick(data, self.full)
        pings, line.pings = line.pings, []
        for ttt in pings:
            self.send(line, NopOut(ttt=ttt, cmd_sn=self.numbers[line.session][0]))

    @precondition(lambda self: self.full)
    @rule(
        data=st.data(),
        text=st.sampled_from(
            [
                encode_text([("SendTargets", "All")]),
                encode_text([("SendTargets", "")]),
                encode_text([("MaxRecvDataSegmentLength", "512")]),
                encode_text(LONG.items()),
                b"X-com.example=1\0",
                b"X-com",
                b".example=1\0",
                b"",
                b"",
            ]
        ),
        final=st.booleans(),
        more=st.sampled_from([False, False, True]),
        new=st.sampled_from([False, False, True]),
    )
    def negotiate(self, data: Any, text: bytes, final: bool, more: bool, new: bool) -> None:
        line = self.pick(data, self.full)
        if not self.has_room(line):
            return
        fields: dict[str, Any] = {}
        if line.text is not None and not new:
            fields = {"itt": line.text.itt, "ttt": line.text.ttt}
            if line.text.continue_ and data.draw(st.integers(0, 3)):
                text, more = b"", False
        pdu = self.number(line, TextRequest, data=text, final=final, continue_=more, **fields)
        self.send(line, pdu)
        line.peer.parameters = line.peer.connection.parameters

    @precondition(lambda self: len(self.full) > self.fewest)
    @rule(data=st.data(), reason=st.sampled_from([0, 0, 1, 1, 2, 3]), cid=st.integers(0, 2))
    def log_out(self, data: Any, reason: int, cid: int) -> None:
        line = self.pick(data, self.full)
        immediate = data.draw(st.booleans())
        own = data.draw(st.integers(0, 3))
        if not data.draw(self.rarely):
            return
        cid = line.peer.connection.cid if own else cid
        if immediate or self.has_room(line):
            fields = {"immediate": immediate, "reason": reason, "cid": cid}
            self.send(line, self.number(line, LogoutRequest, **fields))

    @precondition(lambda self: len(self.lines) > self.fewest)
    @rule(data=st.data())
    def lose(self, data: Any) -> None:
        if data.draw(self.rarely):
            self.pick(data, self.lines).peer.connection.lost("gone", self.now)

    @precondition(lambda self: len(self.lines) > self.fewest)
    @rule(data=st.data(), drops=st.sampled_from([False, False, True]))
    def ask_for_logout(self, data: Any, drops: bool) -> None:
        connection = self.pick(data, self.lines).peer.connection
        if not data.draw(self.rarely):
            return
        if drops:
            connection.drop("enough")
        elif not connection.closed:
            connection.ask_for_logout(self.now)

    @rule(seconds=SECONDS)
    def pass_time(self, seconds: float) -> None:
        self.move_clock(seconds)

    def move_clock(self, seconds: float) -> None:
        self.now += seconds
        for node in self.gate.nodes:
            node.deadlines.run(self.now)
        for line in self.lines:
            line.peer.now = self.now
            line.peer.connection.handle_timer(self.now)

    # What has to be so after each step.

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        self.gate.disk.handle()
        for line in self.lines:
            self.hear(line, line.peer.receive())
        for line in self.lines:
            self.check_answers(line)
        for line in self.lines:
            self.check_commands(line)
        self.ended.clear()
        self.check_sessions()
        self.lines = [line for line in self.lines if line.open]

    def check_answers(self, line: Line) -> None:
        peer = line.peer
        for itt, answer in peer.answers.items():
            doing = line.doing.pop(itt)
            slot = self.slots[doing.slot]
            good = answer.status == 0
            if answer.status == TASK_ABORTED:
                assert isinstance(answer, ScsiResponse)
                continue
            if doing.fails:
                assert not good
                continue
            if doing.written is None:
                assert good
                read = peer.read[itt]
                assert len(read) == doing.length
                if doing.allowed is not None:
                    assert any(value.startswith(read) for value in doing.allowed)
                continue
            slot.writing.pop((line.session, itt), None)
            assert good or doing.broken
            if good and not doing.broken and slot.values is not None:
                slot.values = {doing.written, *slot.writing.values()}
        peer.answers.clear()
        peer.read.clear()

    def check_commands(self, line: Line) -> None:
        """A command that was sent is under way, unless something ended it."""
        peer = line.peer
        if not line.open:
            peer.abandon()
        elif line.session_or_none is not None:
            stashed = {pdu.itt for pdu in line.stash if isinstance(pdu, ScsiCommand)}
            for itt in list(peer.open):
                task = line.session.tasks.get(itt)
                if itt in stashed or (task is not None and task.connection is peer.connection):
                    continue
                assert self.may_have_ended(line, itt), itt
                peer.abandon(itt)

    def may_have_ended(self, line: Line, itt: int) -> bool:
        if line.peer.connection.machine.state == "IN_LOGOUT":
            return True
        if any(
            other.session_or_none is line.session
            and other.peer.connection.machine.state == "IN_LOGOUT"
            for other in self.lines
        ):
            return True
        functions = list(self.ended)
        functions += [(other.session, f) for other in self.lines for f in other.functions.values()]
        lun = line.peer.open[itt].command.lun
        return any(_concerns(session, f, line.session, itt, lun) for session, f in functions)

    def check_sessions(self) -> None:
        target = self.gate.target
        assert len({session.tsih for session in target.sessions}) == len(target.sessions)
        for session in target.sessions:
            assert session.state in ("LOGGED_IN", "FAILED", "IN_CONTINUE")
            live = [c for c in session.connections if c.full_feature]
            assert bool(live) == (session.state == "LOGGED_IN")
            assert len({c.cid for c in live}) == len(live)
            assert session.write_buffers == sum(task.reserved for task in session.tasks)
            width = distance(session.order.expected, add(session.order.maximum))
            assert width == LIMITS.tasks - sum(task.counted for task in session.tasks)
            # One immediate command of each connection is always heard (section 4.2.2.1).
            immediate = LIMITS.immediate_tasks + len(session.connections) - 1
            assert len(session.tasks) <= LIMITS.tasks + immediate
            assert all(task.connection.full_feature for task in session.tasks)
        for line in self.full:
            assert line.session in (*target.sessions, *self.gate.discovery.sessions)

    def teardown(self) -> None:
        """Nothing is left of those who have gone."""
        for line in self.lines:
            line.peer.connection.lost("the end", self.now)
        self.gate.disk.handle()
        self.gate.disk.let_go()
        self.move_clock(100.0)
        assert self.gate.target.sessions == []
        assert self.gate.discovery.sessions == []
        assert list(self.gate.target.dying) == []


def _concerns(
    by: Session, pdu: TaskManagementRequest, session: Session, itt: int, lun: int
) -> bool:
    """Whether a function may end this task."""
    match pdu.function:
        case TaskFunction.ABORT_TASK:
            return by is session and pdu.referenced_task_tag == itt
        case TaskFunction.ABORT_TASK_SET:
            return by is session and pdu.lun == lun
        case TaskFunction.CLEAR_TASK_SET | TaskFunction.LOGICAL_UNIT_RESET:
            return pdu.lun == lun
        case TaskFunction.TARGET_WARM_RESET | TaskFunction.TARGET_COLD_RESET:
            return True
    return False


class Commands(Conversations):
    """Commands, their data and their end, besides all the rest."""

    most = 2
    fewest = 1

    @property
    def normal(self) -> list[Line]:
        return [line for line in self.full if line.session.normal]

    @property
    def asked(self) -> list[tuple[Line, Any]]:
        return [
            (line, r2t) for line in self.normal for s in line.peer.open.values() for r2t in s.r2ts
        ]

    def leaving(self, line: Line) -> bool:
        return line.peer.connection.machine.state == "IN_LOGOUT"

    def command(self, data: Any, line: Line, doing: Doing, build: Any) -> None:
        """Send a command, or keep it back so that others overtake it."""
        immediate = data.draw(st.integers(0, 4)) == 0
        if self.leaving(line):
            return
        if immediate and line.session.tasks.immediate >= LIMITS.immediate_tasks:
            return
        if not immediate and not self.has_room(line):
            return
        line.peer.cmd_sn, line.peer.itt = self.numbers[line.session]
        pdus = build(immediate)
        command = pdus[0]
        self.numbers[line.session] = (line.peer.cmd_sn, line.peer.itt)
        line.doing[command.itt] = doing
        line.bursts[command.itt] = pdus[1:]
        if command.itt not in line.peer.open:
            line.peer.expect(command)
        if not immediate and data.draw(st.integers(0, 2)) == 0:
            line.stash.append(command)
        else:
            self.send(line, command)

    @precondition(lambda self: self.normal)
    @rule(data=st.data(), slot=st.integers(0, SLOTS - 1), cut=st.sampled_from([0, 0, 100, -100]))
    def read(self, data: Any, slot: int, cut: int) -> None:
        line = self.pick(data, self.normal)
        values = self.slots[slot].values
        pending = self.slots[slot].writing.values()
        allowed = None if values is None else {*values, *pending}
        length = SLOT - max(cut, 0)
        doing = Doing(slot, allowed=allowed, length=length)
        self.command(
            data,
            line,
            doing,
            lambda now: [line.peer.reading(slot * SLOT, SLOT, SLOT - cut, immediate=now)],
        )

    @precondition(lambda self: self.normal)
    @rule(
        data=st.data(),
        slot=st.integers(0, SLOTS - 1),
        byte=st.integers(1, 255),
        share=st.sampled_from([0, 100, 512, SLOT]),
        bursts=st.booleans(),
    )
    def write(self, data: Any, slot: int, byte: int, share: int, bursts: bool) -> None:
        line = self.pick(data, self.normal)
        parameters = line.peer.parameters
        first = min(SLOT, parameters.first_burst_length)
        at_once = min(share, first) if parameters.immediate_data else 0
        unsolicited = first - at_once if bursts and not parameters.initial_r2t else 0
        payload = bytes([byte]) * SLOT

        def build(immediate: bool) -> list[Pdu]:
            pdus = line.peer.write(
                slot * SLOT, payload, immediate_data=at_once, unsolicited=unsolicited
            )
            if immediate:
                pdus[0].immediate = True
                line.peer.cmd_sn = pdus[0].cmd_sn
            self.slots[slot].writing[line.session, pdus[0].itt] = payload
            return pdus

        before = dict(self.numbers)
        self.command(data, line, Doing(slot, written=payload), build)
        if before != self.numbers or (line.session, line.peer.itt) in self.slots[slot].writing:
            for other in self.lines:
                for doing in other.doing.values():
                    if doing.slot == slot and doing.allowed is not None:
                        doing.allowed.add(payload)
            values = self.slots[slot].values
            if values is not None:
                values.add(payload)

    @precondition(lambda self: self.normal)
    @rule(data=st.data(), share=st.sampled_from([0, 100]))
    def fail(self, data: Any, share: int) -> None:
        """A write whose data nobody looks at."""
        line = self.pick(data, self.normal)
        parameters = line.peer.parameters
        first = min(SLOT, parameters.first_burst_length)
        at_once = share if parameters.immediate_data else 0
        unsolicited = 0 if parameters.initial_r2t else first - at_once

        def build(immediate: bool) -> list[Pdu]:
            pdus = line.peer.write(0, bytes(SLOT), immediate_data=at_once, unsolicited=unsolicited)
            pdus[0].cdb = cdb(FAIL, 0, 0)
            if immediate:
                pdus[0].immediate = True
                line.peer.cmd_sn = pdus[0].cmd_sn
            return pdus

        self.command(data, line, Doing(0, written=b"", fails=True), build)

    @precondition(lambda self: any(self.leaving(line) for line in self.full))
    @rule(data=st.data(), cls=st.sampled_from(FROM_INITIATOR), odd=st.booleans())
    def speak_while_leaving(self, data: Any, cls: type[Pdu], odd: bool) -> None:
        line = self.pick(data, [line for line in self.full if self.leaving(line)])
        if cls is LoginRequest and not odd:
            stream = bytes([0x1C]) + bytes(47)
        else:
            stream = line.peer.encode(cls())
        self.hear(line, line.peer.feed(stream))

    @precondition(lambda self: any(line.stash for line in self.normal))
    @rule(data=st.data())
    def send_what_was_kept_back(self, data: Any) -> None:
        line = self.pick(data, [line for line in self.normal if line.stash])
        if not self.leaving(line):
            self.send(line, line.stash.pop(0))

    @precondition(lambda self: any(line.bursts for line in self.normal))
    @rule(data=st.data(), breaks=st.sampled_from([None, None, None, "data_sn", "short", "offset"]))
    def send_burst(self, data: Any, breaks: str | None) -> None:
        for line in self.normal:
            for itt, outs in list(line.bursts.items()):
                task = line.session.tasks.get(itt)
                if not outs or task is None:
                    if task is None and not any(pdu.itt == itt for pdu in line.stash):
                        del line.bursts[itt]
                    continue
                if breaks is None and data.draw(st.booleans()):
                    self.send(line, *outs)
                    outs.clear()
                    return
                pdu = outs.pop(0)
                if breaks is not None:
                    self.spoil(line, pdu, breaks)
                    if pdu.final:
                        outs.clear()
                self.send(line, pdu)
                return

    def spoil(self, line: Line, pdu: DataOut, how: str) -> None:
        """Make a Data-Out one that breaks the rules, and expect its command to fail."""
        doing = line.doing[pdu.itt]
        doing.broken = True
        self.slots[doing.slot].values = None
        for other in self.lines:
            for reading in other.doing.values():
                if reading.slot == doing.slot:
                    reading.allowed = None
        match how:
            case "data_sn":
                pdu.data_sn += 1
            case "offset":
                pdu.buffer_offset += 8
            case "short":
                pdu.data, pdu.final = bytes(pdu.data[:7]), True

    @precondition(lambda self: self.asked)
    @rule(
        data=st.data(),
        breaks=st.sampled_from([None, None, None, "data_sn", "short", "offset", "unknown"]),
        size=st.sampled_from([300, 4096]),
    )
    def answer_r2t(self, data: Any, breaks: str | None, size: int) -> None:
        line, r2t = data.draw(st.sampled_from(self.asked))
        if breaks is None:
            for line, r2t in self.asked:
                self.send(line, *line.peer.answer_r2t(r2t, size))
            return
        sent = line.peer.open[r2t.itt]
        end = r2t.buffer_offset + r2t.desired_data_transfer_length
        outs = line.peer.data_outs(r2t.itt, r2t.ttt, 0, sent.data[:end], r2t.buffer_offset, size)
        if breaks == "unknown":
            outs[0].ttt += 1000
            self.send(line, outs[0])
            return
        sent.r2ts.remove(r2t)
        place = data.draw(st.integers(0, len(outs) - 1))
        self.spoil(line, outs[place], breaks)
        if breaks == "short":
            outs = outs[: place + 1]
        self.send(line, *outs)

    @precondition(lambda self: any(line.peer.open for line in self.normal))
    @rule(data=st.data())
    def retry(self, data: Any) -> None:
        """A command that is under way is sent again."""
        line = self.pick(data, [line for line in self.normal if line.peer.open])
        itt = data.draw(st.sampled_from(list(line.peer.open)))
        command = line.peer.open[itt].command
        if line.session.tasks.get(itt) is not None and not self.leaving(line):
            self.hear(line, line.peer.feed(line.peer.encode(command)))

    @precondition(lambda self: self.normal)
    @rule(
        data=st.data(),
        function=st.sampled_from([1, 1, 1, 2, 2, 4, 5, 6, 7, 8, 9, 3]),
        lun=LUNS,
        immediate=st.booleans(),
    )
    def manage(self, data: Any, function: int, lun: int, immediate: bool) -> None:
        line = self.pick(data, self.normal)
        if self.leaving(line) or not (immediate or self.has_room(line)):
            return
        if function == TaskFunction.TARGET_COLD_RESET and data.draw(st.integers(0, 3)):
            return
        commands = [sent.command for sent in line.peer.open.values()]
        commands = [command for command in commands if command not in line.stash]
        # By default a command that was never given, so that none is taken for lost.
        fields: dict[str, Any] = {
            "referenced_task_tag": 12345,
            "ref_cmd_sn": self.numbers[line.session][0],
        }
        if commands and function == TaskFunction.ABORT_TASK:
            command = data.draw(st.sampled_from(commands))
            fields = {"referenced_task_tag": command.itt, "ref_cmd_sn": command.cmd_sn}
        pdu = self.number(
            line, TaskManagementRequest, function=function, lun=lun, immediate=immediate, **fields
        )
        line.functions[pdu.itt] = pdu
        answers = self.send(line, pdu)
        if any(isinstance(answer, Reject) for answer in answers):
            line.functions.pop(pdu.itt, None)

    @rule(lazy=st.booleans(), slow=st.booleans(), tells=st.booleans())
    def change_the_pace(self, lazy: bool, slow: bool, tells: bool) -> None:
        self.gate.units.tells = tells
        self.gate.disk.lazy = lazy
        self.gate.disk.slow_to_let_go = slow

    @precondition(lambda self: self.gate.disk.in_hand)
    @rule()
    def work(self) -> None:
        self.gate.disk.work()

    @precondition(lambda self: self.gate.disk.dying)
    @rule()
    def let_go(self) -> None:
        self.gate.disk.let_go()


class Logins(Conversations):
    """Logins alone, in all their ways."""

    negotiate = ping = answer_pings = send_what_nobody_knows = None  # type: ignore[assignment]


class Texts(Conversations):
    """One session, and texts."""

    log_in = log_in_oddly = connect_and_say_nothing = lose = None  # type: ignore[assignment]
    ask_for_logout = log_out = send_a_pdu_that_has_no_place = None  # type: ignore[assignment]
    send_what_nobody_knows = None  # type: ignore[assignment]


class Transfers(Commands):
    """Commands alone."""

    change_the_pace = None  # type: ignore[assignment]

    log_in_oddly = connect_and_say_nothing = lose = ask_for_logout = None  # type: ignore[assignment]
    negotiate = log_out = ping = send_what_nobody_knows = None  # type: ignore[assignment]
    pass_time = send_a_pdu_that_has_no_place = None  # type: ignore[assignment]


class Endings(Commands):
    """How sessions, connections and commands end, with commands that do not want to."""

    fewest = 0
    log_in_oddly = connect_and_say_nothing = negotiate = ping = None  # type: ignore[assignment]
    fail = retry = send_burst = send_what_nobody_knows = None  # type: ignore[assignment]

    begin_with_a_session = None  # type: ignore[assignment]
    rarely = st.just(True)

    @initialize(keys=OPERATIONAL_KEYS, others=st.integers(0, 2), count=st.integers(0, 3))
    def begin_with_commands_in_hand(self, keys: Any, others: int, count: int) -> None:
        self.gate.disk.lazy = self.gate.disk.slow_to_let_go = True
        first = self.start({**keys, "MaxConnections": "3"})
        for cid in range(1, others + 1):
            fields = {"isid": ISID, "tsih": first.session.tsih, "cid": cid, "cmd_sn": 5}
            line = Line(connect(self.gate, now=self.now), request=fields)
            self.lines.append(line)
            self.step(line, leading_keys(), transit=cid == 1, nsg=3 if cid == 1 else 0)
        for line in self.full:
            for _ in range(count):
                read = self.number(line, ScsiCommand, read=True, cdb=cdb(READ, 0, SLOT))
                read.expected_data_transfer_length = SLOT
                line.doing[read.itt] = Doing(0, allowed=None)
                self.send(line, read)


def _run(machine: type[RuleBasedStateMachine], examples: int) -> type:
    """The test case of a machine, with the transitions of tasks and transfers counted."""
    case = machine.TestCase
    effort = settings(max_examples=examples, stateful_step_count=50, deadline=None)

    def run(self: Any) -> None:
        with counting():
            super(counted, self).runTest()

    counted = type(f"Test{machine.__name__}", (case,), {"runTest": run, "settings": effort})
    return counted


TestConversations = _run(Conversations, 25)
TestLogins = _run(Logins, 40)
TestTexts = _run(Texts, 30)
TestCommands = _run(Commands, 35)
TestTransfers = _run(Transfers, 40)
TestEndings = _run(Endings, 60)

# The same for longer: what is rare is found by many runs, or by one of these.
TestManyConversations = pytest.mark.slow(_run(Conversations, 60))
TestManyLogins = pytest.mark.slow(_run(Logins, 80))
TestManyTexts = pytest.mark.slow(_run(Texts, 70))
TestManyCommands = pytest.mark.slow(_run(Commands, 80))
TestManyTransfers = pytest.mark.slow(_run(Transfers, 80))
TestManyEndings = pytest.mark.slow(_run(Endings, 150))
