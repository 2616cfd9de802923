"""REPORT and SET IDENTIFYING INFORMATION (SPC-4 sections 6.32 and 6.43).

What an initiator writes on a unit to know it again; so only a unit that keeps state takes it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import invalid_parameter
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Procedure, Receive, Refusal, Reply
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

HEADER = layout(4, information_length=span(2, 3))
SUPPORTED = layout(
    4, identifying_information_type=bits(0, 7, 1), maximum_information_length=span(2, 3)
)

IDENTIFIER, TEXT, WHICH_THERE_ARE = 0b0000000, 0b0000010, 0b1111111
LONGEST = {IDENTIFIER: 64, TEXT: 256}
"""The types of information, and how many bytes of each are kept."""
NAME = "identifying"
"""Under which it is saved."""


@attrs.define(eq=False)
class Identifying:
    """What initiators have written on a unit, by type."""

    information: dict[int, bytes] = attrs.field(factory=lambda: dict.fromkeys(LONGEST, b""))

    async def set(self, storage: Storage, kind: int, information: bytes) -> None:
        """Keep this instead; raises BackendError, and keeps the old, if that cannot be done.

        Unless something else was kept in the meantime.
        """
        before = self.information[kind]
        # At once, so that whoever saves meanwhile saves this too.
        self.information[kind] = information
        kept = {str(each): content.hex() for each, content in self.information.items()}
        try:
            await storage.save(NAME, json.dumps(kept).encode())
        except BackendError:
            if self.information[kind] is information:
                self.information[kind] = before
            raise

    def restore(self, data: bytes) -> None:
        """See `trioscsi.scsi.device.Keepsake`."""
        kept = json.loads(data)
        if not isinstance(kept, dict) or kept.keys() != {str(kind) for kind in LONGEST}:
            raise ValueError("they are not of the two types that there are")
        if not all(isinstance(content, str) for content in kept.values()):
            raise ValueError("they are no digits")
        information = {kind: bytes.fromhex(kept[str(kind)]) for kind in LONGEST}
        if any(len(content) > LONGEST[kind] for kind, content in information.items()):
            raise ValueError("they are longer than any that were taken")
        self.information = information


@attrs.define
class Identify(Procedure):
    """Keep what an initiator has written, and let the others know."""

    unit: LogicalUnit
    nexus: Nexus
    kind: int
    information: bytes

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        await self.unit.identifying.set(storage, self.kind, self.information)
        self.unit.announce(AdditionalSense.DEVICE_IDENTIFIER_CHANGED, but_not_to=self.nexus)
        return Done()


@decoded
def report_identifying_information(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REPORT IDENTIFYING INFORMATION."""
    kind = cdb["identifying_information_type"]
    if kind == WHICH_THERE_ARE:
        content = b"".join(
            SUPPORTED.encode(identifying_information_type=kind, maximum_information_length=longest)
            for kind, longest in LONGEST.items()
        )
    elif kind in LONGEST:
        content = unit.identifying.information[kind]
    else:
        raise cdb.refusal("identifying_information_type")
    data = HEADER.encode(information_length=len(content)) + content
    return Reply(data[: cdb["allocation_length"]])


@decoded
def set_identifying_information(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """SET IDENTIFYING INFORMATION; none at all removes what there was."""
    kind, length = cdb["identifying_information_type"], cdb["parameter_list_length"]
    if kind not in LONGEST:
        raise cdb.refusal("identifying_information_type")
    if length > LONGEST[kind]:
        raise cdb.refusal("parameter_list_length")
    if not length:
        return Identify(unit, nexus, kind, b"")

    def then(data: bytes) -> Plan:
        if kind == TEXT:
            _check_text(data)
        return Identify(unit, nexus, kind, data)

    return Receive(length, then)


def _check_text(data: bytes) -> None:
    """Raise Refusal unless it is UTF-8 that a null ends (SPC-4 section 4.4)."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Refusal(invalid_parameter(error.start)) from None
    if not text.endswith("\0"):
        raise Refusal(invalid_parameter(max(len(data) - 1, 0)))


def _keeps_state(unit: LogicalUnit) -> bool:
    return unit.keeps_state


_WHAT = {"service_action": bits(1, 4, 0), "identifying_information_type": bits(10, 7, 1)}

COMMANDS = (
    Command(
        0xA3,
        "REPORT IDENTIFYING INFORMATION",
        cdb_layout(12, allocation_length=span(6, 9), **_WHAT),
        report_identifying_information,
        service_action=0x05,
        access=Access.ALWAYS,
        needs=_keeps_state,
    ),
    Command(
        0xA4,
        "SET IDENTIFYING INFORMATION",
        cdb_layout(12, parameter_list_length=span(6, 9), **_WHAT),
        set_identifying_information,
        service_action=0x06,
        access=Access.WRITE,
        needs=_keeps_state,
    ),
)
