"""An initiator to use: `connect` to a target and send it commands.

::

    async with connect("iscsi://127.0.0.1:3260/iqn.2025-12.local:disk/0") as session:
        data = await session.read(0, 8)

The only module of the initiator that has sockets and a clock.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import trio

from trioscsi.errors import LoginFailure, SessionLost, UsageError
from trioscsi.initiator import commands
from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.events import (
    Ended,
    Event,
    LoggedIn,
    LoginFailed,
    Noticed,
    Redirected,
    Refused,
    SessionFailed,
)
from trioscsi.initiator.intent import Credentials, Intent
from trioscsi.initiator.ports import Ports
from trioscsi.initiator.requests import Management, Ping, Request, Task, TextWish
from trioscsi.initiator.results import Answer, Capacity, Found
from trioscsi.initiator.rules import Rules
from trioscsi.initiator.session import InitiatorSession
from trioscsi.initiator.url import Url
from trioscsi.limits import Limits
from trioscsi.lun import encode as encode_lun
from trioscsi.machines import Watcher
from trioscsi.pdu import AsyncMessage, Buffer, LogoutReason, Reject, TaskFunction, TaskResult
from trioscsi.protocol import Account, Challenges, Secret
from trioscsi.text import Offer, Pair, SessionType

NAME = "iqn.2025-12.local:trioscsi-initiator"
"""Who we are if nobody says otherwise."""

_PDUS = 32
_BYTES = 262_144
_REDIRECTIONS = 4
_REMEMBERED = 256
"""Messages of the target that are kept for the caller."""


class Session:
    """A session with a target; made by `connect`.

    Several tasks may use it at once.  What the target says unasked is kept in ``messages`` and
    ``rejects``.  Requests raise SessionLost where no answer can come.
    """

    def __init__(self, core: InitiatorSession, lun: int) -> None:
        self.core = core
        self.lun = lun
        """The unit that commands go to unless they say otherwise."""
        self.messages: list[AsyncMessage] = []
        self.rejects: list[Reject] = []
        self._capacities: dict[int, Capacity] = {}
        self._waiting: dict[Request, trio.Event] = {}
        self._outcome: Event | None = None
        self._settled = trio.Event()
        self._output = trio.Event()
        self._stirred = trio.Event()

    # Commands.

    async def command(
        self,
        cdb: bytes,
        *,
        lun: int | None = None,
        data_out: Buffer = b"",
        expected_in: int = 0,
        attributes: int = 1,
    ) -> Answer:
        """Send a CDB with the data that it writes, and take what it reads, at most so much."""
        task = Task(
            lun=self._field(lun),
            cdb=cdb,
            data_out=data_out,
            expected_in=expected_in,
            attributes=attributes,
        )
        await self._do(task)
        if task.response:
            raise SessionLost(f"the target could not carry the command out ({task.response:#04x})")
        return Answer(task.status, task.sense, bytes(task.data_in), task.residual)

    async def read(self, lba: int, blocks: int, *, lun: int | None = None) -> bytes:
        """Read blocks; raises CommandFailed."""
        size = (await self.read_capacity(lun=lun)).block_size
        cdb = commands.read(lba, blocks)
        return (await self.command(cdb, lun=lun, expected_in=blocks * size)).check()

    async def write(self, lba: int, data: Buffer, *, lun: int | None = None) -> None:
        """Write whole blocks; raises CommandFailed."""
        size = (await self.read_capacity(lun=lun)).block_size
        if len(data) % size:
            raise UsageError(f"{len(data)} bytes are no blocks of {size}")
        cdb = commands.write(lba, len(data) // size)
        (await self.command(cdb, lun=lun, data_out=data)).check()

    async def inquiry(self, page: int | None = None, *, lun: int | None = None) -> bytes:
        """The standard INQUIRY data, or a VPD page."""
        cdb = commands.inquiry(page)
        return (await self.command(cdb, lun=lun, expected_in=1024)).check()

    async def read_capacity(self, *, lun: int | None = None) -> Capacity:
        """How large a unit is; a pending unit attention is taken by the way."""
        number = self.lun if lun is None else lun
        known = self._capacities.get(number)
        if known is None:
            await self.wait_ready(lun=lun)
            cdb = commands.read_capacity_16()
            data = (await self.command(cdb, lun=lun, expected_in=32)).check()
            last, size = int.from_bytes(data[:8]), int.from_bytes(data[8:12])
            known = self._capacities[number] = Capacity(last + 1, size)
        return known

    async def wait_ready(self, *, lun: int | None = None) -> None:
        """Take the unit attentions that are pending (TEST UNIT READY)."""
        for _ in range(_ATTENTIONS):
            answer = await self.command(commands.TEST_UNIT_READY, lun=lun)
            if not answer.is_attention:
                return

    async def report_luns(self) -> list[int]:
        """The 64-bit LUN fields of all units."""
        answer = await self.command(commands.report_luns(), lun=0, expected_in=65_536)
        data = answer.check()
        end = min(8 + int.from_bytes(data[:4]), len(data) & ~7)
        return [int.from_bytes(data[place : place + 8]) for place in range(8, end, 8)]

    # Everything else.

    async def ping(self, data: bytes = b"") -> bytes:
        """What comes back to a NOP-Out."""
        ping = Ping(data=data, immediate=True)
        await self._do(ping)
        return ping.answer

    async def manage(
        self, function: TaskFunction, *, lun: int | None = None, about: Task | None = None
    ) -> TaskResult | int:
        """Have a task management function carried out."""
        request = Management(function=function, lun=self._field(lun), about=about, immediate=True)
        await self._do(request)
        return request.result

    async def text(self, *pairs: Pair) -> list[Pair]:
        """What the target answers to keys, outside of any negotiation."""
        wish = TextWish(pairs=list(pairs))
        await self._do(wish)
        return wish.answer

    async def negotiate(self) -> None:
        """Negotiate anew what may change during a session."""
        await self._do(TextWish(negotiates=True))

    async def discover(self) -> list[Found]:
        """The targets that this portal tells of; in a discovery session all of them."""
        found: list[Found] = []
        for name, value in await self.text(("SendTargets", "All" if self.core.discovery else "")):
            if name == "TargetName":
                found.append(Found(value, ()))
            elif name == "TargetAddress" and found:
                found[-1] = attrs.evolve(found[-1], addresses=(*found[-1].addresses, value))
        return found

    async def log_out(self) -> None:
        """End the session by agreement; nothing happens if it has ended."""
        for connection in list(self.core.connections):
            if connection.machine.hears("logout_wanted"):
                wish = self.core.log_out(connection, LogoutReason.CLOSE_SESSION)
                await self._wait(wish)
                return

    # How it is done.

    def _field(self, lun: int | None) -> int:
        return encode_lun(self.lun if lun is None else lun)

    async def _do(self, request: Request) -> None:
        self.core.submit(request)
        await self._wait(request)
        if request.lost:
            raise SessionLost(request.lost)

    async def _wait(self, request: Request) -> None:
        event = self._waiting[request] = trio.Event()
        self._stir()
        try:
            await event.wait()
        finally:
            self._waiting.pop(request, None)

    def _stir(self) -> None:
        """Look what has happened, and let those go on who waited for it."""
        for event in self.core.take_events():
            match event:
                case Ended(request):
                    waiting = self._waiting.get(request)
                    if waiting is not None:
                        waiting.set()
                case Noticed(message):
                    self.messages = [*self.messages[-_REMEMBERED:], message]
                case Refused(reject):
                    self.rejects = [*self.rejects[-_REMEMBERED:], reject]
                case LoggedIn() | LoginFailed() | Redirected() | SessionFailed():
                    self._outcome = self._outcome or event
                    self._settled.set()
        self._output.set()
        self._stirred.set()

    def _wake(self) -> None:
        self._output.set()
        self._stirred.set()

    async def _talk(self, connection: InitiatorConnection, stream: trio.SocketStream) -> None:
        """Everything that goes over one connection, until it is closed."""
        connection.connected(trio.current_time())
        self._stir()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, connection, stream, nursery.cancel_scope)
                nursery.start_soon(self._keep_time, connection)
                await self._receive(connection, stream)
                nursery.cancel_scope.cancel()
        finally:
            connection.lost("the session was given up", trio.current_time())
            self._stir()
            await trio.aclose_forcefully(stream)

    async def _receive(self, connection: InitiatorConnection, stream: trio.SocketStream) -> None:
        while not connection.closed:
            try:
                data = await stream.receive_some(_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            now = trio.current_time()
            if not data:
                connection.lost("the target has closed the connection", now)
            else:
                connection.receive(data)
                while connection.pump(now, _PDUS) == _PDUS:
                    pass
            self._stir()

    async def _send(
        self, connection: InitiatorConnection, stream: trio.SocketStream, all_: trio.CancelScope
    ) -> None:
        while True:
            output = connection.take_output()
            if output:
                try:
                    await stream.send_all(b"".join(output))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    connection.lost("the transport broke", trio.current_time())
                    self._stir()
            elif connection.closed:
                all_.cancel()
                return
            else:
                self._output = trio.Event()
                await self._output.wait()

    async def _keep_time(self, connection: InitiatorConnection) -> None:
        while True:
            self._stirred = trio.Event()
            times = [connection.next_deadline(), self.core.deadlines.next()]
            with trio.move_on_at(min((when for when in times if when is not None), default=_NEVER)):
                await self._stirred.wait()
                continue
            connection.handle_timer(trio.current_time())
            self.core.deadlines.run(trio.current_time())
            self._stir()


_NEVER = float("inf")
_ATTENTIONS = 8
_PORTS = Ports(os.urandom)
_CHALLENGES = Challenges(os.urandom)
"""Of all sessions: a challenge of one may come back on another (section 9.2.1)."""


@asynccontextmanager
async def connect(
    url: str | Url,
    *,
    name: str = NAME,
    limits: Limits | None = None,
    deviation: Deviation | None = None,
    watcher: Watcher | None = None,
    isid: bytes | None = None,
    portal_group: int | None = None,
    **offer: Any,
) -> AsyncIterator[Session]:
    """Log in to a target, or (where the URL names none) to discovery; log out at the end.

    ``isid`` names the initiator port; by default it is one that no other session with this target
    has.  ``portal_group`` is the tag that the target has to have there. ``offer`` are fields of
    `trioscsi.text.Offer`: what is negotiated. Raises LoginFailure if the target refuses or cannot
    be reached, and UsageError for what cannot be.
    """
    where = Url.parse(url) if isinstance(url, str) else url
    rules = Rules(frozenset() if deviation is None else deviation.breaks)
    with _PORTS.one(name, where.target, rules) as port:
        intent = _intent(where, name, isid or port, offer)
        async with _connect(intent, [where], limits, deviation, watcher) as session:
            tag = session.core.parameters.target_portal_group_tag
            if portal_group not in (None, tag):
                await session.log_out()
                raise LoginFailure(f"portal group {tag} answers, not {portal_group}", None)
            yield session


@asynccontextmanager
async def _connect(
    intent: Intent,
    places: list[Url],
    limits: Limits | None,
    deviation: Deviation | None,
    watcher: Watcher | None,
) -> AsyncIterator[Session]:
    """Log in at the first of these places that can be reached, or wherever they lead."""
    for _ in range(_REDIRECTIONS + 1):
        core = InitiatorSession(intent, limits, deviation=deviation, watcher=watcher)
        session = Session(core, places[0].lun)
        with _unwrapped():
            async with trio.open_nursery() as nursery:
                where = await _open(session, places, nursery)
                outcome = session._outcome
                if isinstance(outcome, LoggedIn):
                    try:
                        yield session
                        await session.log_out()
                    finally:
                        nursery.cancel_scope.cancel()
                    return
                nursery.cancel_scope.cancel()
        if not isinstance(outcome, Redirected):
            assert isinstance(outcome, LoginFailed)
            raise LoginFailure(outcome.reason, outcome.status)
        try:
            places = [where.at(address) for address in outcome.addresses]
        except UsageError as error:
            raise LoginFailure(f"redirected, but {error}", None) from None
    raise LoginFailure(f"redirected more than {_REDIRECTIONS} times", None)


async def discover(url: str | Url, **options: Any) -> list[Found]:
    """The targets that a portal tells of; ``options`` are those of `connect`."""
    where = Url.parse(url) if isinstance(url, str) else url
    async with connect(attrs.evolve(where, target=None), **options) as session:
        return await session.discover()


async def _open(session: Session, places: list[Url], nursery: trio.Nursery) -> Url:
    """Open the transport and have the login done, whatever comes of it; where that was."""
    patience = session.core.limits.login_time
    for where in places:
        try:
            with trio.fail_after(patience):
                stream = await trio.open_tcp_stream(where.host, where.port)
            break
        except (OSError, trio.TooSlowError) as error:
            reason = f"{where.portal} cannot be reached: {error or 'no answer'}"
    else:
        raise LoginFailure(reason, None)
    connection = session.core.connect(trio.current_time(), session._wake)
    nursery.start_soon(session._talk, connection, stream)
    await session._settled.wait()
    return where


def _intent(where: Url, name: str, isid: bytes, offer: dict[str, Any]) -> Intent:
    credentials = None
    if where.user is not None:
        if not where.secret:
            raise UsageError(f"no secret for {where.user}")
        target = None
        if where.target_user is not None:
            target = Account(where.target_user, Secret((where.target_secret or "").encode()))
        account = Account(where.user, Secret(where.secret.encode()))
        credentials = Credentials(account, _CHALLENGES, target)
        methods = ("CHAP",) if target is not None else ("CHAP", "None")
        offer = {"auth_methods": methods, **offer}
    whom: dict[str, Any] = {"target_name": where.target}
    if where.target is None:
        whom = {"session_type": SessionType.DISCOVERY}
    return Intent(
        offer=Offer(**{"initiator_name": name, **whom, **offer}),
        isid=isid,
        credentials=credentials,
    )


@contextmanager
def _unwrapped() -> Iterator[None]:
    """Let an error that came alone through a nursery be what it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from None
