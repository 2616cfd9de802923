"""A connection at the target, without its socket (RFC 7143 sections 4.2.4 and 8.1).

The driver hands over what it received (`receive`, then `pump`), sends what `take_output` gives, and
says what time it is (`next_deadline`, `handle_timer`).  Between these calls it does what the events
of the node ask for, and answers commands through `writes`, `answers` and `release`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.machines import cleanup as cleanup_machine
from trioscsi.machines import connection as connection_machine
from trioscsi.machines._automat import Effects, Transition, Watcher
from trioscsi.machines.connection import Effect
from trioscsi.pdu import BadDigest, LoginRequest, Received
from trioscsi.protocol.answers import Answers
from trioscsi.protocol.channel import Channel
from trioscsi.protocol.full_feature import FullFeature
from trioscsi.protocol.line import nobody
from trioscsi.protocol.login import Login
from trioscsi.protocol.node import Gatekeeper
from trioscsi.protocol.session import Session
from trioscsi.protocol.tasks import Task
from trioscsi.protocol.writes import Writes

_IN_FULL_FEATURE = frozenset(
    state.name
    for state in (
        connection_machine.LOGGED_IN,
        connection_machine.IN_LOGOUT,
        connection_machine.LOGOUT_REQUESTED,
    )
)


class TargetConnection(Channel):
    """One connection of an initiator to this target."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        limits: Limits,
        *,
        now: float,
        wake: Callable[[], None] = nobody,
        watcher: Watcher | None = None,
    ) -> None:
        super().__init__(limits, now=now, wake=wake)
        self.gatekeeper = gatekeeper
        self.cid = 0
        self.session: Session | None = None
        self.replaces: list[TargetConnection] = []
        """The connections whose place this one takes when its login has ended."""
        self.cleanup: cleanup_machine.Inputs | None = None
        self._moves: deque[Transition] = deque()
        self.watcher = watcher
        """Told of every transition of every machine of this connection."""
        self.machine = connection_machine.machine.start(self.watch)
        self._login: Login | None = Login(self)
        self._full_feature: FullFeature | None = None
        self._hear = self._hear_in_login
        self.writes: Writes
        """How the device server gets the data of commands, once full feature phase is there."""
        self.answers: Answers
        """How it answers them."""
        self.do(self.machine.transport_connected())

    # What the driver calls.

    def lost(self, reason: str, now: float) -> None:
        """The transport was closed by the peer, was reset, or timed out."""
        self.now = now
        if not self.closed:
            self._tell_of_loss()
            self.remarks.append(reason)
            self._end_login()
            self.do(self.machine.transport_lost())

    def drop(self, reason: str) -> None:
        """Give the connection up: the peer broke a rule, or did not answer in time."""
        self._tell_of_loss()
        self._give_up(reason)

    def drop_session(self, reason: str) -> None:
        """Give the connection up together with its session; the initiator is told before."""
        if self._full_feature is not None and self.full_feature:
            self._full_feature.notices.session_drops()
        self._give_up(reason)

    def ask_for_negotiation(self, now: float) -> None:
        """Ask the initiator to negotiate anew what can be (section 11.9.1)."""
        self.now = now
        if self._full_feature is not None and self.full_feature:
            self._full_feature.notices.negotiation_wanted()

    def tasks_end(self, lun: int) -> None:
        """Tell the initiator that somebody else ends its tasks, if it understands that."""
        if self._full_feature is not None and self.full_feature:
            self._full_feature.notices.tasks_end(lun)

    def tell_window(self) -> None:
        """Tell the initiator that it may send more commands."""
        self._in_full_feature.keepalive.tell_window()

    def tell_of_loss(self, cid: int) -> None:
        """Tell the initiator that another connection of the session is lost (section 7.1.4.3)."""
        self._in_full_feature.notices.connection_drops(cid)

    def ask_for_logout(self, now: float) -> None:
        """Ask the initiator to log out; it is dropped if it does not (section 11.9.1)."""
        self.now = now
        if self._full_feature is None:
            self.drop("the target is being stopped")
        elif self.machine.hears("decommissioned"):
            self.do(self.machine.decommissioned())

    def release(self, task: Task) -> None:
        """The device server does not touch the disk any more for this task, which is over."""
        assert self.session is not None, "a task has a session"
        self.session.node.dying.released(task)

    # What the parts of the protocol call.

    def join(self, session: Session) -> None:
        """This connection logs in to a session."""
        self.session, self.order = session, session.order
        session.connections.append(self)
        self.couple()

    @property
    def in_login(self) -> bool:
        """Whether the login is under way (states XPT_UP and IN_LOGIN)."""
        return self._login is not None and not self.closed

    @property
    def full_feature(self) -> bool:
        """Whether the connection is in full feature phase (section 8.1.1)."""
        return self.machine.state in _IN_FULL_FEATURE

    @property
    def logout_ends_session(self) -> bool:
        """Whether the logout that is being carried out is one of the whole session."""
        return self._full_feature is not None and self._full_feature.logout.ends_session

    def watch(self, transition: Transition) -> None:
        """Note a transition of a machine that others may be coupled to."""
        self._moves.append(transition)
        if self.watcher is not None:
            self.watcher(transition)

    def do(self, effects: Effects) -> None:
        """Do the effects of a transition of this connection, then what is coupled to it."""
        for effect in effects:
            self._effects[effect](self)
        self.couple()

    def couple(self) -> None:
        """Tell the session of this connection's transitions, as soon as there is one."""
        while self._moves and self.session is not None:
            self.session.couple(self, self._moves.popleft())

    def running(self, name: str) -> tuple[Any, Callable[[Effects], None]]:
        """The machine that couplings know by ``name``, and what does its effects."""
        if name == cleanup_machine.machine.name:
            return self.cleanup, self._do_cleanup
        return self.machine, self.do

    def broken(self, error: PeerError) -> None:
        """The stream cannot be understood any more."""
        if self._full_feature is not None:
            self._full_feature.broken(error)
        elif self._login is not None and self.machine.state != connection_machine.XPT_UP.name:
            self._login.broken(error)
        else:
            self.drop(str(error))

    def login_ended(self, refusal: PeerError | None) -> None:
        """The final Login Response is in the output."""
        self._login = None
        if refusal is not None:
            self.remarks.append(refusal)
            self.do(self.machine.login_refused())
        else:
            self.do(self.machine.login_accepted())
            self.replaces = []  # or one that comes back again and again keeps all that it was

    def solicit(self, task: Task) -> None:
        """Ask for the data of a task that had to wait for buffers."""
        self.writes.solicit(task)

    def notify(self, lun: int, sense: bytes) -> None:
        """Tell the initiator of an event at a unit by an Asynchronous Message."""
        self._in_full_feature.notices.unit_changed(lun, sense)

    def refuse_data(self, task: Task) -> None:
        """The device server does not want the data any more that it waits for.

        It gets the task again when what was announced has come; then ``task.data`` is empty.
        """
        self.writes.refuse(task)

    def terminate(self, task: Task) -> None:
        """End a task with TASK ABORTED status, whether or not the device server has it."""
        self._in_full_feature.answers.terminate(task)

    def cleanup_timed_out(self) -> None:
        """Time2Wait and Time2Retain have passed (transition M1)."""
        if self.cleanup is not None and self.cleanup.hears("connection_timed_out"):
            self._do_cleanup(self.cleanup.connection_timed_out())

    # How it is done.

    @property
    def _in_full_feature(self) -> FullFeature:
        assert self._full_feature is not None, "no command arrives before full feature phase"
        return self._full_feature

    def _give_up(self, reason: str) -> None:
        if not self.closed:
            self.remarks.append(reason)
            self._end_login()
            self.do(self.machine.dropped())

    def _tell_of_loss(self) -> None:
        """Tell by another connection of the session, if there is one, that this one is lost."""
        if self.session is not None and self.full_feature:
            another = self.session.another(self)
            if another is not None:
                another.tell_of_loss(self.cid)

    def _hear_in_login(self, received: Received) -> None:
        if isinstance(received, LoginRequest):
            if self.machine.state == connection_machine.XPT_UP.name:
                self.do(self.machine.login_requested())
            assert self._login is not None
            self._login.hear(received)
        elif self.machine.state == connection_machine.XPT_UP.name:
            name = type(received.pdu if isinstance(received, BadDigest) else received).__name__
            self.remarks.append(PeerError(f"the first PDU is a {name}", section="4.2.4"))
            self._end_login()
            self.do(self.machine.wrong_first_pdu())
        else:
            assert self._login is not None
            self._login.hear_other(received)

    def _end_login(self) -> None:
        if self._login is not None:
            self._login.end()
            self._login = None

    def _login_timed_out(self) -> None:
        self.remarks.append(f"no login within {self.limits.login_time:g} seconds")
        self._end_login()
        self.do(self.machine.login_timed_out())

    def _start_login_timer(self) -> None:
        self.deadlines.set("login", self.now + self.limits.login_time, self._login_timed_out)

    def _stop_login_timer(self) -> None:
        self.deadlines.cancel("login")

    def _enter_full_feature(self) -> None:
        assert self.session is not None, "a login ends in a session"
        full_feature = self._full_feature = FullFeature(self, self.session)
        self._hear = full_feature.hear
        self.writes, self.answers = full_feature.writes, full_feature.answers

    def _answer_logout(self) -> None:
        self._in_full_feature.logout.carry_out()

    def _ask_for_logout(self) -> None:
        self._in_full_feature.logout.ask()

    def _start_cleanup(self) -> None:
        assert self.session is not None, "only a logged in connection needs cleanup"
        self.cleanup = cleanup_machine.machine.start(self.watch)
        self.session.clear(self)
        self._start_cleanup_timer()

    def _close(self) -> None:
        self.closed = True
        self.deadlines.clear()
        if self._full_feature is not None:
            self._full_feature.ended()
        if self.session is not None and self.machine.state == connection_machine.FREE.name:
            self.session.leave(self)
        self.wake()

    _effects: dict[Any, Callable[[TargetConnection], None]] = {
        Effect.START_LOGIN_TIMER: _start_login_timer,
        Effect.STOP_LOGIN_TIMER: _stop_login_timer,
        Effect.ENTER_FULL_FEATURE: _enter_full_feature,
        Effect.ANSWER_LOGOUT: _answer_logout,
        Effect.ASK_FOR_LOGOUT: _ask_for_logout,
        Effect.START_CLEANUP: _start_cleanup,
        Effect.CLOSE: _close,
    }

    def _do_cleanup(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case cleanup_machine.Effect.START_TIMER:
                    self._start_cleanup_timer()
                case cleanup_machine.Effect.STOP_TIMER:
                    self._stop_cleanup_timer()
                case cleanup_machine.Effect.FREE_CONNECTION:
                    assert self.session is not None
                    self.session.leave(self)
        self.couple()

    def _start_cleanup_timer(self) -> None:
        assert self.session is not None
        parameters = self.session.parameters
        wait = parameters.default_time2wait + parameters.default_time2retain
        self.session.node.set_deadline(self, self.now + wait, self.cleanup_timed_out)

    def _stop_cleanup_timer(self) -> None:
        assert self.session is not None
        self.session.node.deadlines.cancel(self)
