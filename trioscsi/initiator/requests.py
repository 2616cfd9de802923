"""What an initiator has asked for and waits for (RFC 7143 chapters 4 and 11).

A request is ``over`` once: when its answer has come, or when none can come any more, which ``lost``
then says in one phrase.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.initiator.gaps import Gap, Numbers
from trioscsi.pdu import NO_TASK, LogoutReason, LogoutResult, TaskFunction, TaskResult
from trioscsi.protocol.line import nobody
from trioscsi.text import Pair

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection
    from trioscsi.pdu import Buffer


@attrs.define(eq=False, kw_only=True)
class Request:
    """The common part of all requests; ``itt`` is given when it is sent."""

    itt: int = NO_TASK
    cmd_sn: int = 0
    immediate: bool = False
    connection: InitiatorConnection | None = attrs.field(default=None, repr=False)
    """Where it was sent; None: it waits for its turn."""
    over: bool = False
    lost: str = ""
    """Why there is no answer."""
    orphaned: bool = False
    """Whether that is only because its connection, or its session, is no more."""
    then: Callable[[], None] = nobody
    """What is to be done once it is over."""


@attrs.frozen
class Mark:
    """A point in the data of a command: the next DataSN, and what had come before it."""

    data_sn: int = 0
    data_ins: int = 0
    received: int = 0
    highest: int = 0


@attrs.define(eq=False, kw_only=True)
class Task(Request):
    """A SCSI command, and what came back."""

    lun: int = 0
    """The 64-bit LUN field."""
    cdb: bytes
    patience: float | None = None
    """Seconds until it is aborted; None: as the limits say."""
    data_out: Buffer = attrs.field(default=b"", repr=lambda data: f"<{len(data)} bytes>")
    expected_in: int = 0
    """Bytes that the command reads at most."""
    attributes: int = 1
    priority: int = 0
    """Sent where iSCSIProtocolLevel 2 was agreed (RFC 7144 section 5.1.1)."""
    status: int = 0
    status_qualifier: int = 0
    sense: bytes = b""
    response: int = 0
    """A ScsiResult; anything but 0 means that the target could not carry the command out."""
    data_in: memoryview = attrs.field(factory=lambda: memoryview(b""), repr=False)
    """What was read, once the task is over."""
    residual: int = 0
    """Bytes that were not transferred; negative: bytes that there was no room for."""
    read_residual: int = 0
    """The same for the read part of a bidirectional command."""
    buffer: bytearray = attrs.field(factory=bytearray, repr=False)
    received: int = 0
    """Bytes of data that have come."""
    highest: int = 0
    """Up to where data has come."""
    numbers: Numbers = attrs.field(factory=Numbers, repr=False)
    """The DataSN and R2TSN that have come: the two share one counter (section 4.2.2.4)."""
    data_ins: int = 0
    """Data-In PDUs that have come."""
    sequence: int = 0
    """Bytes of the present Data-In sequence."""
    solicited: int = 0
    """Up to where data was sent unasked or was asked for."""
    silent: bool = False
    """Whether R2Ts are left unanswered because the target ends the task (section 4.2.3.4)."""
    retries: int = 0
    sent: list[Any] = attrs.field(factory=list, repr=False)
    """What it began with, for as long as it may have to be sent again (section 7.2.1)."""
    gap: Gap | None = attrs.field(default=None, repr=False)
    """Where error recovery was agreed: what asks for data that are missing."""
    last: Any = attrs.field(default=None, repr=False)
    """The PDU with the status, if it has come before all data have."""
    awaited: tuple[int, int] | None = None
    """LUN and transfer tag of an acknowledgment that has to wait until no data are missing."""
    mark: Mark = attrs.field(factory=Mark, repr=False)
    """How far the data were acknowledged."""
    segment: int = 0
    """The MaxRecvDataSegmentLength by which the target sends the data."""
    snack_tag: int = 0
    """That of the last R-Data SNACK: the status has to have it."""
    recut: bool = False
    """Whether all data were asked for anew, and the first of them has not come yet."""
    renumbered: bool = False
    """Whether R2TSN may begin anew, as the task was reassigned."""

    def anew(self) -> Task:
        """The same command as a new task, of which nothing has been sent."""
        return Task(
            lun=self.lun,
            cdb=self.cdb,
            patience=self.patience,
            data_out=self.data_out,
            expected_in=self.expected_in,
            attributes=self.attributes,
            priority=self.priority,
            immediate=self.immediate,
        )

    @property
    def data_sn(self) -> int:
        """The first DataSN or R2TSN that has not come."""
        return self.numbers.next


@attrs.define(eq=False, kw_only=True)
class Ping(Request):
    """A NOP-Out that asks for an answer, and the data that came back."""

    data: bytes = b""
    answer: bytes = b""


@attrs.define(eq=False, kw_only=True)
class Management(Request):
    """A task management function and its result."""

    function: TaskFunction
    lun: int = 0
    about: Task | None = None
    concerned: list[Task] = attrs.field(factory=list)
    """The tasks that it ends if it succeeds."""
    reason: str = "aborted"
    """What the tasks that it ends are told."""
    result: TaskResult | int = TaskResult.REJECTED
    information: int = 0
    """The additional response information of RFC 7144."""


@attrs.define(eq=False, kw_only=True)
class LogoutWish(Request):
    """A logout and its result."""

    reason: LogoutReason
    cid: int = 0
    result: LogoutResult | int = LogoutResult.SUCCESS
    time2wait: int = 0
    """Seconds that the target wants to be left in peace."""


@attrs.define(eq=False, kw_only=True)
class TextWish(Request):
    """A text exchange: keys, and what the target said to them."""

    pairs: list[Pair] = attrs.field(factory=list)
    negotiates: bool = False
    """Whether the connection's parameters follow from it, as they do not from SendTargets."""
    answer: list[Pair] = attrs.field(factory=list)
