"""A session at the initiator: what its connections share (RFC 7143 sections 4.2.2, 6.3 and 8.3)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import attrs

from trioscsi.errors import UsageError
from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.depth import QueueDepth
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.escalation import Escalation
from trioscsi.initiator.events import Ended, Event, SessionEnded, SessionFailed
from trioscsi.initiator.intent import Intent
from trioscsi.initiator.numbering import CommandNumbers
from trioscsi.initiator.requests import LogoutWish, Management, Request, Task
from trioscsi.initiator.rescue import Rescue
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.limits import Limits
from trioscsi.machines._automat import Effects, Watcher
from trioscsi.machines.initiator import session as session_machine
from trioscsi.machines.initiator.session import Effect
from trioscsi.pdu import NO_TASK, LogoutReason
from trioscsi.protocol.deadlines import Deadlines
from trioscsi.protocol.line import nobody
from trioscsi.text import Parameters

_FAILURES = frozenset({"T15", "T16", "T17"})
_ENDS = frozenset({"T8", "T13", "T18"})


class InitiatorSession:
    """One session with a target, or one of discovery.

    `connect` makes its first connection, and (where the target agreed to several) further ones;
    `submit` sends a request or has it wait for its turn; ``events`` is what the driver takes after
    each call.  ``deviation`` is the fault that this initiator commits on purpose.
    """

    def __init__(
        self,
        intent: Intent,
        limits: Limits | None = None,
        *,
        deviation: Deviation | None = None,
        watcher: Watcher | None = None,
        reconnects: bool = False,
    ) -> None:
        self.intent = intent
        self.reconnects = reconnects
        """Whether the driver opens a new connection where one is wanted (`ConnectionWanted`)."""
        self.limits = limits or Limits()
        self.deviation = deviation
        self.rules = Rules(frozenset() if deviation is None else deviation.breaks)
        self.watcher = watcher
        self.tsih = 0
        self.parameters = Parameters()
        """What the leading login has settled."""
        self.now = 0.0
        self.depth = QueueDepth()
        self.numbers = CommandNumbers.starting(intent.first_cmd_sn, self.rules)
        self.connections: list[InitiatorConnection] = []
        """Those that log in, are in full feature phase, or wait for cleanup."""
        self.requests: dict[int, Request] = {}
        """What was sent and is not over, by task tag."""
        self.abandoned: dict[int, None] = {}
        """Tags of late of tasks that were ended from outside: what comes for them is discarded."""
        self.waiting: deque[Request] = deque()
        """What waits for the command window to open."""
        self.events: list[Event] = []
        self.deadlines = Deadlines()
        self.closing = False
        """Whether the session is being logged out: nothing new is said on any connection."""
        self.rescue = Rescue(self)
        self.machine = session_machine.machine.start(watcher)
        self._last_cid = 0
        self._last_itt = 0

    # What the driver calls.

    def connect(self, now: float, wake: Callable[[], None] = nobody) -> InitiatorConnection:
        """A new connection; tell it when the transport is there (`connected`)."""
        self.now = now
        self._last_cid = (self._last_cid + 1) % 2**16
        connection = InitiatorConnection(self, self._last_cid, now=now, wake=wake)
        self.connections.append(connection)
        return connection

    @property
    def admits_connection(self) -> bool:
        """Whether one more connection is within what was agreed (section 13.2)."""
        full = sum(each.full_feature for each in self.connections)
        within = full < self.parameters.max_connections
        return within or not self.rules.keep(Rule.AGREED_CONNECTIONS)

    def reconnect(
        self, old: InitiatorConnection, now: float, wake: Callable[[], None] = nobody
    ) -> InitiatorConnection:
        """A new connection in the place of one that has failed: with its CID (section 6.3.4)."""
        self.now = now
        cid = old.cid
        if not self.rules.keep(Rule.SAME_CID):
            cid = self._last_cid = (self._last_cid + 1) % 2**16
        connection = InitiatorConnection(self, cid, now=now, wake=wake, replaces=old)
        self.connections.append(connection)
        return connection

    def forgo(self, connection: InitiatorConnection) -> None:
        """No connection will take the place of one that has failed, and none of the others."""
        self.rescue.hopeless = True
        for each in [connection, *self.others(connection)]:
            each.clean_up("connection_timed_out")

    def next_deadline(self) -> float | None:
        """When `handle_timer` is to be called at the latest, or None."""
        times = [each.next_deadline() for each in self.connections] + [self.deadlines.next()]
        return min((when for when in times if when is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due, on all connections."""
        self._tell_time(now)
        for connection in list(self.connections):
            connection.handle_timer(now)
        self.deadlines.run(now)

    def submit(
        self,
        request: Request,
        connection: InitiatorConnection | None = None,
        *,
        now: float | None = None,
    ) -> None:
        """Send a request, by this connection or by any; it waits while the window is closed.

        Without a connection that could take it, it is over at once.  ``now`` is what time it is, if
        that is not known from an earlier call.
        """
        self._tell_time(now)
        if isinstance(request, Task):
            self._check(request)
            self._watch(request)
        about = request.about if isinstance(request, Management) else None
        if connection is None and about is not None and about.connection in self.connections:
            connection = about.connection  # section 11.5.1
        request.connection = connection
        if self._has_to_wait(request):
            self.waiting.append(request)
        else:
            self._dispatch(request)

    def log_out(
        self, connection: InitiatorConnection, reason: LogoutReason, *, now: float | None = None
    ) -> LogoutWish:
        """Log a connection out, or with `CLOSE_SESSION` all of them."""
        self._tell_time(now)
        wish = LogoutWish(reason=reason, cid=connection.cid, immediate=not self.numbers.open)
        if reason == LogoutReason.CLOSE_SESSION:
            self.refuse_waiting("the session was logged out")
        self.submit(wish, connection)
        return wish

    def take_events(self) -> list[Event]:
        """What has happened since the last call."""
        events, self.events = self.events, []
        return events

    def successor(self) -> InitiatorSession:
        """The session that is to take the place of this one: the same nexus (section 6.3.5)."""
        intent = self.intent
        if not self.rules.keep(Rule.SAME_ISID):
            intent = attrs.evolve(intent, isid=intent.isid[:-1] + bytes([intent.isid[-1] ^ 1]))
        session = InitiatorSession(
            intent,
            self.limits,
            deviation=self.deviation,
            watcher=self.watcher,
            reconnects=self.reconnects,
        )
        if not self.rules.keep(Rule.NEW_SESSION):
            session.tsih, session.parameters = self.tsih, self.parameters
        return session

    def reinstated(self) -> None:
        """A new session has taken the place of this one, which had failed (section 6.3.5)."""
        for connection in list(self.connections):
            connection.reinstated()
        self.deadlines.clear()
        if self.machine.hears("reinstated"):
            self.do(self.machine.reinstated())

    # What the parts of the protocol call.

    @property
    def discovery(self) -> bool:
        return self.intent.offer.session_type == "Discovery"

    def new_itt(self) -> int:
        """An Initiator Task Tag that no request under way has."""
        if not self.rules.keep(Rule.UNIQUE_TAGS) and self.requests:
            return next(iter(self.requests))
        while True:
            self._last_itt = (self._last_itt + 1) % NO_TASK
            if self._last_itt not in self.requests and self._last_itt not in self.abandoned:
                return self._last_itt

    def flush(self) -> None:
        """Send what has waited, as far as the window goes (section 4.2.2.1)."""
        while self.waiting and not self._has_to_wait(self.waiting[0], first=True):
            self._dispatch(self.waiting.popleft())

    def refuse_waiting(self, reason: str) -> None:
        """End the requests that were never sent."""
        waiting, self.waiting = self.waiting, deque()
        for request in waiting:
            self.end(request, reason, orphaned=True)

    def end(self, request: Request, lost: str = "", *, orphaned: bool = False) -> None:
        """A request is over: answered, or (with ``lost``) never to be answered."""
        if request.over:
            return
        request.over, request.lost, request.orphaned = True, lost, orphaned
        if self.requests.get(request.itt) is request:
            del self.requests[request.itt]
            if isinstance(request, Task) and self.depth.learns(request.status):
                self.depth.learn(request.status, self._under_way())
        self.events.append(Ended(request))
        request.then()

    def abandon(self, task: Task, reason: str) -> None:
        """A task is over although its status has not come, and perhaps still does."""
        self.abandoned[task.itt] = None
        while len(self.abandoned) > self.limits.tasks:
            del self.abandoned[next(iter(self.abandoned))]
        self.end(task, reason)

    def end_all(self, reason: str, connection: InitiatorConnection | None = None) -> None:
        """No answer can come any more to these requests: of one connection, or to any."""
        for request in list(self.requests.values()):
            if connection is None or request.connection is connection:
                self.end(request, reason, orphaned=True)

    def drop(self, reason: str) -> None:
        """End all connections: the session has failed (section 7.1.4.4)."""
        hoped = self.rescue.under_way and self.machine.state == session_machine.FAILED.name
        self.rescue.hopeless = True
        for connection in list(self.connections):
            connection.give_up(reason)
        if hoped:
            self._fail()

    def couple(self, connection: InitiatorConnection, label: str) -> None:
        """Follow a transition of a connection (section 8.3.4)."""
        if connection.replaces is not None:
            self._follow_rescue(connection, connection.replaces, label)
        if label == "T5" and self.machine.hears("connection_logged_in"):
            self.do(self.machine.connection_logged_in())
        if self.machine.state != session_machine.LOGGED_IN.name or any(
            other.full_feature for other in self.connections if other is not connection
        ):
            return
        if label in _ENDS:
            self.do(self.machine.closed())
        elif label in _FAILURES:
            self.do(self.machine.failed())

    def _follow_rescue(
        self, connection: InitiatorConnection, old: InitiatorConnection, label: str
    ) -> None:
        match label:
            case "T4":
                self.rescue.login_began(old)
            case "T5":
                if self.machine.hears("connection_logged_in"):
                    self.do(self.machine.connection_logged_in())
                self.rescue.login_succeeded(old, connection)
            case "T7":
                self.rescue.login_failed(old)

    def others(self, connection: InitiatorConnection) -> list[InitiatorConnection]:
        """The other connections of the session."""
        return [other for other in self.connections if other is not connection]

    def leave(self, connection: InitiatorConnection) -> None:
        """Nothing is left of a connection."""
        self.rescue.end(connection)
        if connection in self.connections:
            self.connections.remove(connection)
        if not self.connections and self.machine.hears("timed_out"):
            self.do(self.machine.timed_out())

    def do(self, effects: Effects) -> None:
        """Do the effects of a transition of the session."""
        for effect in effects:
            match effect:
                case Effect.RECOVER if not self.rescue.under_way:
                    self._fail()
                case Effect.REPORT_NEXUS_LOSS:
                    self.end_all("the session is over")
                    self.refuse_waiting("the session is over")
                case Effect.FREE_SESSION:
                    self.events.append(SessionEnded())

    # How it is done.

    def _fail(self) -> None:
        """Below level 2 commands do not outlive the last connection (section 7.1.4.4)."""
        self.end_all("the connection was lost")
        self.refuse_waiting("the connection was lost")
        waits = [(each.wait, each.retain) for each in self.connections]
        wait, retain = max(waits, default=(0, 0))
        self.events.append(SessionFailed(wait, retain))

    def _has_to_wait(self, request: Request, *, first: bool = False) -> bool:
        keep = self.rules.keep
        if self.rescue.under_way and not self._any_connection():
            return True
        limit = self.depth.limit
        if limit is not None and isinstance(request, Task) and self._under_way() >= limit:
            return True
        if (request.immediate and keep(Rule.IMMEDIATE_PASSES)) or not keep(Rule.WINDOW):
            return False
        return (bool(self.waiting) and not first) or not self.numbers.open

    def _dispatch(self, request: Request) -> None:
        connection = request.connection or self._any_connection()
        reason = "no connection is in full feature phase"
        if connection is not None:
            reason = connection.refusal(request)
        if connection is None or reason:
            gone = connection is None or not connection.serves
            self.end(request, reason, orphaned=gone)
            return
        request.connection, request.itt = connection, self.new_itt()
        self.requests[request.itt] = request
        connection.start(request)

    def _any_connection(self) -> InitiatorConnection | None:
        """The connection that has the least to do."""
        full = [each for each in self.connections if each.full_feature]
        if len(full) < 2:
            return full[0] if full else None
        busy = Counter(request.connection for request in self.requests.values())
        return min(full, key=lambda each: (not each.serves, busy[each]))

    def _tell_time(self, now: float | None) -> None:
        if now is not None:
            self.now = now
            for connection in self.connections:
                connection.now = now

    def _watch(self, task: Task) -> None:
        """See to it that a command does not wait for its answer for ever."""
        seconds = self.limits.command_time if task.patience is None else task.patience
        if seconds:
            Escalation(self, task, seconds)

    def _under_way(self) -> int:
        return sum(isinstance(each, Task) for each in self.requests.values())

    def _check(self, task: Task) -> None:
        limit = self.limits.transfer
        if max(task.expected_in, len(task.data_out)) > limit:
            raise UsageError(f"a command of more than {limit} bytes of data")
        if not 0 < len(task.cdb) <= self.limits.ahs:
            raise UsageError(f"a CDB of {len(task.cdb)} bytes")
