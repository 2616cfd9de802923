"""What users build: a `Target` of disks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from secrets import token_bytes
from time import monotonic, time
from typing import Any

import attrs
import trio

from trioscsi.backends import Abilities, BlockDevice
from trioscsi.backends.sizes import count_blocks, parse_size
from trioscsi.errors import UsageError
from trioscsi.limits import Limits
from trioscsi.protocol import Node, Session, View, normalise
from trioscsi.scsi import AccessState, CdRom, LogicalUnit
from trioscsi.server.access import Guarded, Moved, Redirect, Rules
from trioscsi.server.authentication import Credentials, Password, authentication
from trioscsi.server.inventory import Inventory
from trioscsi.server.jobs import Jobs
from trioscsi.server.keeper import Keeper, Kept
from trioscsi.server.listener import Address
from trioscsi.server.offers import make_offer
from trioscsi.server.pace import Pace
from trioscsi.server.perform import Performer
from trioscsi.server.portals import Listen, Portal, parse_portals
from trioscsi.server.refusals import Refusal
from trioscsi.server.server import DEFAULT_LISTEN, Server
from trioscsi.server.stepping import Gate
from trioscsi.server.storage import Unit
from trioscsi.server.supervised import check
from trioscsi.server.tracing import Traced
from trioscsi.server.watch import Watch
from trioscsi.server.web.page import LivePage

log = logging.getLogger("trioscsi")


class Target:
    """An iSCSI target and its disks.

    ``disks`` become LUN 0, 1, ...; ``luns`` gives others their numbers.  ``listen`` is where
    `serve` waits for initiators: ``HOST:PORT``, sockets that listen already, or a `Portal`.

    ``allow`` are the initiator names (or globs) that may log in, ``allow_from`` the addresses or
    networks; with neither, only initiators on this machine may, unless ``open`` is true or there
    is ``chap``.  ``redirect`` sends initiators elsewhere: an address, a `Moved`, a mapping of
    initiator names (or globs) to these, or a `Redirect` that asks a callable.  ``name_server`` is
    an iSNS server, ``HOST:PORT``, at which the target is registered.

    ``views`` say what initiators see, by their names or globs of them: a `View` gives units other
    numbers, hides some, or protects them; the first one that fits counts, and else all is seen.

    ``port_groups`` are the portal groups through which the target can be reached, by default all,
    and how its disks are accessed through each at first: ``{1: "active/optimized", 2: "standby"}``;
    `set_access_state` changes it.

    Further keywords are what the target brings to negotiations, by the names of
    `trioscsi.text.Offer`: ``max_burst_length``, ``header_digests``, ``initial_r2t`` and so on.
    ``limits`` bounds what peers can cost.  ``state`` is the folder that keeps what must outlive a
    restart (reservations with APTPL, saved mode pages); without it initiators cannot ask for that.
    Until the target is closed, no other of the same name can have it.

    ``overhaul_rate`` is how many bytes a second formatting and sanitizing may write, on all disks
    together: a number, or a size such as "50MiB"; by default they write as fast as they can. Blocks
    that can be given back to storage are no writing.

    ``registrations_by_name``: persistent reservations know an initiator by its name alone, so that
    one which logs in with a new ISID (as open-iscsi does) finds its registration again, and all its
    sessions share one.

    ``chap`` is the name and the secret with which initiators have to prove who they are, or a
    mapping of several, where a pair of a secret and the name of an initiator (or a glob) keeps all
    others from it; ``mutual_chap`` is what the target proves itself with to those who ask.
    ``chap_algorithms`` are in order of preference (8 SHA3-256, 7 SHA-256, 6 SHA1, 5 MD5).
    ``discovery_chap`` is as ``chap``, for discovery sessions.
    ``unit_events`` sends an Asynchronous Message when units come, go or change their size, besides
    the unit attention; there are initiators in boot ROMs that cannot bear one.

    ``trace`` is a pcapng file that is written of all connections, for Wireshark and for
    ``trioscsi explain``, or a `trioscsi.server.tracing.Trace` that is told of them, or several.
    A capture holds what is read and written; secrets are taken out.
    ``step`` says when each PDU may be handled (`trioscsi.server.stepping.Gate`).
    ``control`` is the path of a Unix socket at which ``trioscsi watch`` sees what happens.
    ``web`` is where a page shows what happens on all connections while it happens, with metrics and
    an API: ``HOST:PORT`` on the loopback interface, or a `LivePage` with a token.
    Raises UsageError for names, numbers and sizes that no target can have, and for disks that lack
    `read` or `write`, or have a `read` that is not async.
    """

    def __init__(
        self,
        name: str,
        *disks: BlockDevice,
        luns: Mapping[int, BlockDevice] | None = None,
        listen: str | Portal | Sequence[Portal | Listen] = DEFAULT_LISTEN,
        port_groups: Mapping[int, str] | None = None,
        allow: str | Sequence[str] = (),
        allow_from: str | Sequence[str] = (),
        open: bool = False,  # noqa: A002 - the word that users know from --open
        read_only: bool = False,
        alias: str | None = None,
        limits: Limits | None = None,
        state: str | Path | None = None,
        overhaul_rate: str | int | None = None,
        registrations_by_name: bool = False,
        chap: Credentials | None = None,
        mutual_chap: tuple[str, Password] | None = None,
        chap_algorithms: Sequence[int] = (8, 7, 6, 5),
        discovery_chap: Credentials | None = None,
        name_server: str | None = None,
        views: Mapping[str, View] | None = None,
        trace: Traced | Sequence[Traced] | None = None,
        step: Gate | None = None,
        control: str | Path | None = None,
        web: LivePage | str | None = None,
        redirect: Redirect | Moved | str | Mapping[str, Moved | str] | None = None,
        unit_events: bool = True,
        **negotiation: Any,
    ) -> None:
        self.name = normalise(name)
        proof = authentication(chap, mutual_chap, chap_algorithms)
        if mutual_chap is not None and chap is None and discovery_chap is None:
            raise UsageError("mutual CHAP needs CHAP: say what initiators have to prove")
        self._discovery_chap, self._mutual_chap = discovery_chap, mutual_chap
        self._name_server, self._trace, self._page = name_server, trace, web
        self._gate = step
        self.control = None if control is None else Path(control)
        """Where the control socket is while this is served."""
        self.alias = alias
        self._portals = parse_portals([listen] if isinstance(listen, str | Portal) else listen)
        self.limits = limits or Limits()
        rules = Rules.of(allow, allow_from, open=open, proven=proof is not None)
        pace = Pace(None if overhaul_rate is None else parse_size(overhaul_rate))
        self.jobs = Jobs(self.limits.jobs, pace)
        self._keeper = Keeper(None if state is None else Path(state), self.name)
        self._registrations_by_name = registrations_by_name
        numbered = dict(enumerate(disks))
        for number, disk in (luns or {}).items():
            if number in numbered:
                raise UsageError(f"LUN {number} is given twice")
            numbered[number] = disk
        states = None
        if port_groups is not None:
            states = {tag: AccessState.of(label) for tag, label in port_groups.items()}
        self.watch = Watch(lambda: self._performer.units, self.limits.space_interval)
        self._performer = Performer(
            self.name,
            [
                Unit(self._unit(number, disk, read_only=read_only), disk)
                for number, disk in numbered.items()
            ],
            self.jobs,
            self._keeper,
            states,
            most_waiting=self.limits.task_set,
        )
        self.node = Node(
            self.name,
            make_offer(self.limits, proof, target_alias=alias, **negotiation),
            self.limits,
            units=self._performer.task_sets,
            authentication=proof,
        )
        self.guarded = Guarded(
            self.node,
            rules,
            groups=None if port_groups is None else frozenset(port_groups),
            views={name.lower(): view for name, view in (views or {}).items()},
            redirect=Redirect.of(redirect),
        )
        self._inventory = Inventory(self._performer, self.node, told=unit_events)
        self._server: Server | None = None

    def _unit(self, number: int, disk: BlockDevice, *, read_only: bool) -> LogicalUnit:
        can = Abilities.of(disk)
        unit = (CdRom if can.optical else LogicalUnit)(
            number,
            target_name=self.name,
            block_size=disk.block_size,
            blocks=disk.blocks,
            physical_block_size=can.physical_block_size or disk.block_size,
            read_only=read_only or can.read_only,
            write_cache=can.flush is not None,
            thin=can.thin,
            granularity=can.granularity,
            maximum_unmap=self.limits.unmap,
            maximum_unmap_descriptors=self.limits.unmap_descriptors,
            maximum_transfer=self.limits.transfer,
            atomic=can.write_atomic is not None,
            maximum_same=self.limits.write_same,
            overhaul_rate=self.jobs.pace.rate,
            keeps_state=self._keeper.can_save,
            registrations_by_name=self._registrations_by_name,
            maximum_registrations=self.limits.registrations,
            clock=monotonic,
            time=time,
            random=token_bytes,
        )
        check(disk, read_only=unit.read_only)
        for kept in self._keeper.load(number):
            self._take_back(unit, kept)
        unit.thresholds.changed = unit.tokens.made = self.watch.wake
        return unit

    def _take_back(self, unit: LogicalUnit, kept: Kept) -> None:
        """Let a unit find what was saved, or go on without it where the standard says how."""
        try:
            unit.restore(kept.name, kept.read())
        except UsageError as error:
            if not unit.lose(kept.name):
                raise UsageError(f"{kept.path}: {error}") from None
            self._keeper.spare(kept)
            log.error(
                "LUN %d of %s does not know any more who is registered and who has reserved it; "
                "%s: %s. Nearly all commands are refused until an initiator begins anew "
                "(PERSISTENT RESERVE OUT, REPLACE LOST RESERVATION), or the target is started "
                "without this file, or with a good copy of it",
                unit.number,
                self.name,
                kept.path,
                error,
            )

    @property
    def performer(self) -> Performer:
        """What executes this target's commands."""
        return self._performer

    async def serve(
        self, task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled, or until `stop` has done its work.

        ``task_status.started`` hands over the addresses that are listened at.  Raises PortalError
        if one cannot be, or the control socket, and CaptureError if the trace cannot be written.
        """
        self._server = Server(
            [self],
            portals=self._portals,
            limits=self.limits,
            discovery_chap=self._discovery_chap,
            mutual_chap=self._mutual_chap,
            name_server=self._name_server,
            trace=self._trace,
            step=self._gate,
            control=self.control,
            web=self._page,
        )
        await self._server.serve(task_status)

    async def stop(self, grace: float = 5.0) -> None:
        """Ask initiators to log out, wait ``grace`` seconds at most, then close.

        See `Server.stop` for storage that hangs.
        """
        if self._server is not None:
            await self._server.stop(grace)

    @property
    def sessions(self) -> Sequence[Session]:
        """The sessions of initiators that have logged in, and not out."""
        return self.node.sessions

    async def drain(self, *sessions: Session, grace: float = 5.0) -> None:
        """Ask initiators to log out of these sessions, or of all if none is named.

        What is left after ``grace`` seconds is ended.  They may log in again.  It is for targets
        that `serve` by themselves; see `Server.drain` for others.
        """
        if self._server is not None:
            await self._server.drain(*(sessions or self.sessions), grace=grace)

    @property
    def refusals(self) -> Sequence[Refusal]:
        """What was refused of late, and why, oldest first; nothing before `serve`."""
        return [] if self._server is None else list(self._server.refusals)

    @property
    def page_urls(self) -> list[str]:
        """Where the live page is, while it is served."""
        return [] if self._server is None else self._server.page_urls

    def renegotiate(
        self, *, alias: str | None = None, max_recv_data_segment_length: int | None = None
    ) -> None:
        """Bring something else to negotiations, and ask all initiators to negotiate anew.

        These two are all that may change during a session (RFC 7143 chapter 13). Raises UsageError
        for what the RFC does not allow.
        """
        changes: dict[str, Any] = {}
        if alias is not None:
            changes["target_alias"] = self.alias = alias
        if max_recv_data_segment_length is not None:
            changes["max_recv_data_segment_length"] = max_recv_data_segment_length
        try:
            self.node.offer = attrs.evolve(self.node.offer, **changes)
        except ValueError as error:
            raise UsageError(str(error)) from None
        for session in self.node.sessions:
            for connection in session.connections:
                connection.ask_for_negotiation(trio.current_time())

    def reached_through(self, groups: Iterable[int]) -> None:
        """Say which portal groups there are, to a target that can be reached through all."""
        if self.guarded.groups is None:
            self._performer.target.port_groups.include(groups)

    def set_access_state(self, group: int, state: str) -> None:
        """Change how the disks are accessed through a portal group: all initiators hear of it.

        ``state`` is active/optimized, active/non-optimized, standby, unavailable or transitioning.
        Raises UsageError for another, and for a group that is not there.
        """
        self._performer.target.set_access_state(group, AccessState.of(state))

    def access_state_transition_failed(self) -> None:
        """Tell all initiators that an access state was to change, and did not."""
        self._performer.target.access_state_transition_failed()

    def add_lun(self, lun: int, disk: BlockDevice, *, read_only: bool = False) -> None:
        """One more disk, at once; raises UsageError as the constructor does."""
        self._performer.units.check_free(lun)
        self._inventory.add(Unit(self._unit(lun, disk, read_only=read_only), disk))

    async def remove_lun(self, lun: int, *, grace: float = 5.0) -> BlockDevice:
        """Take a disk away, and return it once nothing uses it any more; it is not closed.

        Commands that are under way have ``grace`` seconds to end, then they get TASK ABORTED, and
        what goes on without a command (IMMED, formatting) is cut off. Where storage hangs, this
        waits for it. Raises UsageError if there is no such LUN.
        """
        return await self._inventory.remove(lun, grace)

    async def resize(self, lun: int, size: str | int) -> None:
        """Give a disk another size, in bytes or as "10GiB"; initiators see it at once.

        Raises UsageError if there is no such LUN, or the disk cannot be of that size, and
        BackendError if storage fails.
        """
        block_size = self._performer.units.unit(lun).logical.block_size
        await self._inventory.resize(lun, count_blocks(parse_size(size), block_size))

    async def rescan(self) -> None:
        """Let disks have the size that their storage has by now: a file may have grown.

        Raises BackendError if storage fails, and UsageError if there is nothing left of one.
        """
        await self._inventory.rescan()

    async def close(self) -> None:
        """Close the disks that can be closed; the target is of no further use."""
        try:
            await self._performer.units.close()
        finally:
            await self._keeper.close()
