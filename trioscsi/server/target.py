"""What users build: a `Target` of disks, a `Server` of targets."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import attrs
import trio

from trioscsi.backends import Abilities, BlockDevice
from trioscsi.errors import UsageError
from trioscsi.limits import Limits
from trioscsi.protocol import Authentication, Node, normalise
from trioscsi.scsi import AccessState, LogicalUnit
from trioscsi.server.access import Address, Door, Guarded, Rules, format_address
from trioscsi.server.authentication import Credentials, Password, authentication
from trioscsi.server.conversation import Conversation, Lender
from trioscsi.server.jobs import Jobs
from trioscsi.server.keeper import Keeper
from trioscsi.server.listener import Portal, accept_loop, open_listeners, parse_portals
from trioscsi.server.perform import Performer
from trioscsi.server.reactor import Reactor
from trioscsi.server.storage import Unit
from trioscsi.text import Offer

log = logging.getLogger("trioscsi")

DEFAULT_LISTEN = "0.0.0.0:3260"
_PORTAL_GROUP = 1
"""All portals of a server are one portal group."""
_OPTIMIZED = AccessState.ACTIVE_OPTIMIZED.label


class Target:
    """An iSCSI target and its disks.

    ``disks`` become LUN 0, 1, ...; ``luns`` gives others their numbers.  ``listen`` is where
    `serve` waits for initiators: ``HOST:PORT``, or sockets that listen already.  ``allow`` are the
    initiator names (or globs) that may log in; with none, only initiators on this machine may,
    unless ``open`` is true.

    ``port_groups`` says how the disks are accessed through each portal group at first, by its tag:
    ``{1: "active/optimized", 2: "standby"}``; `set_access_state` changes it.

    Further keywords are what the target brings to negotiations, by the names of
    `trioscsi.text.Offer`: ``max_burst_length``, ``header_digests``, ``initial_r2t`` and so on.
    ``limits`` bounds what peers can cost.  ``state`` is the folder that keeps what must outlive a
    restart (reservations with APTPL, saved mode pages); without it initiators cannot ask for that.

    ``chap`` is the name and the secret with which initiators have to prove who they are, or a
    mapping of several; ``mutual_chap`` is what the target proves itself with to those who ask.
    ``chap_algorithms`` are in order of preference (8 SHA3-256, 7 SHA-256, 6 SHA1, 5 MD5).
    ``discovery_chap`` is as ``chap``, for discovery sessions.
    Raises UsageError for names, numbers and sizes that no target can have.
    """

    def __init__(
        self,
        name: str,
        *disks: BlockDevice,
        luns: Mapping[int, BlockDevice] | None = None,
        listen: str | Sequence[Portal] = DEFAULT_LISTEN,
        allow: Sequence[str] = (),
        open: bool = False,  # noqa: A002 - the word that users know from --open
        read_only: bool = False,
        alias: str | None = None,
        limits: Limits | None = None,
        state: str | Path | None = None,
        chap: Credentials | None = None,
        mutual_chap: tuple[str, Password] | None = None,
        chap_algorithms: Sequence[int] = (8, 7, 6, 5),
        discovery_chap: Credentials | None = None,
        port_groups: Mapping[int, str] | None = None,
        **negotiation: Any,
    ) -> None:
        self.name = normalise(name)
        proof = authentication(chap, mutual_chap, chap_algorithms)
        self.discovery_proof = authentication(discovery_chap, mutual_chap, chap_algorithms)
        self._portals = parse_portals([listen] if isinstance(listen, str) else listen)
        self.limits = limits or Limits()
        self.rules = Rules.of(allow, open=open, proven=proof is not None)
        self.jobs = Jobs(self.limits.jobs)
        self._keeper = Keeper(None if state is None else Path(state), self.name)
        numbered = dict(enumerate(disks))
        for number, disk in (luns or {}).items():
            if number in numbered:
                raise UsageError(f"LUN {number} is given twice")
            numbered[number] = disk
        offer = _offer(self.limits, proof, target_alias=alias, **negotiation)
        groups = port_groups or {offer.target_portal_group_tag or 1: _OPTIMIZED}
        self._performer = Performer(
            self.name,
            [
                Unit(self._unit(number, disk, read_only=read_only), disk)
                for number, disk in numbered.items()
            ],
            self.jobs,
            self._keeper,
            {tag: AccessState.of(label) for tag, label in groups.items()},
        )
        self.node = Node(
            self.name,
            offer,
            self.limits,
            has_unit=self._performer.has_unit,
            authentication=proof,
        )
        self._server: Server | None = None

    def _unit(self, number: int, disk: BlockDevice, *, read_only: bool) -> LogicalUnit:
        can = Abilities.of(disk)
        unit = LogicalUnit(
            number,
            target_name=self.name,
            block_size=disk.block_size,
            blocks=disk.blocks,
            read_only=read_only or can.read_only,
            write_cache=can.flush is not None,
            maximum_transfer=self.limits.transfer,
            maximum_same=self.limits.write_same,
            keeps_state=self._keeper.can_save,
            clock=monotonic,
        )
        for kept, data in self._keeper.load(number).items():
            unit.restore(kept, data)
        return unit

    @property
    def performer(self) -> Performer:
        """What executes this target's commands."""
        return self._performer

    async def serve(
        self, task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled, or until `stop` has done its work.

        ``task_status.started`` hands over the addresses that are listened at.  Raises PortalError
        if one cannot be.
        """
        self._server = Server(
            [self],
            portals=self._portals,
            limits=self.limits,
            discovery=self.discovery_proof,
        )
        await self._server.serve(task_status)

    async def stop(self, grace: float = 5.0) -> None:
        """Ask initiators to log out, wait ``grace`` seconds at most, then close."""
        if self._server is not None:
            await self._server.stop(grace)

    def set_access_state(self, group: int, state: str) -> None:
        """Change how the disks are accessed through a portal group: all initiators hear of it.

        ``state`` is active/optimized, active/non-optimized, standby, unavailable or transitioning.
        Raises UsageError for another, and for a group that is not there.
        """
        self._performer.target.set_access_state(group, AccessState.of(state))

    def access_state_transition_failed(self) -> None:
        """Tell all initiators that an access state was to change, and did not."""
        self._performer.target.access_state_transition_failed()

    async def close(self) -> None:
        """Close the disks that can be closed; the target is of no further use."""
        await self._performer.close()


class Server:
    """Targets behind common portals: each ``HOST:PORT``, or a socket that listens already."""

    def __init__(
        self,
        targets: Iterable[Target],
        portals: Sequence[Portal] = (DEFAULT_LISTEN,),
        *,
        limits: Limits | None = None,
        discovery: Authentication | None = None,
    ) -> None:
        """``discovery``: what has to be proven before the targets are named."""
        self._limits = limits or Limits()
        self._targets = {target.name: target for target in targets}
        self._guarded = {
            target.name: Guarded(target.node, target.rules) for target in self._targets.values()
        }
        self._portals = parse_portals(portals)
        self._discovery = Node(
            "",
            _offer(self._limits, discovery, target_portal_group_tag=None),
            self._limits,
            authentication=discovery,
        )
        self._no_disks = Performer("", [], Jobs(0), Keeper(None, ""))
        self._lender = Lender(self._limits.turn_bytes)
        self._reactor = Reactor()
        self._conversations: list[Conversation] = []
        self._doors = trio.CancelScope()
        self._scope = trio.CancelScope()
        self._nobody = trio.Event()

    async def serve(
        self, task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled, or until `stop` has done its work.

        Raises PortalError if a portal cannot be listened at.
        """
        with ExitStack() as stack:
            listeners = [
                stack.enter_context(listener)
                for portal in self._portals
                for listener in open_listeners(portal)
            ]
            addresses = [listener.getsockname()[:2] for listener in listeners]
            # Closing the doors must not cut the conversations: they live in a nursery outside.
            with self._scope:
                async with trio.open_nursery() as conversations:
                    conversations.start_soon(self._reactor.run, name="reactor")
                    for target in self._targets.values():
                        conversations.start_soon(target.jobs.run, name=f"jobs of {target.name}")
                    for node in self._nodes:
                        conversations.start_soon(self._keep_time, node, name=f"timer {node.name}")
                    async with trio.open_nursery() as doors:
                        self._doors = doors.cancel_scope
                        for listener, address in zip(listeners, addresses, strict=True):
                            doors.start_soon(
                                self._listen, listener, conversations, name=f"door {address}"
                            )
                        task_status.started(addresses)
                    for listener in listeners:
                        listener.close()
                    await trio.sleep_forever()

    async def stop(self, grace: float = 5.0) -> None:
        """Let nobody in, ask initiators to log out, wait ``grace`` seconds at most, then close."""
        self._doors.cancel()
        for conversation in list(self._conversations):
            conversation.ask_for_logout()
        with trio.move_on_after(grace):
            while self._conversations:
                self._nobody = trio.Event()
                await self._nobody.wait()
        for conversation in list(self._conversations):
            conversation.drop("the target stopped before the initiator had logged out")
        self._scope.cancel()

    @property
    def _nodes(self) -> list[Node]:
        return [self._discovery, *(target.node for target in self._targets.values())]

    def _performer_of(self, node: Node) -> Performer:
        return self._targets[node.name].performer if node.name else self._no_disks

    async def _listen(self, listener: socket.socket, conversations: trio.Nursery) -> None:
        def accepted(sock: socket.socket, peer: Address) -> None:
            if not self._make_room():
                log.warning("%s: no room for another connection", format_address(peer))
                sock.close()
                return
            own = sock.getsockname()[:2]
            door = Door(self._guarded, self._discovery, peer, self._reachable(own))
            conversation = Conversation(
                sock, peer, door, self._limits, self._lender, self._reactor, self._performer_of
            )
            self._conversations.append(conversation)
            conversations.start_soon(
                self._converse, conversation, name=f"connection from {conversation.peer}"
            )

        await accept_loop(listener, accepted)

    def _make_room(self) -> bool:
        """The oldest of too many connections that have not logged in gives way.

        False if there are too many connections and all have logged in.
        """
        waiting = [talk for talk in self._conversations if talk.connection.in_login]
        crowded = len(self._conversations) >= self._limits.connections
        if waiting and (crowded or len(waiting) >= self._limits.logins):
            waiting[0].drop("too many connections that have not logged in")
            return True
        return not crowded

    def _reachable(self, own: Address) -> list[Address]:
        """The portal that a peer came through: it can reach that one for certain."""
        return [own]

    async def _converse(self, conversation: Conversation) -> None:
        try:
            await conversation.run()
        except* Exception:
            # A fault in one conversation ends that conversation, never the server.
            log.exception("the connection from %s ended by a fault of ours", conversation.peer)
        finally:
            self._conversations.remove(conversation)
            if not self._conversations:
                self._nobody.set()

    async def _keep_time(self, node: Node) -> None:
        """Run the deadlines that belong to sessions rather than to a connection."""
        while True:
            deadline = node.deadlines.next()
            with trio.CancelScope(deadline=inf if deadline is None else deadline) as scope:
                node.wake = scope.cancel
                await trio.sleep_forever()
            node.deadlines.run(trio.current_time())
            self._performer_of(node).handle(node.take_events())


def _offer(limits: Limits, proof: Authentication | None, **settings: Any) -> Offer:
    """What a target brings to negotiations, within its limits; raises UsageError."""
    settings.setdefault("target_portal_group_tag", _PORTAL_GROUP)
    if proof is not None:
        settings["auth_methods"] = ("CHAP",)
    unknown = settings.keys() - {field.name for field in attrs.fields(Offer)}
    if unknown:
        raise UsageError(f"a target has no setting {', '.join(sorted(unknown))}")
    try:
        return Offer(max_recv_data_segment_length=limits.segment, **settings)
    except ValueError as error:
        raise UsageError(str(error)) from None
