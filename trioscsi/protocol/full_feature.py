"""Full feature phase: each PDU in its place (RFC 7143 sections 4.2.2.1, 7.3, 7.7 and 7.8).

Which PDU is heard at all is the table of `trioscsi.machines.full_feature`; what hearing it means
is in the module of its noun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trioscsi.errors import PeerError
from trioscsi.machines import full_feature as machine
from trioscsi.machines.full_feature import Effect
from trioscsi.pdu import (
    CLASSES,
    NO_TASK,
    BadDigest,
    DataOut,
    LoginRequest,
    LogoutRequest,
    Malformed,
    NopOut,
    Received,
    Reject,
    RejectReason,
    ScsiCommand,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.protocol.answers import Answers
from trioscsi.protocol.exchange import TextExchange
from trioscsi.protocol.keepalive import Keepalive
from trioscsi.protocol.logout import Logout
from trioscsi.protocol.management import TaskManagement
from trioscsi.protocol.notices import Notices
from trioscsi.protocol.numbering import IGNORED, IN_ORDER, Arrival
from trioscsi.protocol.tasks import Task
from trioscsi.protocol.view import EVERYTHING
from trioscsi.protocol.writes import Writes
from trioscsi.serial import less

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection
    from trioscsi.protocol.session import Session

_inputs: Any = machine.machine.start
_CAUSES: dict[type, Callable[[machine.Inputs], tuple[Any, ...]]] = {
    ScsiCommand: _inputs.command,
    TaskManagementRequest: _inputs.task_management,
    DataOut: _inputs.data_out,
    TextRequest: _inputs.text,
    LogoutRequest: _inputs.logout,
    NopOut: _inputs.nop_out,
    SnackRequest: _inputs.snack,
    LoginRequest: _inputs.login,
}


class FullFeature:
    """What a connection does with the PDUs that follow its login."""

    def __init__(self, connection: TargetConnection, session: Session) -> None:
        self.connection = connection
        self.session = session
        self.machine = machine.machine.start(connection.watcher)
        self._late_header = b""
        """The header of a request that waited for its turn, while it is handled."""
        self.answers = Answers(connection, session)
        self.writes = Writes(self, session)
        self.logout = Logout(self, session)
        self.management = TaskManagement(self, session)
        self.texts = TextExchange(self, session)
        self.keepalive = Keepalive(connection)
        self.notices = Notices(connection, session)
        if session.normal:
            self.machine.entered_normal()
        else:
            self.machine.entered_discovery()

    def hear(self, received: Received) -> None:
        """Handle whatever the framer found."""
        cause = _CAUSES.get(type(received))
        if cause is not None:
            self.keepalive.last_heard = self.connection.now
            for effect in cause(self.machine):
                _EFFECTS[effect](self, received)
        elif isinstance(received, BadDigest):
            self.reject(RejectReason.DATA_DIGEST_ERROR, "the data digest does not match")
            if isinstance(received.pdu, DataOut):
                self.writes.hear_spoiled(received.pdu)
        elif isinstance(received, Malformed):
            self.reject(RejectReason.INVALID_PDU_FIELD, str(received.error))
        else:
            for effect in self.machine.unknown():
                _EFFECTS[effect](self, received)

    def hear_before(self, command: ScsiCommand, length: int) -> None:
        """Handle a command with so many bytes of immediate data that are still to come."""
        self.keepalive.last_heard = self.connection.now
        self.machine.command()
        self._hear_command(command, length)

    def broken(self, error: PeerError) -> None:
        """The stream cannot be followed any more: with no header digest to go by, it ends."""
        if error.answer is not None:
            self.reject(RejectReason(error.answer), str(error))
        self.connection.drop(str(error))

    def reject(self, reason: RejectReason, why: str) -> None:
        """Send back the header of the PDU that is being handled (section 11.17)."""
        header = self._late_header or self.connection.framer.last_header
        error = PeerError(why, section="11.17", answer=reason, subject=_name_of(header))
        error.stage = "full feature phase"
        self.connection.remarks.append(error)
        self.connection.send_status(Reject(reason=reason, data=header))

    def ended(self) -> None:
        """The connection is closed."""
        self.logout.abandon()
        self.texts.abandon()

    def in_order(
        self,
        pdu: TaskManagementRequest | TextRequest | LogoutRequest | NopOut,
        deliver: Callable[[], None],
    ) -> None:
        """Call ``deliver`` when it is the turn of this request (section 4.2.2.1).

        What is not the next one, nor early, was sent twice or outside the window: it is ignored.
        """
        if pdu.immediate:
            deliver()
            return
        order = self.session.order
        match order.admit(pdu.cmd_sn):
            case Arrival.IN_ORDER:
                order.advance(deliver)
            case Arrival.EARLY:
                if isinstance(pdu, (TextRequest, NopOut)):
                    pdu.data = bytes(pdu.data)  # it has to outlive the buffer it came in
                header = self.connection.framer.last_header
                order.hold(pdu.cmd_sn, lambda: self._deliver_late(deliver, header))
            case Arrival.IGNORED:
                pass

    def _deliver_late(self, deliver: Callable[[], None], header: bytes) -> None:
        """The turn of a request has come, unless its connection has begun to end meanwhile."""
        if self.connection.full_feature and self.machine.state != machine.LEAVING.name:
            self._late_header = header
            deliver()
            self._late_header = b""

    def _hear_command(self, pdu: ScsiCommand, to_come: int = 0) -> None:
        session = self.session
        tasks, order = session.tasks, session.order
        known = tasks.by_itt.get(pdu.itt)
        if known is not None:
            if known.cmd_sn != pdu.cmd_sn or pdu.immediate:
                self.reject(RejectReason.TASK_IN_PROGRESS, "a command with the tag of another")
            return  # a retry of a command that is under way (section 7.2.1)
        if pdu.itt == NO_TASK:
            self.reject(RejectReason.INVALID_PDU_FIELD, "a command with the reserved tag")
            return
        arrival = IN_ORDER
        if not pdu.immediate:
            arrival = order.admit(pdu.cmd_sn)
            if arrival is IGNORED:
                return
        elif tasks.immediate >= session.node.limits.immediate_tasks and self._has_immediate():
            self.reject(RejectReason.IMMEDIATE_COMMAND_REJECT, "too many immediate commands")
            return
        task = _task(self.connection, session, pdu)
        if to_come:
            self.writes.begin_before(task, pdu, to_come)
        elif pdu.data or not pdu.final:
            self.writes.begin(task, pdu)
        tasks.add(task)
        if pdu.immediate:
            task.machine.arrived_in_order()
            self._deliver(task)
        elif arrival is IN_ORDER:
            task.machine.arrived_in_order()
            order.count_command()
            task.counted = True
            self._deliver(task)
            if order.early:
                order.catch_up()
        else:
            task.own_data()
            task.machine.arrived_early()
            order.hold(pdu.cmd_sn, lambda: self._deliver_held(task))

    def _has_immediate(self) -> bool:
        """Whether an immediate command is under way here: one of each connection is always heard.

        (Section 4.2.2.1.)
        """
        return any(
            task.immediate and task.connection is self.connection for task in self.session.tasks
        )

    def _deliver_held(self, task: Task) -> None:
        if not task.over:
            task.machine.turn_came()
            self.session.order.occupy()
            task.counted = True
            self._deliver(task)

    def _deliver(self, task: Task) -> None:
        if task.incoming is not None and task.incoming.fault is not None:
            self.writes.fail(task)
        else:
            task.in_hand = True
            self.session.node.events.append(task)

    def _hear_task_management(self, pdu: TaskManagementRequest) -> None:
        self.in_order(pdu, lambda: self.management.hear(pdu))

    def _hear_data(self, pdu: DataOut) -> None:
        self.writes.hear(pdu)

    def _hear_text(self, pdu: TextRequest) -> None:
        self.in_order(pdu, lambda: self.texts.hear(pdu))

    def _hear_logout(self, pdu: LogoutRequest) -> None:
        self.in_order(pdu, lambda: self.logout.hear(pdu))

    def _hear_nop(self, pdu: NopOut) -> None:
        self.in_order(pdu, lambda: self.keepalive.hear(pdu))

    def _hear_snack(self, pdu: SnackRequest) -> None:
        """Error recovery level 0 keeps nothing to send again (section 11.16)."""
        if pdu.type == SnackType.DATA_ACK:
            self.reject(RejectReason.INVALID_DATA_ACK, "no Data-In asked to be acknowledged")
        elif self._may_be_missing(pdu):
            self.reject(RejectReason.SNACK_REJECT, "SNACK without error recovery")
        else:
            self.reject(
                RejectReason.PROTOCOL_ERROR, "a SNACK for what was not sent, or is acknowledged"
            )

    def _may_be_missing(self, pdu: SnackRequest) -> bool:
        """Whether what a SNACK asks for was sent, and may not have come.

        Data go out at once, together with their status: of a command that is under way there are
        none.  Of one that has ended nothing is known.
        """
        if pdu.type == SnackType.STATUS:
            first = pdu.beg_run if pdu.beg_run or pdu.run_length else pdu.exp_stat_sn
            return not less(first, pdu.exp_stat_sn) and less(first, self.connection.stat_sn)
        task = self.session.tasks.get(pdu.itt)
        return task is None or task.data_sn > 0

    def _ignore(self, pdu: object) -> None:
        """Drop a PDU that the initiator sent before it could know better."""

    def _reject_protocol_error(self, pdu: object) -> None:
        self.reject(RejectReason.PROTOCOL_ERROR, f"{type(pdu).__name__} has no place here")

    def _reject_waiting(self, pdu: object) -> None:
        self.reject(RejectReason.WAITING_FOR_LOGOUT, "a new command after a logout was asked for")

    def _reject_unsupported(self, pdu: object) -> None:
        self.reject(RejectReason.COMMAND_NOT_SUPPORTED, "an opcode that no initiator sends")

    def _drop(self, pdu: object) -> None:
        self.connection.drop("a Login Request in full feature phase (RFC 7143 section 4.2.4)")


def _name_of(header: bytes) -> str:
    """What a PDU is called whose header this is."""
    cls = CLASSES.get(header[0] & OPCODE_BITS)
    return f"opcode 0x{header[0] & OPCODE_BITS:02x}" if cls is None else cls.__name__


def _task(connection: TargetConnection, session: Session, pdu: ScsiCommand) -> Task:
    """The task that a SCSI Command PDU begins.

    A command that reads and writes says its read length in an additional header segment; in any
    other, the Expected Data Transfer Length is of the one direction (section 11.3.4).
    """
    length = pdu.expected_data_transfer_length
    return Task(
        connection,
        pdu.lun if session.view is EVERYTHING else session.view.inward(pdu.lun),
        pdu.itt,
        pdu.cmd_sn,
        pdu.immediate,
        pdu.attributes,
        pdu.cdb,
        length if pdu.write else 0,
        (pdu.bidirectional_read_length or 0 if pdu.write else length) if pdu.read else 0,
        b"",
    )


_EFFECTS: dict[Any, Callable[[FullFeature, Any], None]] = {
    Effect.HEAR_COMMAND: FullFeature._hear_command,
    Effect.HEAR_TASK_MANAGEMENT: FullFeature._hear_task_management,
    Effect.HEAR_DATA: FullFeature._hear_data,
    Effect.HEAR_TEXT: FullFeature._hear_text,
    Effect.HEAR_LOGOUT: FullFeature._hear_logout,
    Effect.HEAR_NOP: FullFeature._hear_nop,
    Effect.HEAR_SNACK: FullFeature._hear_snack,
    Effect.IGNORE: FullFeature._ignore,
    Effect.REJECT_PROTOCOL_ERROR: FullFeature._reject_protocol_error,
    Effect.REJECT_WAITING_FOR_LOGOUT: FullFeature._reject_waiting,
    Effect.REJECT_UNSUPPORTED: FullFeature._reject_unsupported,
    Effect.DROP_CONNECTION: FullFeature._drop,
}
