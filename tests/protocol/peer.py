"""An initiator in memory, which checks every number that a target sends (RFC 7143 section 4.2.2).

`Peer` speaks to a `TargetConnection`, `Gate` says which targets there are, and `Disk` executes
commands of two kinds on a bytearray::

    gate = Gate()
    peer = login(gate)
    peer.send(peer.write(0, b"data"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from tests.conformance.witness import Witness
from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.machines import Watcher
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    DataOut,
    Framer,
    LoginRequest,
    LoginResponse,
    LoginStage,
    LoginStatus,
    NopIn,
    Pdu,
    ReadyToTransfer,
    Reject,
    ScsiCommand,
    ScsiResponse,
    encode,
)
from trioscsi.protocol import (
    Event,
    Node,
    Session,
    TargetConnection,
    Task,
    TasksAborted,
    Units,
)
from trioscsi.protocol.bursts import Incoming, TransferFault
from trioscsi.protocol.view import EVERYTHING, View
from trioscsi.serial import add, less
from trioscsi.text import Offer, Parameters, SessionType
from trioscsi.text import encode as encode_text

INITIATOR = "iqn.2025-12.local.test:initiator"
TARGET = "iqn.2025-12.local.test:disk"
OTHER = "iqn.2025-12.local.test:other"
ISID = bytes.fromhex("80 00 00 00 00 01")

SECURITY = LoginStage.SECURITY_NEGOTIATION
OPERATIONAL = LoginStage.LOGIN_OPERATIONAL_NEGOTIATION
FULL_FEATURE = LoginStage.FULL_FEATURE_PHASE

READ, WRITE, BOTH, FAIL = 0xC1, 0xC2, 0xC3, 0xC4
CHECK_CONDITION = 2

Pairs = dict[str, str]


class OneUnit(Units):
    """One unit with one task set, unless a test says otherwise."""

    def __init__(self) -> None:
        self.luns = {0}
        self.shared = True
        self.tells = False
        self.pending: int | None = None
        self.cleared: list[tuple[int, Session]] = []

    def has(self, lun: int) -> bool:
        return lun in self.luns

    def shares_tasks(self, lun: int) -> bool:
        return self.shared

    def tells_of_aborts(self, lun: int) -> bool:
        return self.tells

    def clear_aca(self, lun: int, session: Session) -> None:
        self.cleared.append((lun, session))

    def attention(self, lun: int, session: Session) -> int | None:
        return self.pending


class Gate:
    """A Gatekeeper with one target, and with another that nobody may know."""

    def __init__(
        self,
        offer: Offer | None = None,
        limits: Limits | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.watcher = watcher
        self.portal_group = 1
        self.portal = "192.0.2.1:3260"
        self.moved: PeerError | None = None
        """What becomes of those who have proven themselves, if they may not stay."""
        self.view_of_all = EVERYTHING
        offer = offer or Offer()
        self.units = OneUnit()
        self.target = Node(TARGET, offer, self.limits, self.units, watcher)
        self.discovery = Node(
            "", Offer(session_type=SessionType.DISCOVERY), self.limits, watcher=watcher
        )
        self.known: list[tuple[str, list[str]]] = [(TARGET, ["192.0.2.1:3260,1"])]
        self.witness = Witness()
        self.disk = Disk(self.target)

    @property
    def nodes(self) -> tuple[Node, Node]:
        return self.target, self.discovery

    def node(self, initiator_name: str, target_name: str | None) -> Node:
        if target_name is None:
            return self.discovery
        if target_name == OTHER:
            raise PeerError(
                "not yours", section="11.13.5", answer=LoginStatus.AUTHORIZATION_FAILURE
            )
        if target_name != TARGET:
            raise PeerError("no such target", section="11.13.5", answer=LoginStatus.NOT_FOUND)
        return self.target

    def view(self, initiator_name: str, target_name: str) -> View:
        return self.view_of_all

    def proven(self, initiator_name: str, target_name: str) -> None:
        if self.moved is not None:
            raise self.moved

    def targets(self, initiator_name: str) -> list[tuple[str, list[str]]]:
        return self.known


class Disk:
    """Reads and writes a bytearray; a CDB is an operation, an offset and a length."""

    def __init__(self, node: Node, size: int = 2**20) -> None:
        self.node = node
        self.store = bytearray(size)
        self.lazy = False
        """Whether commands stay in hand until `work` is called."""
        self.slow_to_let_go = False
        """Whether aborted tasks stay in hand until `let_go` is called."""
        self.window: Callable[[Task], memoryview | None] | None = None
        """Gives the memory of a write, if data may be put there as it comes."""
        self.in_hand: list[Task] = []
        self.dying: list[Task] = []
        self.events: list[Event] = []
        """The events that are of no task."""

    def handle(self) -> None:
        """Do what the node asks for."""
        while self.node.events:
            for event in self.node.take_events():
                self._handle(event)

    def work(self) -> None:
        """Do what was put off."""
        tasks, self.in_hand = self.in_hand, []
        for task in tasks:
            self.finish(task)
        self.handle()

    def let_go(self) -> None:
        tasks, self.dying = self.dying, []
        for task in tasks:
            task.connection.release(task)
        self.handle()

    def _handle(self, event: Event) -> None:
        match event:
            case Task() as task if task.over:
                task.connection.release(task)
            case Task(incoming=Incoming(fault=TransferFault() as fault)) as task:
                answers = task.connection.answers
                answers.finish(task, b"", CHECK_CONDITION, bytes(fault.value))
            case Task(plan=None) as task:
                task.plan = "it is known"
                operation, _, length = parse(task.cdb)
                if operation == FAIL:
                    task.connection.answers.finish(task, b"", CHECK_CONDITION, b"no")
                elif operation == READ or task.connection.writes.want(task, length, self.window):
                    self._take(task)
            case Task() as task:
                self._take(task)
            case TasksAborted(tasks):
                for task in tasks:
                    self._abort(task)
            case _:
                self.events.append(event)

    def _take(self, task: Task) -> None:
        if self.lazy:
            task.own_data()
            self.in_hand.append(task)
        else:
            self.finish(task)

    def _abort(self, task: Task) -> None:
        if not task.in_hand:
            return
        if task in self.in_hand:
            self.in_hand.remove(task)
        if self.slow_to_let_go:
            self.dying.append(task)
        else:
            task.connection.release(task)

    def finish(self, task: Task) -> None:
        operation, offset, length = parse(task.cdb)
        before = self.store[offset : offset + length]
        if operation != READ:
            self.store[offset : offset + len(task.data)] = task.data
        task.connection.answers.finish(task, b"" if operation == WRITE else before)


def parse(cdb: Any) -> tuple[int, int, int]:
    return cdb[0], int.from_bytes(cdb[1:5], "big"), int.from_bytes(cdb[5:9], "big")


def cdb(operation: int, offset: int, length: int) -> bytes:
    return bytes([operation]) + offset.to_bytes(4, "big") + length.to_bytes(4, "big") + bytes(7)


@attrs.define
class Sent:
    """A command that the peer has sent and that is not answered."""

    command: ScsiCommand
    data: bytes
    """What it writes."""
    read: bytearray = attrs.field(factory=bytearray)
    data_sn: int = 0
    data_ins: int = 0
    sequence: int = 0
    """Bytes of the present Data-In sequence."""
    final: bool = True
    r2ts: list[ReadyToTransfer] = attrs.field(factory=list)
    solicited: int | None = None
    """Where the next R2T has to begin."""

    @property
    def expected_in(self) -> int:
        pdu = self.command
        if not pdu.read:
            return 0
        if pdu.write:
            return pdu.bidirectional_read_length or 0
        return pdu.expected_data_transfer_length


class Peer:
    """The initiator's end of one connection.

    Where a session has several, the caller carries CmdSN and task tags from one to the other.
    """

    def __init__(self, connection: TargetConnection, gate: Gate, cmd_sn: int = 1) -> None:
        self.connection = connection
        self.gate = gate
        self.framer = Framer(2**24 - 1)
        self.wire = gate.witness.watch(connection)
        self.parameters = Parameters()
        self.cmd_sn = cmd_sn
        self.exp_stat_sn: int | None = None
        self.exp_cmd_sn: int | None = None
        self.max_cmd_sn = 0
        self.itt = 0
        self.open: dict[int, Sent] = {}
        self.answers: dict[int, ScsiResponse | DataIn] = {}
        self.read: dict[int, bytes] = {}
        """What commands have read, when they have ended."""
        self.now = 0.0
        self.careless: set[int] = set()
        """Tags of commands whose answers are not looked at."""

    # Building.

    def new_itt(self) -> int:
        self.itt += 1
        return self.itt

    def number(self, pdu: Any) -> Any:
        """Give a request its CmdSN, and take the next one if it is not immediate."""
        pdu.cmd_sn = self.cmd_sn
        if not pdu.immediate:
            self.cmd_sn = add(self.cmd_sn)
        return pdu

    def request(self, cls: type[Pdu], **fields: Any) -> Any:
        """A request with a task tag of its own and the CmdSN that is due."""
        return self.number(cls(**{"itt": self.new_itt(), **fields}))

    def reading(self, offset: int, length: int, expected: int | None = None, **more: Any) -> Any:
        expected = length if expected is None else expected
        return self.request(
            ScsiCommand,
            read=True,
            expected_data_transfer_length=expected,
            cdb=cdb(READ, offset, length),
            **more,
        )

    def writing(self, offset: int, length: int, expected: int | None = None, **more: Any) -> Any:
        expected = length if expected is None else expected
        return self.request(
            ScsiCommand,
            write=True,
            expected_data_transfer_length=expected,
            cdb=cdb(WRITE, offset, length),
            **more,
        )

    def write(
        self, offset: int, data: bytes, *, immediate_data: int = 0, unsolicited: int = 0
    ) -> list[Pdu]:
        """A write with so much of its data at once, and so much in unsolicited Data-Outs."""
        command = self.writing(offset, len(data), data=data[:immediate_data], final=not unsolicited)
        end = immediate_data + unsolicited
        self.expect(command, data)
        outs = self.data_outs(command.itt, NO_TASK, 0, data[:end], immediate_data)
        return [command, *outs] if unsolicited else [command]

    def data_outs(
        self, itt: int, ttt: int, lun: int, data: bytes, start: int, size: int | None = None
    ) -> list[DataOut]:
        """The PDUs of a sequence that ends where ``data`` ends."""
        size = size or self.parameters.target_max_recv_data_segment_length
        offsets = list(range(start, len(data), size)) or [start]
        return [
            DataOut(
                final=offset == offsets[-1],
                lun=lun,
                itt=itt,
                ttt=ttt,
                data_sn=place,
                buffer_offset=offset,
                data=data[offset : offset + size],
            )
            for place, offset in enumerate(offsets)
        ]

    def expect(self, command: ScsiCommand, data: bytes = b"") -> None:
        """Have the answer to a command checked."""
        assert command.itt not in self.open
        self.open[command.itt] = Sent(command, data)

    # Talking.

    def encode(self, *pdus: Pdu) -> bytes:
        return b"".join(
            bytes(buffer)
            for pdu in pdus
            for buffer in encode(
                pdu,
                header_digest=self.framer.header_digest,
                data_digest=self.framer.data_digest,
            )
        )

    def send(self, *pdus: Pdu) -> list[Any]:
        """Send PDUs in one piece, let the disk work, and return the answers."""
        for pdu in pdus:
            if isinstance(pdu, ScsiCommand) and pdu.itt not in self.open:
                self.expect(pdu, bytes(pdu.data))
        return self.feed(self.encode(*pdus))

    def feed(self, *pieces: bytes) -> list[Any]:
        """Bytes arrive at the target; returns what it answers."""
        answers = []
        for piece in pieces:
            if self.connection.closed:
                break
            self.connection.receive(memoryview(bytearray(piece)))
            while self.connection.pump(self.now, 7):
                self.gate.disk.handle()
            self.gate.disk.handle()
            answers += self.receive()
        return answers

    def receive(self) -> list[Any]:
        """What the target has sent, checked."""
        self.framer.receive(b"".join(map(bytes, self.connection.take_output())))
        return list(self._pdus())

    def _pdus(self) -> Iterator[Any]:
        while (pdu := self.framer.next_pdu()) is not None:
            assert isinstance(pdu, Pdu), pdu
            if pdu.data:
                pdu.data = bytes(pdu.data)
            self._check(pdu)
            if isinstance(pdu, LoginResponse) and pdu.transit and pdu.nsg == FULL_FEATURE:
                self.parameters = self.connection.parameters
                self.framer.header_digest = self.parameters.header_digest
                self.framer.data_digest = self.parameters.data_digest
            yield pdu

    def obey(self, answers: list[Any]) -> list[Any]:
        """Send what R2Ts ask for until nothing more is asked; returns all answers."""
        todo = list(answers)
        while todo:
            pdu = todo.pop(0)
            if isinstance(pdu, ReadyToTransfer) and pdu.itt in self.open:
                more = self.send(*self.answer_r2t(pdu))
                answers = answers + more
                todo += more
        return answers

    def answer_r2t(self, r2t: ReadyToTransfer, size: int | None = None) -> list[DataOut]:
        sent = self.open[r2t.itt]
        sent.r2ts.remove(r2t)
        end = r2t.buffer_offset + r2t.desired_data_transfer_length
        return self.data_outs(r2t.itt, r2t.ttt, r2t.lun, sent.data[:end], r2t.buffer_offset, size)

    def pass_time(self, seconds: float) -> list[Any]:
        """Time passes at this connection and at the nodes."""
        self.now += seconds
        self.connection.handle_timer(self.now)
        for node in self.gate.nodes:
            node.deadlines.run(self.now)
        self.gate.disk.handle()
        return self.receive()

    def abandon(self, *itts: int) -> None:
        """Expect no answer to these commands (all by default): they were aborted."""
        for itt in itts or list(self.open):
            self.open.pop(itt, None)

    # Checking.

    def _check(self, pdu: Any) -> None:
        if isinstance(pdu, LoginResponse) and pdu.status_class:
            return
        self._check_stat_sn(pdu)
        self._check_window(pdu)
        if getattr(pdu, "itt", NO_TASK) in self.careless:
            return
        match pdu:
            case DataIn():
                self._check_data_in(pdu)
            case ReadyToTransfer():
                self._check_r2t(pdu)
            case ScsiResponse():
                self._check_response(pdu)
            case Reject():
                assert len(pdu.data) >= 48

    def _check_stat_sn(self, pdu: Any) -> None:
        """Section 4.2.2.2: each status takes a number, what is no status at most shows one."""
        if isinstance(pdu, DataIn) and not pdu.has_status:
            return
        if self.exp_stat_sn is None:
            self.exp_stat_sn = pdu.stat_sn
        assert pdu.stat_sn == self.exp_stat_sn, pdu
        is_ping = isinstance(pdu, NopIn) and pdu.itt == NO_TASK
        if not is_ping and not isinstance(pdu, ReadyToTransfer):
            self.exp_stat_sn = add(self.exp_stat_sn)

    def _check_window(self, pdu: Any) -> None:
        if self.exp_cmd_sn is not None and not isinstance(pdu, LoginResponse):
            assert not less(pdu.exp_cmd_sn, self.exp_cmd_sn), "ExpCmdSN goes back"
            assert not less(pdu.max_cmd_sn, self.max_cmd_sn), "the window shrinks"
        assert not less(pdu.max_cmd_sn, add(pdu.exp_cmd_sn, -1))
        self.exp_cmd_sn, self.max_cmd_sn = pdu.exp_cmd_sn, pdu.max_cmd_sn

    def _check_data_in(self, pdu: DataIn) -> None:
        sent = self.open[pdu.itt]
        assert pdu.data_sn == sent.data_sn
        assert pdu.buffer_offset == len(sent.read)
        assert 0 < len(pdu.data) <= self.parameters.initiator_max_recv_data_segment_length
        sent.data_sn += 1
        sent.data_ins += 1
        sent.read += pdu.data
        sent.sequence += len(pdu.data)
        assert len(sent.read) <= sent.expected_in
        assert sent.sequence <= self.parameters.max_burst_length
        sent.final = pdu.final
        if pdu.final:
            sent.sequence = 0
        if pdu.has_status:
            assert pdu.status == 0
            assert not sent.command.write
            self._ended(pdu)

    def _check_r2t(self, pdu: ReadyToTransfer) -> None:
        sent = self.open[pdu.itt]
        assert pdu.r2t_sn == sent.data_sn
        assert pdu.lun == sent.command.lun
        assert pdu.ttt != NO_TASK
        assert all(pdu.ttt != other.ttt for other in sent.r2ts)
        assert 0 < pdu.desired_data_transfer_length <= self.parameters.max_burst_length
        if sent.solicited is not None:
            assert pdu.buffer_offset == sent.solicited
        sent.solicited = pdu.buffer_offset + pdu.desired_data_transfer_length
        assert sent.solicited <= sent.command.expected_data_transfer_length
        sent.data_sn += 1
        sent.r2ts.append(pdu)
        assert len(sent.r2ts) <= self.parameters.max_outstanding_r2t

    def _check_response(self, pdu: ScsiResponse) -> None:
        sent = self.open[pdu.itt]
        assert pdu.exp_data_sn == sent.data_ins
        assert not (pdu.overflow and pdu.underflow)
        assert bool(pdu.residual_count) == (pdu.overflow or pdu.underflow)
        self._ended(pdu)

    def _ended(self, pdu: DataIn | ScsiResponse) -> None:
        sent = self.open.pop(pdu.itt)
        assert sent.final, "the last Data-In ends its sequence"
        assert not sent.r2ts, "status comes after the data that was asked for"
        self.answers[pdu.itt] = pdu
        self.read[pdu.itt] = bytes(sent.read)


def connect(gate: Gate, *, now: float = 0.0, cmd_sn: int = 1) -> Peer:
    """A transport connection on which nothing was said."""
    connection = TargetConnection(gate, gate.limits, now=now, watcher=gate.watcher)
    peer = Peer(connection, gate, cmd_sn)
    peer.now = now
    return peer


def leading_keys(discovery: bool = False, **keys: str) -> Pairs:
    """The keys of a first Login Request."""
    whom = {"SessionType": "Discovery"} if discovery else {"TargetName": TARGET}
    return {"InitiatorName": INITIATOR, **whom, **keys}


def login_request(keys: Pairs | None = None, **fields: Any) -> LoginRequest:
    """A Login Request that goes straight to full feature phase, where nothing else is said."""
    fields = {
        "transit": True,
        "csg": OPERATIONAL,
        "nsg": FULL_FEATURE,
        "isid": ISID,
        "cmd_sn": 1,
        "data": encode_text((keys or {}).items()),
        **fields,
    }
    return LoginRequest(**fields)


def login(
    gate: Gate,
    *,
    discovery: bool = False,
    now: float = 0.0,
    cmd_sn: int = 1,
    keys: Pairs | None = None,
    **fields: Any,
) -> Peer:
    """A connection in full feature phase."""
    peer = connect(gate, now=now, cmd_sn=cmd_sn)
    request = login_request(leading_keys(discovery, **(keys or {})), cmd_sn=cmd_sn, **fields)
    response = peer.send(request)[0]
    assert response.status_class == 0, response
    assert peer.connection.full_feature
    return peer


def status(response: LoginResponse) -> LoginStatus:
    """Class and detail of a Login Response."""
    return LoginStatus(response.status_class << 8 | response.status_detail)
