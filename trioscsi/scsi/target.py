"""A SCSI target device: its logical units, and who hears of what happens to them."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from trioscsi.errors import UsageError
from trioscsi.scsi import absent, ports
from trioscsi.scsi.command import Access, Concern
from trioscsi.scsi.complaints import WRITE_PROTECTED
from trioscsi.scsi.device import to_nobody
from trioscsi.scsi.plan import Failed
from trioscsi.scsi.ports import Cause, PortGroups
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.command import Command
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.ports import AccessState

_POWER_ON = AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED


class ScsiTarget:
    """The units of one target by LUN, and the nexuses that are told when something changes.

    ``port_groups`` are its target port groups and how they are accessed at first; without them
    there is one, active and optimized.
    """

    def __init__(
        self,
        name: str,
        units: Iterable[LogicalUnit] = (),
        port_groups: Mapping[int, AccessState] | None = None,
    ) -> None:
        """Raises UsageError for what no target can have."""
        self.name = name
        self.port_groups = PortGroups(port_groups)
        self.port_groups.changed = self._access_states_changed
        self._units: dict[int, LogicalUnit] = {}
        self._nexuses: set[Nexus] = set()
        for unit in units:
            self.add(unit)

    @property
    def units(self) -> Mapping[int, LogicalUnit]:
        """The units by LUN, as they are now."""
        return MappingProxyType(self._units)

    def execute(self, lun: int | None, cdb: Bytes, nexus: Nexus) -> Plan:
        """The plan for one command; ``lun`` is None if the LUN field addresses nothing."""
        unit = None if lun is None else self._units.get(lun)
        if unit is None:
            return absent.execute(self._units, cdb, nexus)
        return unit.execute(cdb, nexus)

    def attach(self, nexus: Nexus) -> None:
        """A nexus begins: each unit has a unit attention for it."""
        self._nexuses.add(nexus)
        self._guard_protected(nexus)
        self.tell(nexus, _POWER_ON)

    def detach(self, nexus: Nexus) -> None:
        """A nexus ends."""
        self._nexuses.discard(nexus)
        self._guard_protected(nexus)
        for unit in self._units.values():
            unit.forget(nexus)

    def add(self, unit: LogicalUnit) -> None:
        """A new unit; raises UsageError if its LUN is taken or its target is another."""
        if unit.number in self._units:
            raise UsageError(f"LUN {unit.number} of {self.name} exists")
        if unit.target_name != self.name:
            raise UsageError(f"LUN {unit.number} belongs to {unit.target_name}, not {self.name}")
        self._luns_changed()
        self._units[unit.number] = unit
        unit.fellows = self._units
        unit.announce = partial(self.announce, unit.number)
        unit.port_groups = self.port_groups
        self._guard(unit)
        self._guard_view(unit)
        unit.nexuses = self._nexuses
        self.announce(unit.number, _POWER_ON)

    def remove(self, lun: int) -> LogicalUnit:
        """Take a unit away; raises UsageError if there is none."""
        unit = self._unit(lun)
        del self._units[lun]
        unit.fellows, unit.announce, unit.nexuses = {lun: unit}, to_nobody, ()
        unit.port_groups = PortGroups()
        unit.guard(Concern.PORT, None)
        unit.guard(Concern.VIEW, None)
        for nexus in self._nexuses:
            nexus.forget(lun)
        self._luns_changed()
        return unit

    def resize(self, lun: int, blocks: int) -> None:
        """Give a unit another capacity, in blocks; raises UsageError as LogicalUnit does."""
        self._unit(lun).blocks = blocks
        self.announce(lun, AdditionalSense.CAPACITY_DATA_HAS_CHANGED)

    def reset(self, lun: int) -> None:
        """LOGICAL UNIT RESET (SAM-5), but for its tasks, which are not known here.

        Raises UsageError if there is no such unit.
        """
        self._unit(lun).reset()
        self.announce(lun, AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED)

    def reset_all(self) -> None:
        """A reset of the whole target: the same for each of its units."""
        for lun in self._units:
            self.reset(lun)

    def set_access_state(self, group: int, state: AccessState) -> None:
        """Change how a target port group is accessed, as the target sees fit.

        Raises UsageError if there is no such group.
        """
        self.port_groups.change({group: state}, Cause.IMPLICIT)

    def access_state_transition_failed(self) -> None:
        """The target meant to change an access state and could not: all nexuses hear of it."""
        for lun in self._units:
            self.announce(lun, AdditionalSense.IMPLICIT_ASYMMETRIC_ACCESS_STATE_TRANSITION_FAILED)

    def announce(self, lun: int, code: AdditionalSense, *, but_not_to: Nexus | None = None) -> None:
        """Establish a unit attention of one unit for all nexuses, or all but one."""
        for nexus in self._nexuses:
            if nexus is not but_not_to:
                nexus.establish(lun, code)

    def tell(self, nexus: Nexus, code: AdditionalSense) -> None:
        """Establish a unit attention of every unit for one nexus, as when it was lost."""
        for lun in self._units:
            nexus.establish(lun, code)

    def _unit(self, lun: int) -> LogicalUnit:
        if lun not in self._units:
            raise UsageError(f"{self.name} has no LUN {lun}")
        return self._units[lun]

    def _access_states_changed(self, *, by: Nexus | None) -> None:
        for lun, unit in self._units.items():
            self._guard(unit)
            self.announce(lun, AdditionalSense.ASYMMETRIC_ACCESS_STATE_CHANGED, but_not_to=by)

    def _guard(self, unit: LogicalUnit) -> None:
        unit.guard(Concern.PORT, ports.guard if self.port_groups.guarding else None)

    def _guard_protected(self, nexus: Nexus) -> None:
        """A nexus has come or gone, which may only read some units."""
        for number, unit in self._units.items():
            if nexus.view.protects(number):
                self._guard_view(unit)

    def _guard_view(self, unit: LogicalUnit) -> None:
        """Have commands looked at where somebody may only read."""
        protected = any(nexus.view.protects(unit.number) for nexus in self._nexuses)
        unit.guard(Concern.VIEW, _only_reads if protected else None)

    def _luns_changed(self) -> None:
        for lun in self._units:
            self.announce(lun, AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED)


def _only_reads(unit: LogicalUnit, command: Command, cdb: Bytes, nexus: Nexus) -> Plan | None:
    """The guard of a unit that some initiators may only read."""
    changes = command.access_of(cdb) is Access.WRITE and command.opcode not in _CHANGE_NOTHING
    if changes and nexus.view.protects(unit.number):
        return Failed(WRITE_PROTECTED)
    return None


_CHANGE_NOTHING = frozenset({0x35, 0x91})
"""SYNCHRONIZE CACHE conflicts with reservations like a write, and is none."""
