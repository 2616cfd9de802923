"""SANITIZE (SBC-3 section 5): so that nothing of what was stored can be read any more.

What storage below keeps of blocks that were overwritten or given back is out of its reach.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.blocks.provisioning import is_thin
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import LONG_TIMEOUT, Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, WRITE_PROTECTED, invalid_parameter
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Failed, Procedure, Receive, Refusal
from trioscsi.scsi.upkeep.overhaul import SANITIZE, Overhaul, Work, pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

OVERWRITE = layout(
    4,
    invert=bits(0, 7),
    test=bits(0, 6, 5),
    overwrite_count=bits(0, 4, 0),
    initialization_pattern_length=span(2, 3),
)

_MOST_PASSES = 31


@decoded
def overwrite(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """SANITIZE that overwrites all blocks with a pattern, up to 31 times."""
    _check(unit, cdb)
    length = cdb["parameter_list_length"]
    if not OVERWRITE.length < length <= OVERWRITE.length + unit.block_size:
        raise cdb.refusal("parameter_list_length")
    return Receive(length, partial(_overwrite, unit, cdb))


def _overwrite(unit: LogicalUnit, cdb: Cdb, data: bytes) -> Plan:
    if len(data) <= OVERWRITE.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    fields = OVERWRITE.decode(data)
    if fields["test"]:
        raise Refusal(invalid_parameter(0, 6))
    count, length = fields["overwrite_count"], fields["initialization_pattern_length"]
    if not count:
        raise Refusal(invalid_parameter(0, 4))
    if data[1]:
        raise Refusal(invalid_parameter(1, data[1].bit_length() - 1))
    if not 0 < length <= unit.block_size:
        raise Refusal(invalid_parameter(2, 7))
    if length > len(data) - OVERWRITE.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    block = pattern(unit, data[OVERWRITE.length :][:length])
    inverted = bytes(each ^ 0xFF for each in block) if fields["invert"] else block
    return _sanitize(unit, cdb, [inverted if number % 2 else block for number in range(count)])


@decoded
def erase(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """SANITIZE that erases: blocks as well as the key that they could be encrypted with.

    Afterwards no block is stored, and all are zeroes.
    """
    _check(unit, cdb)
    if cdb["parameter_list_length"]:
        raise cdb.refusal("parameter_list_length")
    return _sanitize(unit, cdb, [None])


@decoded
def exit_failure_mode(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """SANITIZE that gives up: after a failure, if that was allowed for, others may go on."""
    if cdb["parameter_list_length"]:
        raise cdb.refusal("parameter_list_length")
    medium = unit.medium
    if medium.work is not Work.SANITIZE:
        return Done()
    if not medium.unrestricted:
        raise cdb.refusal("service_action")
    return GiveUp(unit)


@attrs.define
class GiveUp(Procedure):
    """Leave the failure of sanitizing as it is."""

    unit: LogicalUnit

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        medium = self.unit.medium
        if medium.going_on is not None:
            return Failed(medium.going_on)  # somebody has asked for it again since the command came
        before = attrs.evolve(medium)
        # At once, as somebody may also do so while this is saved.
        medium.settle()
        try:
            await medium.save(storage, None)
        except BackendError:
            if medium.work is None:
                medium.go_back(before)
            raise
        return Done()


def _check(unit: LogicalUnit, cdb: Cdb) -> None:
    """Raise Refusal if the unit may not be sanitized, or not so that a failure can be left."""
    if unit.write_protected:
        raise Refusal(WRITE_PROTECTED)
    medium = unit.medium
    if medium.work is Work.SANITIZE and cdb["ause"] and not medium.unrestricted:
        raise cdb.refusal("ause")


def _sanitize(unit: LogicalUnit, cdb: Cdb, passes: Sequence[bytes | None]) -> Plan:
    return Overhaul(
        unit,
        Work.SANITIZE,
        passes,
        immediate=bool(cdb["immed"]),
        unrestricted=bool(cdb["ause"]),
    )


_LAYOUT = cdb_layout(
    10,
    {"znr": bits(1, 6)},
    service_action=bits(1, 4, 0),
    immed=bits(1, 7),
    ause=bits(1, 5),
    parameter_list_length=span(7, 8),
)

COMMANDS = tuple(
    Command(
        SANITIZE,
        f"SANITIZE ({name})",
        _LAYOUT,
        perform,
        service_action=action,
        medium=True,
        access=Access.WRITE,
        timeout=LONG_TIMEOUT,
        passes=passes,
        needs=needs,
    )
    for action, name, perform, passes, needs in (
        (0x01, "OVERWRITE", overwrite, _MOST_PASSES, None),
        (0x02, "BLOCK ERASE", erase, 1, is_thin),
        (0x03, "CRYPTOGRAPHIC ERASE", erase, 1, None),
        (0x1F, "EXIT FAILURE MODE", exit_failure_mode, 0, None),
    )
)
