"""A target node and its sessions (RFC 7143 sections 4.2.7, 6.3.1 and 6.3.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

import attrs

from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.machines._automat import Watcher
from trioscsi.machines.session import FAILED
from trioscsi.pdu import LoginStatus
from trioscsi.protocol.credentials import Authentication
from trioscsi.protocol.deadlines import Deadlines
from trioscsi.protocol.events import CommandsCleared
from trioscsi.protocol.line import nobody
from trioscsi.protocol.tasks import Dying
from trioscsi.text import Offer

Nexus: TypeAlias = tuple[str, bytes, int | str]
"""Initiator name and ISID, and what they are connected to: see `Session.nexus`."""

if TYPE_CHECKING:
    from trioscsi.protocol.events import Event
    from trioscsi.protocol.session import Session
    from trioscsi.protocol.tasks import Task
    from trioscsi.protocol.view import View


class Units:
    """What task management asks about logical units (SAM-5 chapter 7): here, that there are none.

    Each is addressed by a 64-bit LUN field; only `has` is asked about those that do not exist.
    """

    def has(self, lun: int) -> bool:
        """Whether the field addresses a unit."""
        return False

    def shares_tasks(self, lun: int) -> bool:
        """Whether the commands of all sessions are one task set (TST), not a set for each."""
        return True

    def tells_of_aborts(self, lun: int) -> bool:
        """Whether a session gets TASK ABORTED for commands that another one ended (TAS)."""
        return False

    def clear_aca(self, lun: int, session: Session) -> None:
        """End an auto contingent allegiance of this session, if there is one."""

    def attention(self, lun: int, session: Session) -> int | None:
        """The additional response information about a unit attention; None if none is pending."""


@attrs.define(eq=False)
class Node:
    """An iSCSI target as its peers know it, or (with an empty name) the place of discovery.

    ``events`` is what the server has to do next: whoever calls into the protocol takes them
    afterwards.  ``wake`` is called when a deadline is set that may be earlier than all others.
    """

    name: str
    offer: Offer
    limits: Limits = attrs.field(factory=Limits)
    units: Units = attrs.field(factory=Units)
    authentication: Authentication | None = attrs.field(default=None, kw_only=True)
    """What an initiator has to prove to log in; its ``offer`` then has the method CHAP alone."""
    watcher: Watcher | None = None
    closing: bool = attrs.field(default=False, kw_only=True)
    """Whether nobody may log in any more."""
    wake: Callable[[], None] = nobody
    events: list[Event] = attrs.field(factory=list, init=False)
    deadlines: Deadlines = attrs.field(factory=Deadlines, init=False)
    texts: set[object] = attrs.field(factory=set, init=False)
    """The text exchanges that are not over."""
    dying: Dying = attrs.field(factory=Dying, init=False)
    _sessions: dict[Nexus, Session] = attrs.field(factory=dict, init=False)
    _last_tsih: int = attrs.field(default=0, init=False)

    @property
    def sessions(self) -> list[Session]:
        """All sessions whose login has ended, failed ones included."""
        return list(self._sessions.values())

    def find(self, nexus: Nexus) -> Session | None:
        """The session between these two ports, if any (section 4.4.3)."""
        return self._sessions.get(nexus)

    def make_room(self, replaced: Session | None) -> None:
        """See to it that one more session fits; a failed one gives way.

        Raises PeerError with status OUT OF RESOURCES if all places are taken by living sessions.
        """
        if replaced is not None or len(self._sessions) < self.limits.sessions:
            return
        for session in self.sessions:
            if session.state == FAILED.name:
                # One that a login is about to replace stays.
                session.end_cleanups()
                if len(self._sessions) < self.limits.sessions:
                    return
        raise PeerError(
            f"all {self.limits.sessions} sessions of this target are taken",
            section="11.13.5",
            answer=LoginStatus.OUT_OF_RESOURCES,
        )

    def admit(self, session: Session) -> None:
        """A session has entered full feature phase."""
        self._sessions[session.nexus] = session

    def remove(self, session: Session) -> None:
        """A session is over."""
        if self.find(session.nexus) is session:
            del self._sessions[session.nexus]

    def end_tasks(
        self,
        concerns: Callable[[Task], bool],
        by: Session | None,
        sessions: Iterable[Session],
        *,
        reset: bool = False,
    ) -> None:
        """End tasks of these sessions because of what ``by`` did (None: nobody of them).

        ``by`` knows of it.  The others get TASK ABORTED status where their unit's mode page wants
        that, and else a unit attention, which a ``reset`` has anyway.
        """
        for session in sessions:
            tasks = [task for task in session.tasks if concerns(task)]
            if session is not by:
                for connection, lun in dict.fromkeys((t.connection, t.lun) for t in tasks):
                    connection.tasks_end(lun)
                told = [task for task in tasks if self.units.tells_of_aborts(task.lun)]
                session.abort(told, told=True)
                tasks = [task for task in tasks if task not in told]
                if not reset:
                    units = dict.fromkeys(task.lun for task in tasks)
                    self.events += [CommandsCleared(session, lun) for lun in units]
                session.end_silently(tasks)
            else:
                session.abort(tasks)

    def when_gone(self, tasks: Iterable[Task], then: Callable[[], None], now: float) -> None:
        """Call ``then`` when the device server has let go of ``tasks``, or has had its time.

        Storage that hangs keeps a task's buffer and its blocks to itself until it answers, so that
        its answer harms nothing.
        """

        def ended() -> None:
            self.deadlines.cancel(ended)
            then()

        if not self.dying.when_gone(tasks, ended):
            when = now + self.limits.abort_time
            self.set_deadline(ended, when, partial(self.dying.give_up, ended))

    def new_tsih(self) -> int:
        """A Target Session Identifying Handle that no session has: 1 to 65535."""
        taken = {session.tsih for session in self._sessions.values()}
        while True:
            self._last_tsih = self._last_tsih % 0xFFFF + 1
            if self._last_tsih not in taken:
                return self._last_tsih

    def take_events(self) -> list[Event]:
        """What has to be done since the last call."""
        events, self.events = self.events, []
        return events

    def set_deadline(self, name: object, when: float, then: Callable[[], None]) -> None:
        """Have ``then`` called at ``when``, whether or not any connection lives by then."""
        self.deadlines.set(name, when, then)
        self.wake()


class Redirection(PeerError):
    """The target is elsewhere: ``address`` is a TargetAddress (sections 11.13.5 and 13.8)."""

    def __init__(self, address: str, *, permanent: bool) -> None:
        super().__init__(
            f"the initiator is sent to {address}",
            section="11.13.5",
            answer=(
                LoginStatus.TARGET_MOVED_PERMANENTLY
                if permanent
                else LoginStatus.TARGET_MOVED_TEMPORARILY
            ),
        )
        self.address = address


class Gatekeeper(Protocol):
    """Who decides which targets there are for a peer, and whether it may log in.

    ``portal_group`` is the tag of the portal group that the peer came through, ``portal`` the
    address of the portal.
    """

    @property
    def portal_group(self) -> int: ...

    @property
    def portal(self) -> str: ...

    def node(self, initiator_name: str, target_name: str | None) -> Node:
        """The node to log in to; None for ``target_name`` asks for a discovery session.

        Raises PeerError with the login status to answer (RFC 7143 section 11.13.5).
        """

    def view(self, initiator_name: str, target_name: str) -> View:
        """What the initiator sees of a target."""

    def proven(self, initiator_name: str, target_name: str) -> None:
        """The initiator has proven who it is, or need not.

        Raises PeerError with the login status to answer if that changes anything.
        """

    def targets(self, initiator_name: str) -> list[tuple[str, list[str]]]:
        """The targets that this peer may know, each with its TargetAddress values."""
