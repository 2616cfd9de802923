"""A connection at the initiator, without its socket (RFC 7143 sections 4.2.4 and 8.1).

The driver opens the transport and says so (`connected`), hands over what it received (`receive`,
then `pump`), sends what `take_output` gives, and says what time it is (`next_deadline`,
`handle_timer`).  Between these calls it takes the events of the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.errors import DamagedHeader, PeerError
from trioscsi.initiator.events import ConnectionLost
from trioscsi.initiator.full_feature import FullFeature
from trioscsi.initiator.login import Login
from trioscsi.initiator.management import ADDED_FUNCTIONS, ADDED_LEVEL
from trioscsi.initiator.numbering import StatusNumbers
from trioscsi.initiator.requests import LogoutWish, Management, Ping
from trioscsi.initiator.rules import Rule
from trioscsi.initiator.trusting import TrustingFramer
from trioscsi.limits import LOGIN_SEGMENT
from trioscsi.machines import cleanup as cleanup_machine
from trioscsi.machines._automat import Effects, Transition
from trioscsi.machines.initiator import connection as connection_machine
from trioscsi.machines.initiator.connection import Effect
from trioscsi.pdu import Buffer, Pdu, Received
from trioscsi.protocol.line import Line, Remark, nobody
from trioscsi.text import Pair, Stage

if TYPE_CHECKING:
    from trioscsi.initiator.requests import Request, Task
    from trioscsi.initiator.session import InitiatorSession

_RESERVED = slice(38, 48)
"""The reserved bytes at the end of a Login Response (section 11.13)."""
_GREETING = 24
"""Bytes that are shown of what is no PDU."""
_TARGETS = 0x20
"""The bit that the opcodes of targets have, and those of initiators have not."""
_REMARKS = 256
"""Remarks that are kept of one connection."""

_IN_FULL_FEATURE = frozenset(
    state.name
    for state in (
        connection_machine.LOGGED_IN,
        connection_machine.IN_LOGOUT,
        connection_machine.LOGOUT_REQUESTED,
    )
)


@attrs.frozen
class Said:
    """One key of a login, as one side said it."""

    side: str
    stage: Stage
    name: str
    value: str


class InitiatorConnection(Line):
    """One connection of a session to its target."""

    def __init__(
        self,
        session: InitiatorSession,
        cid: int,
        *,
        now: float,
        wake: Callable[[], None] = nobody,
        replaces: InitiatorConnection | None = None,
    ) -> None:
        super().__init__(session.limits, now=now, wake=wake)
        if not session.rules.keep(Rule.HEADER_DIGEST):
            self.framer = TrustingFramer(LOGIN_SEGMENT, max_ahs_length=session.limits.ahs)
        self.session = session
        self.cid = cid
        self.statuses = StatusNumbers(rules=session.rules)
        self.said: list[Said] = []
        """All keys of the login, in their order."""
        self.replaces = replaces
        """The connection whose place this one is to take."""
        self.reason = ""
        """Why the connection has ended."""
        self.said_wait: tuple[int, int] | None = None
        """Time2Wait and Time2Retain, if the target has given others than were agreed."""
        self.cleanup: cleanup_machine.Inputs | None = None
        self._due = now
        """When the connection times out, once it has failed (transition M1)."""
        self._moves: deque[Transition] = deque()
        self.machine = connection_machine.machine.start(self.watcher)
        self._greeted = False
        """Whether the target has said anything."""
        self._login: Login | None = None
        self._full_feature: FullFeature | None = None
        self.do(self.machine.connect_requested())

    # What the driver calls.

    def connected(self, now: float) -> None:
        """The transport is there: the login begins."""
        self.now = self.session.now = now
        self.do(self.machine.transport_connected())

    def receive(self, data: Buffer) -> None:
        """See `Line`; who is no target at all is known by the first that it says."""
        if len(data) and not self._greeted and self._login is not None:
            self._greeted = True
            if stranger := _stranger(bytes(data[:_GREETING])):
                self.broken(PeerError(stranger, section="11.2.1.2"))
        super().receive(data)

    def pump(self, now: float, pdus: int) -> bool:
        """See `Line`."""
        self.session.now = now
        return super().pump(now, pdus)

    def lost(self, reason: str, now: float) -> None:
        """The transport was closed by the target, was reset, or timed out."""
        self.now = self.session.now = now
        if not self.closed and self.machine.hears("transport_lost"):
            self.reason = reason
            self._end_login(reason)
            self.do(self.machine.transport_lost())
        self.closed = True

    def give_up(self, reason: str) -> None:
        """End the connection: the target was silent, or the caller has had enough."""
        if not self.closed and not self._lingers:
            self.reason = reason
            self._end_login(reason)
            cause = self.machine.given_up
            if not self.machine.hears("given_up"):
                cause = self.machine.connect_timed_out
            self.do(cause())

    # What the parts of the protocol call.

    @property
    def full_feature(self) -> bool:
        """Whether the connection is in full feature phase (section 8.1.1)."""
        return self.machine.state in _IN_FULL_FEATURE

    @property
    def serves(self) -> bool:
        """Whether new requests may be sent here."""
        logged_in = self.machine.state == connection_machine.LOGGED_IN.name
        return logged_in and not self.session.closing

    @property
    def wait(self) -> int:
        """Seconds for which the target is left in peace when this connection has failed (7.5)."""
        agreed = self.session.parameters.default_time2wait
        return agreed if self.said_wait is None else self.said_wait[0]

    @property
    def retain(self) -> int:
        """Seconds after that, within which it may be brought back."""
        agreed = self.session.parameters.default_time2retain
        return agreed if self.said_wait is None else self.said_wait[1]

    def refusal(self, request: Request) -> str:
        """Why a request cannot be sent here, or nothing."""
        if not self.full_feature:
            return "the connection is not in full feature phase"
        if (
            not self.serves
            and not isinstance(request, LogoutWish)
            and self.session.rules.keep(Rule.NOTHING_AFTER_LOGOUT)
        ):
            return "the connection is being logged out"
        if isinstance(request, LogoutWish) and not self.machine.hears("logout_wanted"):
            return "the connection is being logged out already"
        if isinstance(request, Ping) and len(request.data) > self._segment:
            return f"a ping of more than {self._segment} bytes"
        newer = isinstance(request, Management) and request.function in ADDED_FUNCTIONS
        if newer and self.session.parameters.protocol_level < ADDED_LEVEL:
            return "the target does not know this function (iSCSIProtocolLevel)"
        return ""

    @property
    def _segment(self) -> int:
        return self.parameters.target_max_recv_data_segment_length

    def start(self, request: Request) -> None:
        """Send a request that has its task tag."""
        self._in_full_feature.start(request)

    def remark(self, remark: Remark) -> None:
        """Keep something for the log, but not without end."""
        self.remarks.append(remark)
        del self.remarks[:-_REMARKS]

    def retry(self, task: Task) -> None:
        """Send a command as it was sent by a connection that is logged out (section 7.2.1)."""
        self._in_full_feature.retry(task)

    def adopt(self, task: Task) -> None:
        """A command of another connection goes on by this one."""
        self._in_full_feature.reception.begin(task)

    def plug(self, cmd_sn: int) -> None:
        """Use a CmdSN that the target does not have, so that it does not wait for it."""
        self._in_full_feature.plug(cmd_sn)

    def clean_up(self, cause: str) -> None:
        """Something has happened to what is left of this connection (section 8.2)."""
        cleanup = self.cleanup
        if cleanup is not None and cleanup.hears(cause):
            self._do_cleanup(getattr(cleanup, cause)())

    def note(self, side: str, stage: Stage, pairs: Sequence[Pair]) -> None:
        """Keep what was said in the login."""
        self.said += [Said(side, stage, name, value) for name, value in pairs]

    def number(self, pdu: Any, *, immediate: bool, cmd_sn: int | None = None) -> Any:
        """Give a request its CmdSN and ExpStatSN (section 4.2.2)."""
        if cmd_sn is None:
            numbers = self.session.numbers
            cmd_sn = numbers.next if immediate else numbers.take()
        pdu.immediate, pdu.cmd_sn = immediate, cmd_sn
        pdu.exp_stat_sn = self.statuses.acknowledged
        return pdu

    def send(self, pdu: Pdu) -> None:
        """Append a PDU to the output, or whatever this initiator's deviation makes of it."""
        deviation = self.session.deviation
        if deviation is None:
            super().send(pdu)
            return
        for each in (pdu,) if deviation.alter is None else deviation.alter(pdu, self):
            before = len(self._output)
            super().send(each)
            if deviation.wire is not None and not self.closed:
                encoded = b"".join(self._output[before:])
                self._output[before:] = [deviation.wire(encoded, each)]

    def watcher(self, transition: Transition) -> None:
        """Note a transition that the session is coupled to, and show it to who wants to see it."""
        self._moves.append(transition)
        if self.session.watcher is not None:
            self.session.watcher(transition)

    def do(self, effects: Effects) -> None:
        """Do the effects of a transition, then tell the session of it."""
        for effect in effects:
            action = self._effects.get(effect)
            if action is not None:
                action(self)
        while self._moves:
            move = self._moves.popleft()
            if move.machine == connection_machine.machine.name:
                self.session.couple(self, move.label)

    def broken(self, error: PeerError) -> None:
        """The target has broken the protocol, which ends the session (section 7.7)."""
        if self._login is not None:
            self._login.broken(error)
            return
        self.remark(error)
        if isinstance(error, DamagedHeader):
            # Where the next PDU begins is not known any more; the peer is not to blame (7.8).
            self.give_up(str(error))
            return
        self.session.drop(str(error))

    def login_ended(self, *, accepted: bool) -> None:
        """The final Login Response has come, or the login was given up."""
        self._login = None
        self.deadlines.cancel("login")
        if accepted:
            self.do(self.machine.login_accepted())
        else:
            self.do(self.machine.login_refused())

    def drop_announced(self, reason: str) -> None:
        """An Asynchronous Message says that this connection ends."""
        if self.machine.hears("drop_announced"):
            self.reason = reason
            self.do(self.machine.drop_announced())

    def logout_ended_session(self) -> None:
        """The session was logged out on another connection."""
        if self.machine.hears("session_logout_succeeded_elsewhere"):
            self._end_login("the session was logged out")
            self.do(self.machine.session_logout_succeeded_elsewhere())

    def reinstated(self) -> None:
        """A login has taken the place of this connection, which waits for its cleanup."""
        if self._lingers and not self.closed:
            self._in_full_feature.pings.say_nothing()
            self.closed = True
        self.clean_up("logout_started")
        self.clean_up("logout_succeeded")

    # How it is done.

    @property
    def _in_full_feature(self) -> FullFeature:
        assert self._full_feature is not None, "no request is sent before full feature phase"
        return self._full_feature

    def _is_odd(self) -> bool:
        """Whether bits that do not matter are such that an initiator with a fault minds them."""
        rules, framer = self.session.rules, self.framer
        odd = not rules.keep(Rule.ANY_PADDING) and any(framer.last_padding)
        if not rules.keep(Rule.RESERVED_IGNORED) and not self.full_feature:
            odd |= any(framer.last_header[_RESERVED])
        if odd:
            self.give_up("bits that are not 0")
        return odd

    def _hear(self, received: Received) -> None:
        if self._is_odd():
            return
        deviation = self.session.deviation
        if deviation is None or deviation.hears is None:
            self._take(received)
            return
        for each in deviation.hears(received, self):
            if not self.closed:
                self._take(each)

    def _take(self, received: Received) -> None:
        if self._login is not None:
            self._login.hear(received)
        else:
            self._in_full_feature.hear(received)

    def _end_login(self, reason: str) -> None:
        if self._login is not None:
            self._login.end(reason)
            self._login = None

    def _start_login(self) -> None:
        self.deadlines.set("login", self.now + self.limits.login_time, self._login_timed_out)
        self._login = Login(self)
        self._login.start()

    def _login_timed_out(self) -> None:
        if not self.session.rules.keep(Rule.LOGIN_TIME):
            return
        self.reason = f"no login within {self.limits.login_time:g} seconds"
        self._end_login(self.reason)
        self.do(self.machine.login_timed_out())

    def _enter_full_feature(self) -> None:
        self._full_feature = FullFeature(self)

    def _send_logout(self) -> None:
        self._in_full_feature.logout.send()

    def _prepare_logout(self) -> None:
        self._in_full_feature.prepare_logout()

    def _start_cleanup(self) -> None:
        self.session.events.append(ConnectionLost(self, self.reason))
        self.cleanup = cleanup_machine.machine.start(self.session.watcher)
        self._due = self.now + self.wait + self.retain
        self._wait_for_cleanup()
        self.session.rescue.begin(self)

    def _wait_for_cleanup(self) -> None:
        self.session.deadlines.set(self, self._due, lambda: self.clean_up("connection_timed_out"))

    def _do_cleanup(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case cleanup_machine.Effect.START_TIMER:
                    self._wait_for_cleanup()
                case cleanup_machine.Effect.STOP_TIMER:
                    self.session.deadlines.cancel(self)
                case cleanup_machine.Effect.FREE_CONNECTION:
                    self.session.leave(self)

    @property
    def _lingers(self) -> bool:
        """Whether the connection has failed, and its initiator does not close it."""
        failed = self.machine.state == connection_machine.CLEANUP_WAIT.name
        return failed and not self.session.rules.keep(Rule.FAILED_IS_LEFT)

    def _close(self) -> None:
        self.closed = not self._lingers
        self.deadlines.clear()
        if self.machine.state == connection_machine.FREE.name:
            self.session.end_all(self.reason or "the connection was logged out", self)
            self.session.leave(self)
        self.wake()

    _effects: dict[Any, Callable[[InitiatorConnection], None]] = {
        Effect.START_LOGIN: _start_login,
        Effect.ENTER_FULL_FEATURE: _enter_full_feature,
        Effect.PREPARE_LOGOUT: _prepare_logout,
        Effect.SEND_LOGOUT: _send_logout,
        Effect.START_CLEANUP: _start_cleanup,
        Effect.CLOSE: _close,
    }


def _stranger(start: bytes) -> str:
    """What is wrong if a conversation begins so; nothing if it may be a target that speaks."""
    text = start.split(b"\r")[0].split(b"\n")[0].decode("latin-1")
    # The third and the fourth byte of a Login Response are versions, and there is only 0.
    if len(text) >= 4 and text.isascii() and text.isprintable():
        return f"this is no iSCSI target: it says {text!r}"
    return "" if start[0] & _TARGETS else f"this is no iSCSI target: it says {start.hex(' ')}"
