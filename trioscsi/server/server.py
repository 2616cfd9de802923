"""A `Server`: targets behind portals, and the conversations with their initiators."""

from __future__ import annotations

import logging
import platform
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from trioscsi import isns
from trioscsi.errors import UsageError, unwrapped
from trioscsi.limits import Limits
from trioscsi.protocol import Node, Session
from trioscsi.server.access import Door
from trioscsi.server.authentication import Credentials, Password, authentication
from trioscsi.server.jobs import Jobs
from trioscsi.server.keeper import Keeper
from trioscsi.server.listener import (
    Address,
    accept_loop,
    format_address,
    is_literal,
    open_listeners,
    parse_listen,
)
from trioscsi.server.name_service import NameService
from trioscsi.server.offers import make_offer
from trioscsi.server.perform import Performer
from trioscsi.server.portals import Listen, Open, Portal, parse_portals, reachable
from trioscsi.server.reception import Reception
from trioscsi.server.stepping import Gate
from trioscsi.server.tracing import Trace, Traced, opened, together
from trioscsi.server.web.page import LivePage

if TYPE_CHECKING:
    from trioscsi.server.conversation import Conversation
    from trioscsi.server.target import Target
    from trioscsi.teaching.live import Feed

log = logging.getLogger("trioscsi")

DEFAULT_LISTEN = "0.0.0.0:3260"

_STOPPED = "the target stopped before the initiator had logged out"
_DRAINED = "the session was drained before the initiator had logged out"


