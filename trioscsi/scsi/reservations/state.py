"""Who may use a unit: what RESERVE has reserved (SPC-2), and persistent reservations (SPC-4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.command import Access, Concern
from trioscsi.scsi.complaints import RESERVATIONS_LOST
from trioscsi.scsi.plan import Failed, Refused, Status
from trioscsi.scsi.reservations.registrations import Registrant, Registrations

if TYPE_CHECKING:
    from collections.abc import Collection

    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.command import Command
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.reservations.registrations import Change
    from trioscsi.scsi.storage import Storage

CONFLICT = Refused(Status.RESERVATION_CONFLICT)


@attrs.define(eq=False)
class Reservations:
    """The reservations of one unit, over all nexuses.

    ``by_name``: an initiator is known by its name alone, whatever its ISID, so that what it has
    reserved is still its own when it comes back with another ISID. While nothing is reserved,
    nothing looks at commands.
    """

    name: ClassVar[str] = "reservations"
    """What they are saved under."""
    _unit: LogicalUnit
    by_name: bool
    reserved_by: Nexus | None = attrs.field(default=None, init=False)
    """Who has the unit by RESERVE."""
    persistent: Registrations = attrs.field(factory=Registrations, init=False)
    lost: bool = attrs.field(default=False, init=False)
    """Whether a restart could not find what was saved, and nobody has begun anew since."""
    _on_disk: bool = attrs.field(default=False, init=False)
    """Whether something may have been saved that a later change has to replace."""

    def registrant(self, nexus: Nexus) -> Registrant:
        """How registrations name a nexus."""
        who = Registrant(nexus.initiator_port, nexus.relative_target_port)
        return who.by_name() if self.by_name else who

    def known(self, registrants: Collection[Registrant]) -> list[Nexus]:
        """Which of these are here."""
        return [each for each in self._unit.nexuses if self.registrant(each) in registrants]

    def ports(self) -> dict[str, set[str]]:
        """The initiator ports that are here, by the names of their initiators."""
        ports: dict[str, set[str]] = {}
        for nexus in self._unit.nexuses:
            ports.setdefault(nexus.initiator_name, set()).add(nexus.initiator_port)
        return ports

    def conflicts(self, access: Access, nexus: Nexus) -> bool:
        """Whether a command of this kind may not be performed for a nexus (SPC-4 section 5.12)."""
        if self.reserved_by is not None and access is not Access.ALWAYS:
            # PERSISTENT RESERVE IN and OUT are not for the one that has reserved, either.
            return access is Access.PERSISTENT or nexus is not self.reserved_by
        return self.persistent.conflicts(access, self.registrant(nexus))

    # What RESERVE and RELEASE do.

    def reserve(self, nexus: Nexus) -> None:
        """Let one nexus have the unit, until it is lost or releases it."""
        self.reserved_by = nexus
        self._watch()

    def release(self, nexus: Nexus) -> None:
        """Nothing is reserved by RESERVE for this nexus any more."""
        if self.reserved_by is nexus:
            self.reset()

    def reset(self) -> None:
        """The unit was reset: what RESERVE has reserved is released (SPC-2 section 5.5.1)."""
        self.reserved_by = None
        self._watch()

    # What PERSISTENT RESERVE OUT does.

    async def take(self, change: Change, storage: Storage) -> None:
        """Make a change, durably if it is to survive a loss of power, and tell of it.

        Raises BackendError if it cannot be saved; it is undone then, unless others have built on
        it in the meantime.
        """
        lost, self.lost = self.lost, False
        self._become(change.after)
        if change.after.aptpl or self._on_disk:
            self._on_disk = True
            try:
                await storage.save(self.name, change.after.encode())
            except BackendError:
                if self.persistent is change.after:
                    self.lost = lost
                    self._become(change.before)
                raise
        for nexus in self.known(change.told):
            nexus.establish(self._unit.number, change.told[self.registrant(nexus)])

    def restore(self, data: bytes) -> None:
        """Be as before a loss of power; raises ValueError if ``data`` cannot be read."""
        self._on_disk = True
        registrations = Registrations.decode(data)
        self._become(registrations.by_name() if self.by_name else registrations)

    def lose(self) -> None:
        """What was saved cannot be read: let nobody in until one begins anew.

        It is a recoverable loss (SPC-4 section 5.13.5.3): REPLACE LOST RESERVATION ends it, and
        nothing else does. What was saved stays as it is until then.
        """
        self._on_disk = self.lost = True
        self._watch()

    def _become(self, registrations: Registrations) -> None:
        self.persistent = registrations
        self._watch()

    def _watch(self) -> None:
        """Look at commands as long as some may conflict."""
        free = self.reserved_by is None and self.persistent.reservation is None
        guard = None if free else self._object
        self._unit.guard(Concern.RESERVATION, _only_what_cannot_harm if self.lost else guard)

    def _object(
        self, _unit: LogicalUnit, command: Command, cdb: Bytes, nexus: Nexus
    ) -> Plan | None:
        return CONFLICT if self.conflicts(command.access_of(cdb), nexus) else None


_REPLACE_LOST_RESERVATION = (0x5F, 0x08)
_NEEDING_NO_RESERVATION = frozenset(
    {
        (0x03, None),  # REQUEST SENSE
        (0x12, None),  # INQUIRY
        (0x3B, None),  # WRITE BUFFER
        (0x3C, None),  # READ BUFFER(10)
        (0x4D, None),  # LOG SENSE
        (0x9B, None),  # READ BUFFER(16)
        (0xA0, None),  # REPORT LUNS
        (0xA3, 0x0A),  # REPORT TARGET PORT GROUPS
        _REPLACE_LOST_RESERVATION,
    }
)
"""What is performed whoever may have reserved the unit (SPC-4 sections 5.13.5.2 and 5.13.5.3)."""
_START_STOP_UNIT = 0x1B


def _only_what_cannot_harm(
    _unit: LogicalUnit, command: Command, cdb: Bytes, _nexus: Nexus
) -> Plan | None:
    """The guard of a unit whose reservations are lost."""
    if (command.opcode, command.service_action) in _NEEDING_NO_RESERVATION:
        return None
    if command.opcode == _START_STOP_UNIT and command.access_of(cdb) is Access.ALWAYS:
        return None  # it starts the unit, and does no more
    return Failed(RESERVATIONS_LOST)
