"""What a listener knows: connections, sessions and tasks, as far as the PDUs tell.

The monitors look at it before the PDU at hand is noted, so that they see what its sender knew.
Everything in it is bounded, whatever the two sides send.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Any

import attrs

from trioscsi.conformance.dialogue import Dialogue, Said
from trioscsi.conformance.stream import bare
from trioscsi.errors import PeerError
from trioscsi.limits import LOGIN_SEGMENT, Limits
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    LoginRequest,
    LogoutReason,
    LogoutRequest,
    ReadyToTransfer,
    ScsiCommand,
)
from trioscsi.serial import less
from trioscsi.text import Collector, Parameters, Side, Stage

TAGS_KEPT = 65_536
"""Requests of one session that are remembered while they are not answered."""
ENDED_KEPT = 1024
"""Tasks of one connection that are remembered after their end, and NOP-Ins that wait."""
_COLLECTED = Limits(text=1 << 20, keys=4096)
"""What is collected of one text over C bits; longer ones are not read."""


class Phase(enum.Enum):
    """How far a connection is."""

    START = "nothing was sent"
    LOGIN = "the login is under way"
    REFUSED = "the target has refused the login"
    FULL_FEATURE = "requests are heard"
    LOGOUT = "the initiator has asked to end it"
    CLOSED = "one side has closed it"


@attrs.define(eq=False)
class Burst:
    """A sequence of Data-Out PDUs: unsolicited, or the answer to one R2T."""

    start: int
    end: int
    lun: int
    position: int = attrs.field(default=attrs.Factory(lambda self: self.start, takes_self=True))
    data_sn: int = 0


@attrs.define(eq=False)
class Request:
    """A request that is not answered; its tag may not be used for another."""

    pdu: Any
    """Without its data."""
    connection: int
    number: int
    ping_data: bytes = b""


@attrs.define(eq=False)
class Task(Request):
    """A SCSI command."""

    immediate_data: int = 0
    unsolicited: Burst | None = None
    r2ts: dict[int, Burst] = attrs.field(factory=dict)
    """By Target Transfer Tag, in the order in which they were sent."""
    solicited: int = 0
    """Up to where data has come unasked or was asked for."""
    sequence_number: int = 0
    """The DataSN or R2TSN that comes next from the target."""
    data_ins: int = 0
    """How many Data-In there were, and how many bytes they brought."""
    received: int = 0
    sequence: int = 0
    """Bytes of the present Data-In sequence."""
    in_sequence: bool = False
    """Whether the last Data-In had no F bit."""
    recovers: bool = False
    """Whether some of it comes once more (section 7.2): its numbers are not certain."""

    @property
    def expected_out(self) -> int:
        return int(self.pdu.expected_data_transfer_length) if self.pdu.write else 0

    @property
    def expected_in(self) -> int:
        if not self.pdu.read:
            return 0
        if self.pdu.write:
            return self.pdu.bidirectional_read_length or 0
        return int(self.pdu.expected_data_transfer_length)


@attrs.define(eq=False)
class Session:
    """What all connections of one session share."""

    isid: bytes
    name: str
    tsih: int = 0
    discovery: bool = False
    parameters: Parameters = attrs.field(factory=Parameters)
    """What was agreed in its leading login."""
    connections: dict[int, int] = attrs.field(factory=dict)
    """The number of each connection, by its CID."""
    several: bool = False
    """Whether it ever had two connections: their PDUs have no certain order then."""
    cmd_sn: int = 0
    """The CmdSN of the next command that is not immediate."""
    max_cmd_sn: int | None = None
    tags: dict[int, Request] = attrs.field(factory=dict)
    orphans: dict[int, Task] = attrs.field(factory=dict)
    """Tasks of connections that are over, by their tags: they may be reassigned (section 7.2.2)."""
    retriable: deque[tuple[int, int]] = attrs.field(factory=lambda: deque(maxlen=ENDED_KEPT))
    """Tag and CmdSN of commands that the target has rejected: they may be sent again."""
    doubtful: bool = False
    """Whether the initiator broke a rule that the record relies on: what the target owes to its
    commands is not certain any more."""

    def begin(self, request: Request) -> None:
        """A request is under way; of those beyond the bound nothing is known."""
        if len(self.tags) < TAGS_KEPT:
            self.tags[request.pdu.itt] = request

    def tasks(self, lun: int | None = None) -> list[Task]:
        """The SCSI commands under way, at one unit or at all."""
        return [
            task
            for task in self.tags.values()
            if isinstance(task, Task) and lun in (None, task.pdu.lun)
        ]


@attrs.define(eq=False)
class Connection:
    """One connection, and how far it is."""

    number: int
    phase: Phase = Phase.START
    session: Session | None = None
    parameters: Parameters = attrs.field(factory=Parameters)
    first_login: LoginRequest | None = None
    version_max: int | None = None
    """What the first Login Response has said."""
    hasty: bool = False
    """Whether the initiator did not wait for the answers of its login or text negotiation: what
    the target owes to it is not certain any more."""
    request: Any = None
    """The Login or Text Request that was sent last."""
    unanswered: int = 0
    """How many of them wait for their response."""
    cmd_sn: int | None = None
    """The last CmdSN that was not an immediate request's."""
    stat_sn: int | None = None
    """The StatSN of the next status."""
    exp_stat_sn: int | None = None
    asked_again: bool = False
    """Whether the initiator has asked for anything once more (section 11.16)."""
    jumped: bool = False
    """Whether StatSN went so far that it is not known any more what is before what."""
    exp_cmd_sn: int | None = None
    max_cmd_sn: int | None = None
    dialogue: Dialogue = attrs.field(factory=Dialogue)
    collectors: dict[Side, Collector] = attrs.field(factory=dict)
    said: list[Said] = attrs.field(factory=list)
    """The keys of the text that has become whole with the PDU at hand."""
    text_fault: PeerError | None = None
    """What is wrong with that text."""
    asked_for_part: bool = False
    """Whether the last response was a part of a text (C bit): the next request is empty."""
    asked_to_negotiate: bool = False
    """Whether the target has asked for a text negotiation, and none has begun since."""
    text: Any = None
    """The first request of the text negotiation under way."""
    text_ttt: int = NO_TASK
    text_lun: int = 0
    pings: dict[int, int] = attrs.field(factory=dict)
    """The unit of each NOP-In that wants an answer, by its Target Transfer Tag."""
    ended: dict[int, int | None] = attrs.field(factory=dict)
    """The StatSN with which each task has ended, by its tag; None: on another connection."""
    forgotten: bool = False
    """Whether tasks that have ended were forgotten for want of room."""
    segments: dict[Side, int] = attrs.field(factory=lambda: dict.fromkeys(Side, LOGIN_SEGMENT))
    """The longest data segment that each side may send."""

    @property
    def stage(self) -> Stage:
        """The stage that the text at hand belongs to."""
        if not self.logged_in and isinstance(self.request, LoginRequest):
            return Stage.SECURITY if self.request.csg == Stage.SECURITY else Stage.OPERATIONAL
        return Stage.FULL_FEATURE

    @property
    def logged_in(self) -> bool:
        return self.phase in (Phase.FULL_FEATURE, Phase.LOGOUT)

    def task(self, itt: int) -> Task | None:
        """The SCSI command with this tag, if it is under way on this connection."""
        request = None if self.session is None else self.session.tags.get(itt)
        if isinstance(request, Task) and request.connection == self.number:
            return request
        return None

    def read(self, side: Side, data: Any, more: bool) -> None:
        """Take the text of one PDU; ``said`` has its keys once the text is whole."""
        self.said, self.text_fault = [], None
        collector = self.collectors.setdefault(side, Collector(_COLLECTED))
        try:
            pairs = collector.add(data, more)
        except PeerError as error:
            self.text_fault = error
            del self.collectors[side]
            return
        if pairs is not None:
            self.said = self.dialogue.hear(side, pairs, self.stage)

    def end(self, itt: int, stat_sn: int | None) -> None:
        """A task has ended with this status."""
        self.ended[itt] = stat_sn
        if len(self.ended) > ENDED_KEPT:
            del self.ended[next(iter(self.ended))]
            self.forgotten = True


