"""Full feature phase at the initiator: each PDU in its place (RFC 7143 chapters 4, 7 and 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from trioscsi.errors import PeerError
from trioscsi.initiator.events import LoggedIn, Refused
from trioscsi.initiator.logout import Logout
from trioscsi.initiator.management import ADDED_LEVEL, TaskManagement
from trioscsi.initiator.notices import Notices
from trioscsi.initiator.numbering import carries_status
from trioscsi.initiator.pings import Pings
from trioscsi.initiator.reception import Reception, rewind
from trioscsi.initiator.requests import (
    LogoutWish,
    Management,
    Ping,
    Request,
    Task,
    TextWish,
)
from trioscsi.initiator.retries import Retries
from trioscsi.initiator.rules import Rule
from trioscsi.initiator.texts import Texts
from trioscsi.initiator.transfers import (
    data_outs,
    segment,
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
_SNACK_TYPE = 0x0F
_ITT = slice(16, 20)
_CMD_SN = slice(24, 28)
_NEGOTIATION_RESET = 0x0B
"""A reason to reject that targets may not use any more (section 11.17.1)."""


class FullFeature:
    """What a connection says and hears after its login."""

    def __init__(self, connection: InitiatorConnection) -> None:
        self.connection = connection
        self.session: InitiatorSession = connection.session
        self.reception = Reception(self)
        self.retries = Retries(self)
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
        connection, rules = self.connection, self.session.rules
        parameters = connection.parameters
        with_command, first = unsolicited(task, parameters, rules)
        both = bool(task.expected_in and task.data_out)
        task.solicited = first
        self.reception.begin(task)
        command = ScsiCommand(
            final=first == with_command,
            read=bool(task.expected_in),
            write=bool(task.data_out),
            attributes=task.attributes,
            priority=task.priority if parameters.protocol_level >= ADDED_LEVEL else 0,
            lun=task.lun,
            expected_data_transfer_length=len(task.data_out) or task.expected_in,
            cdb=task.cdb,
            bidirectional_read_length=task.expected_in if both else None,
            data=memoryview(task.data_out)[:with_command],
        )
        burst = data_outs(task, NO_TASK, 0, with_command, first, segment(parameters, rules))
        self.retries.send(task, self.number(command, task, cmd_sn), *burst)

    def retry(self, task: Task) -> None:
        """Send a command of another connection as it was sent there, and have all of its data."""
        rewind(task)
        task.retries = 0
        self.reception.begin(task)
        self.retries.send(task, *task.sent)

    def send_data(self, pdu: Any) -> None:
        """Send a PDU that has ExpStatSN and no CmdSN."""
        pdu.exp_stat_sn = self.connection.statuses.acknowledged
        self.connection.send(pdu)

    # Hearing.

    def hear(self, received: Received) -> None:
        """Handle whatever the framer found."""
        connection, rules = self.connection, self.session.rules
        try:
            if isinstance(received, Malformed):
                if not rules.keep(Rule.WELL_FORMED):
                    return
                raise received.error
            if isinstance(received, BadDigest):
                whole = self.reception.take_damaged(received.pdu)
                if whole is None:
                    return
                received = whole
            handler = self._handlers.get(type(received))
            name = type(received).__name__
            known = handler is not None
            rules.insist(Rule.KNOWN_OPCODES, known, f"a {name} in full feature phase", "11.2.1.2")
            self.pings.last_heard = connection.now
            if handler is not None:
                self._hear(handler, received)
        except PeerError as error:
            error.stage = error.stage or "full feature phase"
            connection.broken(error)

    def _hear(self, handler: Callable[[FullFeature, Any], None], pdu: Any) -> None:
        session = self.session
        session.numbers.learn(pdu.exp_cmd_sn, pdu.max_cmd_sn)
        new = not carries_status(pdu) or self.connection.statuses.take(pdu.stat_sn)
        if new or self.reception.wants_again(pdu):
            handler(self, pdu)
        self.reception.look()
        session.flush()
        self.texts.look()
        self.logout.look()

    def request(self, itt: int, kind: type[_R], what: str) -> _R | None:
        """The request that a PDU answers; None if nothing has this tag, any more or at all.

        Raises PeerError if it answers something else, or came by another connection than it has to
        (sections 4.2.5.1 and 4.2.5.3).
        """
        session = self.session
        request = session.requests.get(itt)
        if request is None:
            wanted = itt in session.abandoned
            keeps = session.rules.keep(Rule.LATE_RESPONSES if wanted else Rule.STRAYS_DISCARDED)
            stray = PeerError(
                f"{what} with task tag {itt:#x}, which nothing has", section="4.2.5.3"
            )
            if not keeps:
                raise stray
            if not wanted:
                self.connection.remark(stray)
            return None
        if not isinstance(request, kind):
            raise PeerError(f"{what} for a {type(request).__name__}", section="4.2.5.3")
        here = request.connection is self.connection
        elsewhere = f"{what} for a request of another connection"
        session.rules.insist(Rule.OWN_CONNECTION, here, elsewhere, "4.2.5.1")
        return request

    def _hear_data(self, pdu: DataIn) -> None:
        self.reception.take_data_in(pdu)

    def _hear_response(self, pdu: ScsiResponse) -> None:
        self.reception.take_response(pdu)

    def _hear_r2t(self, pdu: ReadyToTransfer) -> None:
        self.reception.take_r2t(pdu)

    def _hear_text(self, pdu: TextResponse) -> None:
        self.texts.hear(pdu)

    def _hear_logout(self, pdu: LogoutResponse) -> None:
        self.logout.hear(pdu)

    def _hear_management(self, pdu: TaskManagementResponse) -> None:
        self.management.hear(pdu)

    def _hear_nop(self, pdu: NopIn) -> None:
        self.reception.take_nop_in(pdu)
        if pdu.itt == NO_TASK:
            self.pings.answer(pdu)
            return
        one = pdu.ttt == NO_TASK
        self.session.rules.insist(Rule.PING_TAGS, one, "a NOP-In with both tags", "7.7")
        ping = self.request(pdu.itt, Ping, "a NOP-In")
        if ping is not None:
            ping.answer = bytes(pdu.data)
            self.session.end(ping)

    def _hear_notice(self, pdu: AsyncMessage) -> None:
        self.notices.hear(pdu)

    def _hear_reject(self, pdu: Reject) -> None:
        """What was refused has come to nothing (section 11.17)."""
        pdu.data = header = bytes(pdu.data)
        self.session.events.append(Refused(pdu))
        if len(header) < _CMD_SN.stop:
            raise PeerError("a Reject without the header that it refuses", section="11.17.4")
        reset = pdu.reason == _NEGOTIATION_RESET
        rules = self.session.rules
        rules.insist(Rule.DEPRECATED_RESET, not reset, "a negotiation is reset", "11.17.1")
        opcode = header[0] & OPCODE_BITS
        if opcode == SnackRequest.opcode:
            self.reception.refuse(header[1] & _SNACK_TYPE, int.from_bytes(header[_ITT]))
            return
        request = self.session.requests.get(int.from_bytes(header[_ITT]))
        if request is None or request.connection is not self.connection:
            return
        if not rules.keep(Rule.REJECT_ENDS):
            return
        if opcode != _OPCODES.get(type(request)) and rules.keep(Rule.REJECT_OF_PART):
            return  # a PDU that belongs to a request, not the request: status will tell
        if isinstance(request, Task) and pdu.reason == RejectReason.TASK_IN_PROGRESS:
            return  # the one that is under way goes on
        cmd_sn = int.from_bytes(header[_CMD_SN])
        skipped = not header[0] & _IMMEDIATE and not less(cmd_sn, self.session.numbers.expected)
        damaged = pdu.reason == RejectReason.DATA_DIGEST_ERROR
        again = damaged and skipped and rules.keep(Rule.PLUGGED_GAPS)
        if isinstance(request, Task) and again and request.retries < _RETRIES:
            request.retries += 1
            self._start_task(request, cmd_sn)
            return
        self.session.end(request, f"rejected: {reason_name(pdu.reason)}")
        if skipped and rules.keep(Rule.PLUGGED_GAPS):
            self.plug(cmd_sn)

    def plug(self, cmd_sn: int) -> None:
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
