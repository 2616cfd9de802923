"""PREVENT ALLOW MEDIUM REMOVAL (SBC-3 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits
from trioscsi.scsi.plan import Done

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan


@attrs.define
class Removal:
    """Who prevents that the medium of a unit is removed.

    The medium of a disk stays where it is, whoever asks; but initiators prevent all the same.
    """

    _preventing: set[Nexus] = attrs.field(factory=set)

    @property
    def prevented(self) -> bool:
        """Whether somebody prevents it."""
        return bool(self._preventing)

    def prevent(self, nexus: Nexus) -> None:
        """A nexus prevents it, until it allows it or is lost."""
        self._preventing.add(nexus)

    def forget(self, nexus: Nexus) -> None:
        """A nexus does not prevent it any more: it allows it, or is lost."""
        self._preventing.discard(nexus)

    def reset(self) -> None:
        """Nobody prevents it any more."""
        self._preventing.clear()


@decoded
def prevent_allow_medium_removal(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """PREVENT ALLOW MEDIUM REMOVAL; what was for the changer of a medium is obsolete."""
    match cdb["prevent"]:
        case 0b00:
            unit.removal.forget(nexus)
        case 0b01:
            unit.removal.prevent(nexus)
        case _:
            raise cdb.refusal("prevent")
    return Done()


def _allows(cdb: Bytes) -> bool:
    """To allow the removal harms nobody (SPC-4 table 66)."""
    return not cdb[4] & 0b11


COMMANDS = (
    Command(
        0x1E,
        "PREVENT ALLOW MEDIUM REMOVAL",
        cdb_layout(6, prevent=bits(4, 1, 0)),
        prevent_allow_medium_removal,
        access=Access.WRITE,
        harmless=_allows,
    ),
)