class Server:
    """Targets behind common portals: each ``HOST:PORT``, a listening socket, or a `Portal`.

    ``discovery_chap`` (with ``mutual_chap``) is what has to be proven before targets are named;
    ``name_server`` is an iSNS server, ``HOST:PORT``, at which targets and portals are registered;
    without ``discovery`` nobody may ask which targets there are.
    ``trace`` is the pcapng file that is written of all connections, or a
    `trioscsi.server.tracing.Trace` that is told of them, or several of these.
    ``step`` is a `trioscsi.server.stepping.Gate` that says when each PDU may be handled.
    ``control`` is the path of a Unix socket at which programs of the same user may watch
    (specs/control.md).
    ``web`` is where a page shows all that live: ``HOST:PORT``, or a `LivePage` with a token.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        portals: Sequence[Portal | Listen] = (DEFAULT_LISTEN,),
        *,
        limits: Limits | None = None,
        discovery_chap: Credentials | None = None,
        mutual_chap: tuple[str, Password] | None = None,
        name_server: str | None = None,
        discovery: bool = True,
        trace: Traced | Sequence[Traced] | None = None,
        step: Gate | None = None,
        control: str | Path | None = None,
        web: LivePage | str | None = None,
    ) -> None:
        self._trace = trace
        self._tracing: Trace | None = None
        """The same, while it is served."""
        self._gate = step
        self._control = None if control is None else Path(control)
        self._page = LivePage(web) if isinstance(web, str) else web
        self._page_addresses: list[Address] = []
        self._feed: Feed | None = None
        self._limits = limits or Limits()
        self._targets: dict[str, Target] = {}
        for target in targets:
            if target.name in self._targets:
                raise UsageError(f"there are two targets {target.name}")
            self._targets[target.name] = target
        self._guarded = {name: target.guarded for name, target in self._targets.items()}
        self._removed: set[str] = set()
        self._portals = parse_portals(portals)
        for target in self._targets.values():
            target.reached_through({portal.group for portal in self._portals})
        self._name_service = None
        if name_server is not None:
            where = parse_listen(name_server, default_port=isns.PORT)
            self._name_service = NameService(where, self._entity, self._limits)
        proof = authentication(discovery_chap, mutual_chap)
        self._has_discovery = discovery
        self._discovery = Node(
            "", make_offer(self._limits, proof), self._limits, authentication=proof
        )
        self._no_disks = Performer("", [], Jobs(0), Keeper(None, ""))
        self.reception = Reception(self._limits, self._performer_of)
        self.refusals = self.reception.refusals
        """What was refused of late, and why."""
        self._open: list[Open] = []
        self._doors = trio.CancelScope()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._scopes: dict[str, trio.CancelScope] = {}
        """What ends the tasks of a target, by its name."""

    async def serve(
        self, task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled, or until `stop` has done its work.

        Raises PortalError if a portal, the control socket or the page cannot be listened at, and
        CaptureError if the trace cannot be written.
        """
        with unwrapped(), ExitStack() as stack:
            stack.callback(self._ended.set)
            self._tracing = stack.enter_context(opened(self._trace))
            control = self._open_control(stack)
            page = self._open_page(stack)
            listeners = {
                stack.enter_context(listener): Open(portal, listener.getsockname()[:2])
                for portal in self._portals
                for listener in open_listeners(portal.listen)
            }
            self._open = list(listeners.values())
            # Closing the doors must not cut the conversations: they live in a nursery outside.
            with self._scope:
                async with trio.open_nursery() as conversations:
                    conversations.start_soon(self.reception.reactor.run, name="reactor")
                    self._nursery = conversations
                    conversations.start_soon(
                        keep_time, self._discovery, self._no_disks, name="timer of discovery"
                    )
                    for target in self._targets.values():
                        conversations.start_soon(self._attend, target, name=target.name)
                    if control is not None:
                        conversations.start_soon(control, name="control socket")
                    if page is not None:
                        await conversations.start(page, name="live page")
                    if self._name_service is not None:
                        conversations.start_soon(self._name_service.run, name="name service")
                    async with trio.open_nursery() as doors:
                        self._doors = doors.cancel_scope
                        for listener, door in listeners.items():
                            doors.start_soon(
                                self._listen,
                                listener,
                                door,
                                conversations,
                                name=f"door {format_address(door.address)}",
                            )
                        task_status.started([door.address for door in self._open])
                    for listener in listeners:
                        listener.close()
                    await trio.sleep_forever()

    def _open_control(self, stack: ExitStack) -> Callable[[], Awaitable[None]] | None:
        """What answers at the control socket, if there is one."""
        if self._control is None:
            return None
        from trioscsi.server.control import Control
        from trioscsi.server.control.door import listening

        return partial(Control(self.feed).serve, stack.enter_context(listening(self._control)))

    def _open_page(self, stack: ExitStack) -> Callable[..., Awaitable[None]] | None:
        """What serves the live page, if there is one."""
        if self._page is None:
            return None
        # A server without a page does without all of this.
        from trioscsi.server.web.serving import serve_page

        doors = [stack.enter_context(door) for door in open_listeners(self._page.address)]
        self._page_addresses = [door.getsockname()[:2] for door in doors]
        return partial(serve_page, self, self._page, doors)

    @property
    def page_urls(self) -> list[str]:
        """Where the live page is, while it is served."""
        return [f"http://{format_address(address)}/" for address in self._page_addresses]

    async def stop(self, grace: float = 5.0) -> None:
        """Let nobody in, ask initiators to log out, wait ``grace`` seconds at most, then close.

        Storage that hangs even then is given up after ``Limits.abort_time``, if it can be (what
        runs in threads can): its disk is of no further use.
        """
        if self._name_service is not None:
            await self._name_service.deregister()
        self._doors.cancel()
        for target in self._targets.values():
            target.node.closing = True
        await self.reception.see_off(lambda _: True, grace, _STOPPED)
        self._scope.cancel()
        if self._nursery is not None:
            with trio.move_on_after(self._limits.abort_time):
                await self._ended.wait()
            if not self._ended.is_set():
                log.warning("storage hangs, and is given up")
                for target in self._targets.values():
                    target.performer.abandon()

    async def drain(self, *sessions: Session, grace: float = 5.0) -> None:
        """Ask the initiators of these sessions to log out, wait ``grace`` seconds at most, then
        end what is left of them.

        ``server.targets[name].sessions`` are those of a target.  Nobody is kept from logging in
        again: `remove` and `stop` do that.
        """

        def is_of_one(talk: Conversation) -> bool:
            return talk.connection.session in sessions

        await self.reception.see_off(is_of_one, grace, _DRAINED)
        for session in sessions:
            session.end_cleanups()
            session.node.wake()  # whoever keeps its time sees to what this ends

    def add(self, target: Target) -> None:
        """Serve one more target from now on; raises UsageError if its name is taken."""
        if target.name in self._targets:
            raise UsageError(f"there are two targets {target.name}")
        self._targets[target.name] = target
        self._guarded[target.name] = target.guarded
        self._removed.discard(target.name)
        target.node.closing = False
        target.reached_through({portal.group for portal in self._portals})
        if self._nursery is not None:
            self._nursery.start_soon(self._attend, target, name=target.name)

    async def remove(self, name: str, grace: float = 5.0) -> Target:
        """Take a target away, when its initiators have logged out or ``grace`` seconds are over.

        From the beginning nobody may log in to it any more: it is said that it was removed.
        Raises UsageError if there is none.
        """
        if name not in self._guarded:  # or it is being removed
            raise UsageError(f"there is no target {name}")
        target = self._targets[name]
        target.node.closing = True
        del self._guarded[name]
        self._removed.add(name)
        await self.reception.see_off(lambda talk: talk.node is target.node, grace, _STOPPED)
        for session in target.sessions:
            session.end_cleanups()
        target.performer.attend(target.node)
        del self._targets[name]
        scope = self._scopes.pop(name, None)
        if scope is not None:
            scope.cancel()
        return target

    async def _attend(self, target: Target) -> None:
        """What a target needs besides conversations, until it is removed."""
        with trio.CancelScope() as self._scopes[target.name]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(target.jobs.run, name=f"jobs of {target.name}")
                nursery.start_soon(target.watch.run, name=f"watch of {target.name}")
                nursery.start_soon(
                    keep_time, target.node, target.performer, name=f"timer of {target.name}"
                )

    def _entity(self, own: Address, notice_port: int) -> isns.Entity:
        """What a name server is told that reaches us at this address."""
        portals = reachable(self._open, self._open[0], own)
        return isns.Entity(
            f"{platform.node()}:{self._open[0].address[1]}",
            tuple(
                isns.Node(
                    target.name,
                    target.alias,
                    tuple(
                        (host, port, group)
                        for (host, port), group in portals
                        if target.guarded.reached_by(group) and is_literal(host)
                    ),
                )
                for target in self._targets.values()
            ),
            self._limits.isns_interval,
            notice_port,
        )

    @property
    def feed(self) -> Feed:
        """What happens on all connections, to be subscribed to: see `trioscsi.teaching.live`.

        It is told of the connections that come in after it was asked for the first time.
        """
        if self._feed is None:
            # A server that nobody watches does without all of this.
            from trioscsi.server.live import surroundings
            from trioscsi.teaching.live import Feed

            self._feed = Feed(surroundings=lambda: surroundings(self._targets.values(), self._open))
        return self._feed

    @property
    def targets(self) -> Mapping[str, Target]:
        """The targets by their names."""
        return MappingProxyType(self._targets)

    @property
    def conversations(self) -> Sequence[Conversation]:
        """The transport connections that are open."""
        return tuple(self.reception.conversations)

    @property
    def nodes(self) -> list[Node]:
        """The place of discovery, which has no name, and the targets as peers know them."""
        return [self._discovery, *(target.node for target in self._targets.values())]

    def _performer_of(self, node: Node) -> Performer:
        return self._targets[node.name].performer if node.name else self._no_disks

    async def _listen(
        self, listener: socket.socket, open_door: Open, conversations: trio.Nursery
    ) -> None:
        def accepted(sock: socket.socket, peer: Address) -> None:
            refusal = self.reception.refusal(peer)
            if refusal is not None:
                log.warning("%s: refused: %s", format_address(peer), refusal)
                sock.close()
                return
            own = sock.getsockname()[:2]
            where = peer, own, open_door.address
            portals = reachable(self._open, open_door, own)
            live = None if self._feed is None else self._feed.connect(*where)
            turnstile = None if self._gate is None else self._gate.connect(*where)
            trace = None if self._tracing is None else self._tracing.connect(*where)
            door = Door(
                self._guarded, self._discovery, peer, portals, self._removed, self._has_discovery
            )
            conversation = self.reception.let_in(
                conversations,
                sock,
                peer,
                door,
                together([tap for tap in (trace, live, turnstile) if tap is not None]),
                turnstile,
            )
            if live is not None:
                live.follow(conversation.connection)

        await accept_loop(listener, accepted)


async def keep_time(node: Node, performer: Performer) -> None:
    """Run the deadlines that belong to sessions rather than to a connection."""
    while True:
        deadline = node.deadlines.next()
        with trio.CancelScope(deadline=inf if deadline is None else deadline) as scope:
            node.wake = scope.cancel
            await trio.sleep_forever()
        node.deadlines.run(trio.current_time())
        performer.attend(node)
