"""The units of one target and their disks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from trioscsi.errors import BackendError, UsageError
from trioscsi.scsi import AccessState, LogicalUnit, ScsiTarget
from trioscsi.server.storage import Unit


class Stock:
    """The units by their numbers, and by the LUN fields that address them.

    One that was withdrawn from the SCSI target stays here until no command uses it: see `forget`.
    """

    def __init__(
        self,
        name: str,
        units: Iterable[Unit],
        port_groups: Mapping[int, AccessState] | None = None,
    ) -> None:
        """Raises UsageError for what no target can have."""
        self._units = {unit.logical.number: unit for unit in units}
        self.by_field = {field: unit for unit in self for field in unit.fields}
        """The unit that a LUN field of 64 bits addresses."""
        self.target = ScsiTarget(name, (unit.logical for unit in self), port_groups)

    def __iter__(self) -> Iterator[Unit]:
        return iter(list(self._units.values()))

    def unit(self, number: int) -> Unit:
        """The unit with this number; raises UsageError if there is none."""
        if number not in self.target.units:
            raise UsageError(f"{self.target.name} has no LUN {number}")
        return self._units[number]

    def withdraw(self, number: int) -> Unit:
        """Let commands that come from now on find no unit; raises UsageError if there is none."""
        unit = self.unit(number)
        self.target.remove(number)
        unit.present = False
        return unit

    def unit_of(self, logical: LogicalUnit) -> Unit:
        """The unit of which this is the SCSI side, perhaps about to go.

        Raises BackendError if it is gone: its LUN may be another's by now.
        """
        unit = self._units.get(logical.number)
        if unit is None or unit.logical is not logical:
            raise BackendError(f"LUN {logical.number} was taken away")
        return unit

    def check_free(self, number: int) -> None:
        """Raise UsageError if a LUN is taken, perhaps by commands to a unit that is gone."""
        if number in self._units:
            raise UsageError(f"LUN {number} of {self.target.name} is in use")

    def add(self, unit: Unit) -> None:
        """A new unit; raises UsageError if its LUN is not free."""
        number = unit.logical.number
        self.check_free(number)
        self.target.add(unit.logical)
        self._units[number] = unit
        self.by_field.update(dict.fromkeys(unit.fields, unit))

    def forget(self, unit: Unit) -> None:
        """No command uses a unit any more that the target has lost."""
        del self._units[unit.logical.number]
        for field in unit.fields:
            del self.by_field[field]

    async def close(self) -> None:
        """Close the disks that can be closed."""
        for unit in self:
            if unit.can.close is not None:
                await unit.can.close()

    def abandon(self) -> None:
        """Give up what storage does not let go of: see `Abilities.abandon`."""
        for unit in self:
            if unit.can.abandon is not None:
                unit.can.abandon()
