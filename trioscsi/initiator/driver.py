"""A session of the initiator that is driven: sockets, clock, logins and recovery.

`trioscsi.initiator.client` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import trio

from trioscsi.errors import LoginFailure, SessionLost, UsageError, why_unreachable
from trioscsi.initiator.carrier import Carrier
from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.events import (
    ConnectionWanted,
    Ended,
    LoggedIn,
    LoginFailed,
    Noticed,
    Redirected,
    Refused,
    SessionEnded,
    SessionFailed,
)
from trioscsi.initiator.intent import Intent
from trioscsi.initiator.recovery import Policy, Recovery
from trioscsi.initiator.requests import Request, Task
from trioscsi.initiator.rules import Rules
from trioscsi.initiator.services import R, Services
from trioscsi.initiator.session import InitiatorSession
from trioscsi.initiator.url import Url
from trioscsi.limits import Limits
from trioscsi.machines import Watcher
from trioscsi.pdu import AsyncMessage, LogoutReason, Reject

_REDIRECTIONS = 4
_REMEMBERED = 256
"""Messages of the target that are kept for the caller."""
_NEVER = float("inf")

_Outcome = LoggedIn | LoginFailed | Redirected


class Session(Services):
    """A session with a target; made by `connect`.

    Several tasks may use it at once.  What the target says unasked is kept in ``messages`` and
    ``rejects``.  Requests raise SessionLost where no answer can come.  ``core`` is the session
    without I/O; where it is to be recovered, another takes its place when it has failed.
    """

    def __init__(
        self,
        intent: Intent,
        where: Url,
        *,
        limits: Limits | None = None,
        deviation: Deviation | None = None,
        watcher: Watcher | None = None,
        policy: Policy | None = None,
    ) -> None:
        super().__init__()
        self.lun = where.lun
        self.messages: list[AsyncMessage] = []
        self.rejects: list[Reject] = []
        self._where = self._here = where
        self.core = InitiatorSession(
            intent,
            limits,
            deviation=deviation,
            watcher=watcher,
            reconnects=policy is not None,
        )
        self._policy = policy or Policy()
        self._more: list[str | None] = []
        """Where further connections go to; None: where the first one does."""
        self._recovery: Recovery | None = None
        if policy is not None:
            now = trio.current_time()
            self._recovery = Recovery(policy, self.core.rules, watcher, now=now)
        self._waiting: dict[Request, trio.Event] = {}
        self._outcomes: dict[InitiatorConnection, _Outcome] = {}
        self._turned = trio.Event()
        """Set, and replaced, when a login has ended or a session has failed."""
        self._stirred = trio.Event()

    @property
    def discovery(self) -> bool:
        """Whether it is a session of discovery."""
        return self.core.discovery

    @property
    def portal(self) -> str:
        """The address that is talked to."""
        return self._here.portal

    @property
    def rules(self) -> Rules:
        """The rules that this initiator keeps."""
        return self.core.rules

    async def do(self, request: R) -> R:
        """Have a request answered; a task that took its place is returned instead.

        Raises SessionLost if no answer can come.
        """
        while True:
            self._stir()
            await self._until_up()
            self.core.submit(request, now=trio.current_time())
            await self._wait(request)
            if not request.lost:
                return request
            if not (isinstance(request, Task) and request.orphaned and self._reissues):
                raise SessionLost(request.lost)
            request = cast("R", request.anew())

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await trio.sleep(seconds)

    async def log_out(self) -> None:
        """End the session by agreement; nothing happens if it has ended."""
        if self._recovery is not None:
            self._recovery.close()
        for connection in list(self.core.connections):
            if connection.machine.hears("logout_wanted"):
                now = trio.current_time()
                wish = self.core.log_out(connection, LogoutReason.CLOSE_SESSION, now=now)
                await self._wait(wish)
                return

    # Logins.

    async def add_connection(self, address: str | None = None) -> None:
        """Log one more connection of the session in, perhaps at another portal of the target.

        Raises LoginFailure if the target refuses, and UsageError if it has agreed to no more; the
        session goes on without it.
        """
        await self._until_up()
        core = self.core
        if not core.admits_connection:
            most = core.parameters.max_connections
            raise UsageError(f"the target has agreed to no more than {most} connections")
        where = self._here if address is None else self._here.at(address)
        _, stream = await self._transport([where])
        outcome = await self._start(core.connect(trio.current_time()), stream)
        if isinstance(outcome, LoginFailed):
            raise LoginFailure(outcome.reason, outcome.status)
        if isinstance(outcome, Redirected):
            raise LoginFailure("a further connection was redirected", None)
        self._more.append(address)

    async def remove_connection(self, cid: int | None = None, *, recover: bool = False) -> None:
        """Log one connection of several out: the last, unless ``cid`` says which.

        With ``recover``, at error recovery level 2, its commands go on by the others; else the
        target ends them.  Raises UsageError if there is no such connection, or no other.
        """
        full = [each for each in self.core.connections if each.serves]
        these = [each for each in full if cid in (None, each.cid)]
        if not these or len(full) < 2:
            raise UsageError(f"there is no connection {cid or ''} beside others".replace("  ", " "))
        reason = LogoutReason.REMOVE_FOR_RECOVERY if recover else LogoutReason.CLOSE_CONNECTION
        del self._more[-1:]
        now = trio.current_time()
        await self._wait(self.core.log_out(these[-1], reason, now=now))

    async def open(self, nursery: trio.Nursery) -> None:
        """Log in, for the first time; raises LoginFailure."""
        self._nursery = nursery
        nursery.start_soon(self._keep_time, name=f"initiator of {self._where.portal}: timers")
        await self._log_in()
        while self._recovery is not None and not self._recovery.up:
            self._look_whether_down()
            await self._come_back(self._recovery)
        if self._recovery is not None:
            nursery.start_soon(
                self._keep_alive,
                self._recovery,
                name=f"initiator of {self._where.portal}: recovery",
            )

    async def _log_in(self) -> None:
        """Log in wherever the target says; raises LoginFailure unless it may be tried again."""
        try:
            await self._follow()
        except LoginFailure as error:
            if self._recovery is None:
                raise
            now = trio.current_time()
            self._recovery.login_failed(str(error), error.status, now)
        else:
            if self._recovery is not None:
                self._recovery.logged_in(trio.current_time())

    async def _follow(self) -> None:
        wheres = [self._where]
        for _ in range(_REDIRECTIONS + 1):
            self._here, stream = await self._transport(wheres)
            core = self.core
            connection = core.connect(trio.current_time())
            outcome = await self._start(connection, stream)
            if isinstance(outcome, LoggedIn):
                return
            self.core = core.successor()
            if isinstance(outcome, LoginFailed):
                raise LoginFailure(outcome.reason, outcome.status)
            try:
                wheres = [self._where.at(address) for address in outcome.addresses]
            except UsageError as error:
                raise LoginFailure(f"redirected, but {error}", None) from None
            if outcome.permanent:
                self._where = wheres[0]
        raise LoginFailure(f"redirected more than {_REDIRECTIONS} times", None)

    async def _transport(self, wheres: Iterable[Url]) -> tuple[Url, trio.SocketStream]:
        """A transport connection to the first of these portals that can be reached."""
        reason = ""
        for where in wheres:
            try:
                with trio.fail_after(self.core.limits.login_time):
                    return where, await trio.open_tcp_stream(where.host, where.port)
            except (OSError, UnicodeError, trio.TooSlowError) as error:
                why = why_unreachable(error)
                reason = reason or f"{where.portal} cannot be reached: {why}"
        raise LoginFailure(reason, None)

    async def _start(self, connection: InitiatorConnection, stream: trio.SocketStream) -> _Outcome:
        """Have a login done on a transport connection."""
        name = f"initiator of {self._here.portal}: connection {connection.cid}"
        self._nursery.start_soon(Carrier(connection, stream, self._stir).run, name=name)
        while connection not in self._outcomes:
            await self._turned.wait()
        return self._outcomes.pop(connection)

    # Recovery.

    @property
    def _reissues(self) -> bool:
        return self._recovery is not None and self._recovery.policy.reissue

    async def _until_up(self) -> None:
        """Wait while a session is on its way; raises SessionLost if none will come."""
        recovery = self._recovery
        while recovery is not None and not recovery.up:
            if recovery.down:
                raise SessionLost(recovery.down)
            await self._turned.wait()

    def _look_whether_down(self) -> None:
        if self._recovery is not None and self._recovery.down:
            raise LoginFailure(self._recovery.down, self._recovery.status)

    async def _keep_alive(self, recovery: Recovery) -> None:
        """Log in anew each time the session has failed."""
        while not recovery.down:
            if recovery.due is None:
                await self._turned.wait()
            else:
                await self._come_back(recovery)

    async def _come_back(self, recovery: Recovery) -> None:
        """Wait until it is time, and log in once."""
        if recovery.due is None:
            return
        await trio.sleep_until(recovery.due)
        if recovery.down:
            return  # it was closed meanwhile
        recovery.log_in()
        old, self.core = self.core, self.core.successor()
        await self._log_in()
        if recovery.up:
            self.recoveries += 1
            old.reinstated()
        self._turn()
        if recovery.up:
            await self._add_others()

    async def _add_others(self) -> None:
        """Give a session that was brought back the connections that it had."""
        addresses, self._more = self._more, []
        for place, address in enumerate(addresses):
            try:
                await self.add_connection(address)
            except (LoginFailure, SessionLost, UsageError):
                self._more += addresses[place:]
                return

    async def _reconnect(self, core: InitiatorSession, wanted: ConnectionWanted) -> None:
        """Open a connection in the place of one that was lost, while there is time."""
        await trio.sleep(wanted.wait)
        end, delay = trio.current_time() + wanted.retain, self._policy.delay
        while core is self.core and not core.rescue.hopeless:
            try:
                _, stream = await self._transport([self._here])
                connection = core.reconnect(wanted.connection, trio.current_time())
                outcome = await self._start(connection, stream)
            except LoginFailure:
                outcome = None
            if isinstance(outcome, LoggedIn):
                self.reconnections += 1
                return
            refused = isinstance(outcome, LoginFailed) and outcome.status is not None
            if refused or trio.current_time() + delay >= end:
                core.forgo(wanted.connection)
                self._stir(core)
                return
            await trio.sleep(delay)
            delay *= 2

    # How it is done.

    async def _wait(self, request: Request) -> None:
        event = self._waiting[request] = trio.Event()
        self._stir()
        try:
            await event.wait()
        finally:
            self._waiting.pop(request, None)

    def _stir(self, core: InitiatorSession | None = None) -> None:
        """Look what has happened, and let those go on who waited for it."""
        core = core or self.core
        for event in core.take_events():
            match event:
                case Ended(request):
                    waiting = self._waiting.get(request)
                    if waiting is not None:
                        waiting.set()
                case Noticed(message):
                    self.messages = [*self.messages[-_REMEMBERED:], message]
                case Refused(reject):
                    self.rejects = [*self.rejects[-_REMEMBERED:], reject]
                case LoggedIn() | LoginFailed() | Redirected():
                    self._outcomes[event.connection] = event
                    self._turn()
                case ConnectionWanted() if core is self.core:
                    self._nursery.start_soon(self._reconnect, core, event)
                case SessionFailed(wait) if core is self.core:
                    self._fail("the session has failed", wait)
                case SessionEnded() if core is self.core:
                    wait = self.core.parameters.default_time2wait
                    self._fail("the target wanted the session to end", wait)
        self._stirred.set()

    def _fail(self, reason: str, wait: float) -> None:
        if self._recovery is not None:
            self._recovery.session_failed(reason, wait, trio.current_time())
        self._turn()

    def _turn(self) -> None:
        self._turned.set()
        self._turned = trio.Event()

    async def _keep_time(self) -> None:
        while True:
            self._stirred = trio.Event()
            when = self.core.next_deadline()
            with trio.move_on_at(_NEVER if when is None else when):
                await self._stirred.wait()
                continue
            self.core.handle_timer(trio.current_time())
            self._stir()
