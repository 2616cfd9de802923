"""Full feature phase at the initiator: each PDU in its place (RFC 7143 chapters 4, 7 and 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from trioscsi.errors import PeerError
from trioscsi.initiator.deviations import Rule
from trioscsi.initiator.events import LoggedIn, Refused
from trioscsi.initiator.logout import Logout
from trioscsi.initiator.management import TaskManagement
from trioscsi.initiator.notices import Notices
from trioscsi.initiator.numbering import carries_status
from trioscsi.initiator.pings import Pings
from trioscsi.initiator.requests import (
    LogoutWish,
    Management,
    Ping,
    Request,
    Task,
    TextWish,
)
from trioscsi.initiator.texts import Texts
from trioscsi.initiator.transfers import (
    data_outs,
    segment,
    take_data_in,
    take_r2t,
    take_status,
    unsolicited,
)
from trioscsi.pdu import (
    NO_TASK,
    AsyncMessage,
    BadDigest,
    DataIn,
    LogoutResponse,
    Malformed,
    NopIn,
    ReadyToTransfer,
    Received,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskManagementResponse,
    TextResponse,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.serial import less

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection
    from trioscsi.initiator.session import InitiatorSession

_R = TypeVar("_R", bound=Request)
_RETRIES = 1
"""How often a command is sent again whose immediate data did not survive (section 7.3)."""
_IMMEDIATE = 0x40
_ITT = slice(16, 20)
_CMD_SN = slice(24, 28)


class FullFeature:
    """What a connection says and hears after its login."""

    def __init__(self, connection: InitiatorConnection) -> None:
        self.connection = connection
        self.session: InitiatorSession = connection.session
        self._long_sequences = False
        self.pings = Pings(connection)
        self.texts = Texts(self)
        self.logout = Logout(self)
        self.management = TaskManagement(self)
        self.notices = Notices(self)
        self.session.events.append(LoggedIn(connection))

    # Saying.

    def start(self, request: Request) -> None:
        """Send a request."""
        match request:
            case Task():
                self._start_task(request)
            case Management():
                self.management.start(request)
            case TextWish():
                self.texts.start(request)
            case LogoutWish():
                self.logout.start(request)
            case Ping():
                self.pings.start(request)

    def prepare_logout(self) -> None:
        """Transition T11 was taken: the target wants a logout."""
        self.logout.prepare()

    def number(self, pdu: Any, request: Request, cmd_sn: int | None = None) -> Any:
        """Give a PDU the numbers of a request; ``cmd_sn`` is one that was not taken before."""
        pdu = self.connection.number(pdu, immediate=request.immediate, cmd_sn=cmd_sn)
        pdu.itt = request.itt
        request.cmd_sn = pdu.cmd_sn
        return pdu

    def _start_task(self, task: Task, cmd_sn: int | None = None) -> None:
        connection, broken = self.connection, self.session.broken_rules
        parameters = connection.parameters
        with_command, first = unsolicited(task, parameters, broken)
        both = bool(task.expected_in and task.data_out)
        task.solicited = first
        command = ScsiCommand(
            final=first == with_command,
            read=bool(task.expected_in),
            write=bool(task.data_out),
            attributes=task.attributes,
            lun=task.lun,
            expected_data_transfer_length=len(task.data_out) or task.expected_in,
            cdb=task.cdb,
            bidirectional_read_length=task.expected_in if both else None,
            data=memoryview(task.data_out)[:with_command],
        )
        connection.send(self.number(command, task, cmd_sn))
        for pdu in data_outs(task, NO_TASK, 0, with_command, first, segment(parameters, broken)):
            self.send_data(pdu)

    def send_data(self, pdu: Any) -> None:
        """Send a PDU that has ExpStatSN and no CmdSN."""
        pdu.exp_stat_sn = self.connection.statuses.acknowledged
        self.connection.send(pdu)

    # Hearing.

    def hear(self, received: Received) -> None:
        """Handle whatever the framer found."""
        connection = self.connection
        try:
            if isinstance(received, Malformed):
                raise received.error
            if isinstance(received, BadDigest):
                # At error recovery level 0 nothing can be asked for again (section 7.8).
                raise PeerError("a data digest does not match its data", section="7.8")
            handler = self._handlers.get(type(received))
            if handler is None:
                name = type(received).__name__
                raise PeerError(f"a {name} in full feature phase", section="11.2.1.2")
            self.pings.last_heard = connection.now
            self._hear(handler, received)
        except PeerError as error:
            error.stage = error.stage or "full feature phase"
            connection.broken(error)

    def _hear(self, handler: Callable[[FullFeature, Any], None], pdu: Any) -> None:
        session = self.session
        session.numbers.learn(pdu.exp_cmd_sn, pdu.max_cmd_sn)
        new = not carries_status(pdu) or self.connection.statuses.take(pdu.stat_sn)
        of_old = isinstance(pdu, _OF_TASKS) and pdu.itt in session.terminated
        if new and not of_old:
            handler(self, pdu)
        session.flush()
        self.logout.look()

    def request(self, itt: int, kind: type[_R], what: str) -> _R:
        """The request that a PDU answers; raises PeerError if there is none of this kind."""
        request = self.session.requests.get(itt)
        if not isinstance(request, kind) or request.connection is not self.connection:
            raise PeerError(f"{what} with task tag {itt:#x}, which nothing has", section="11.2.1.8")
        return request

    def _hear_data(self, pdu: DataIn) -> None:
        task = self.request(pdu.itt, Task, "Data-In")
        parameters = self.connection.parameters
        if task.sequence + len(pdu.data) > parameters.max_burst_length:
            self._note_long_sequence()
        take_data_in(task, pdu, parameters)
        if pdu.acknowledge and self.session.keeps(Rule.ACKNOWLEDGE_DATA):
            self._acknowledge(task, pdu)
        if pdu.has_status:
            if not pdu.final:
                raise PeerError("a Data-In with status and without F", section="11.7.3")
            take_status(task, pdu)
            self.session.end(task)

    def _note_long_sequence(self) -> None:
        """Some targets (tgt) set F in the last Data-In alone, which harms nobody: say so once."""
        if not self._long_sequences:
            self._long_sequences = True
            error = PeerError("a sequence of more than MaxBurstLength", section="13.13")
            self.connection.remarks.append(error)

    def _acknowledge(self, task: Task, pdu: DataIn) -> None:
        """Say that all data up to here has come (section 11.16.2)."""
        if self.connection.parameters.error_recovery_level:
            self.send_data(
                SnackRequest(
                    type=SnackType.DATA_ACK,
                    lun=pdu.lun,
                    ttt=pdu.ttt,
                    beg_run=task.data_sn,
                )
            )

    def _hear_response(self, pdu: ScsiResponse) -> None:
        task = self.request(pdu.itt, Task, "a SCSI Response")
        take_status(task, pdu)
        self.session.end(task)

    def _hear_r2t(self, pdu: ReadyToTransfer) -> None:
        task = self.request(pdu.itt, Task, "an R2T")
        parameters = self.connection.parameters
        start, end = take_r2t(task, pdu, parameters)
        if task.silent:
            return
        size = segment(parameters, self.session.broken_rules)
        for data_out in data_outs(task, pdu.ttt, pdu.lun, start, end, size):
            self.send_data(data_out)

    def _hear_text(self, pdu: TextResponse) -> None:
        self.texts.hear(pdu)

    def _hear_logout(self, pdu: LogoutResponse) -> None:
        self.logout.hear(pdu)

    def _hear_management(self, pdu: TaskManagementResponse) -> None:
        self.management.hear(pdu)

    def _hear_nop(self, pdu: NopIn) -> None:
        if pdu.itt == NO_TASK:
            self.pings.answer(pdu)
        else:
            ping = self.request(pdu.itt, Ping, "a NOP-In")
            ping.answer = bytes(pdu.data)
            self.session.end(ping)

    def _hear_notice(self, pdu: AsyncMessage) -> None:
        self.notices.hear(pdu)

    def _hear_reject(self, pdu: Reject) -> None:
        """What was refused has come to nothing (section 11.17)."""
        pdu.data = header = bytes(pdu.data)
        self.session.events.append(Refused(pdu))
        if len(header) < _CMD_SN.stop:
            raise PeerError("a Reject without the header that it refuses", section="11.17.3")
        opcode = header[0] & OPCODE_BITS
        request = self.session.requests.get(int.from_bytes(header[_ITT]))
        if request is None or request.connection is not self.connection:
            return
        if opcode != _OPCODES.get(type(request)):
            return  # a PDU that belongs to a request, not the request: status will tell
        if isinstance(request, Task) and pdu.reason == RejectReason.TASK_IN_PROGRESS:
            return  # the one that is under way goes on
        cmd_sn = int.from_bytes(header[_CMD_SN])
        skipped = not header[0] & _IMMEDIATE and not less(cmd_sn, self.session.numbers.expected)
        damaged = pdu.reason == RejectReason.DATA_DIGEST_ERROR
        if isinstance(request, Task) and damaged and skipped and request.retries < _RETRIES:
            request.retries += 1
            self._start_task(request, cmd_sn)
            return
        self.session.end(request, f"rejected: {reason_name(pdu.reason)}")
        if skipped:
            self._fill(cmd_sn)

    def _fill(self, cmd_sn: int) -> None:
        """Use a CmdSN that the target did not take (section 11.17.1).

        Otherwise it would wait for it, and with it for all that come later.
        """
        ping = Ping(connection=self.connection, itt=self.session.new_itt())
        self.session.requests[ping.itt] = ping
        self.pings.start(ping, cmd_sn)

    _handlers: dict[type, Callable[[FullFeature, Any], None]] = {
        DataIn: _hear_data,
        ScsiResponse: _hear_response,
        ReadyToTransfer: _hear_r2t,
        TextResponse: _hear_text,
        LogoutResponse: _hear_logout,
        TaskManagementResponse: _hear_management,
        NopIn: _hear_nop,
        AsyncMessage: _hear_notice,
        Reject: _hear_reject,
    }


_OF_TASKS = (DataIn, ReadyToTransfer, ScsiResponse)


def reason_name(reason: int) -> str:
    """The reason of a Reject in words."""
    known = reason in set(RejectReason)
    return RejectReason(reason).name.lower().replace("_", " ") if known else f"{reason:#04x}"


_OPCODES: dict[type[Request], int] = {
    Task: 0x01,
    Management: 0x02,
    TextWish: 0x04,
    LogoutWish: 0x06,
    Ping: 0x00,
}