@attrs.define(eq=False)
class Record:
    """All connections of one target that were seen, with their sessions."""

    connections: dict[int, Connection] = attrs.field(factory=dict)
    sessions: dict[int, Session] = attrs.field(factory=dict)
    """By TSIH."""

    def of_logout(self, connection: Connection, pdu: LogoutRequest) -> list[Connection]:
        """The connections that a Logout Request is to end."""
        session = connection.session
        if session is None:
            return [connection]
        if pdu.reason == LogoutReason.CLOSE_SESSION:
            numbers = list(session.connections.values())
        else:
            numbers = [session.connections.get(pdu.cid, -1)]
        return [self.connections[number] for number in numbers if number in self.connections]


def instantiate(command: ScsiCommand, seen: Any, parameters: Parameters) -> Task:
    """The task that a SCSI Command begins."""
    length = len(command.data)
    task = Task(bare(command), seen.connection, seen.number, b"", length)
    task.solicited = length
    if command.write and not command.final:
        end = min(parameters.first_burst_length, command.expected_data_transfer_length)
        task.unsolicited = Burst(length, max(length, end), 0)
        task.solicited = max(length, end)
    return task


def solicit(task: Task, pdu: ReadyToTransfer) -> None:
    """Note an R2T."""
    end = pdu.buffer_offset + pdu.desired_data_transfer_length
    task.r2ts[pdu.ttt] = Burst(pdu.buffer_offset, end, pdu.lun)
    task.solicited = max(task.solicited, end)
    task.sequence_number += 1


def burst_of(task: Task, pdu: DataOut) -> Burst | None:
    """The sequence that a Data-Out belongs to, if there is such a one."""
    return task.unsolicited if pdu.ttt == NO_TASK else task.r2ts.get(pdu.ttt)


def later(first: int | None, second: int) -> int:
    """The later of two sequence numbers; None is before all."""
    return second if first is None or less(first, second) else first
