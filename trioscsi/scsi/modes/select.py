"""MODE SELECT of both lengths (SPC-4 sections 6.11 and 6.12).

A parameter list is looked at whole before anything is changed: it changes all that it says or
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import attrs

from trioscsi.errors import BackendError
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.modes.pages import AS_ATTENTION
from trioscsi.scsi.modes.sense import (
    HEADER_6,
    HEADER_10,
    LONG_DESCRIPTOR,
    SHORT_DESCRIPTOR,
    long_descriptor,
    short_descriptor,
)
from trioscsi.scsi.plan import Done, Procedure, Receive, Refusal
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.layout import Layout
    from trioscsi.scsi.modes.page import Key, ModePage
    from trioscsi.scsi.modes.state import Changes
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage


@attrs.define
class ModeSelect(Procedure):
    """Make ``changes`` to mode pages, and ``save`` them with all the others."""

    unit: LogicalUnit
    nexus: Nexus
    changes: Changes
    save: bool

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        unit, modes = self.unit, self.unit.modes
        differ = modes.differ(self.changes)
        before = modes.change(self.changes)
        try:
            if modes.swp or not modes.wce:
                # What the cache holds must not stay there (SPC-4 section 7.5, SBC-3 section 6).
                await storage.flush()
            if self.save:
                await modes.save(storage)
        except BackendError:
            modes.change(before)
            raise
        if differ:
            unit.announce(AdditionalSense.MODE_PARAMETERS_CHANGED, but_not_to=self.nexus)
            if modes.prediction and modes.mrie == AS_ATTENTION:
                unit.announce(AdditionalSense.FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE)
        return Done()


@decoded
def mode_select(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """MODE SELECT(6) and (10)."""
    length, save = cdb["parameter_list_length"], bool(cdb["sp"])
    if save and not unit.keeps_state:
        raise cdb.refusal("sp")
    if cdb["rtd"]:
        if length:
            raise cdb.refusal("rtd")
        return ModeSelect(unit, nexus, unit.modes.defaults(), save)
    if not length:
        return ModeSelect(unit, nexus, {}, save) if save else Done()
    if not cdb["pf"]:  # pages of no standard would follow
        raise cdb.refusal("pf")
    header = HEADER_6 if cdb.layout.length == 6 else HEADER_10

    def then(data: bytes) -> Plan:
        return ModeSelect(unit, nexus, changes_of(unit, header, data), save)

    return Receive(length, then)


def changes_of(unit: LogicalUnit, header: Layout, data: bytes) -> Changes:
    """What a parameter list changes; raises Refusal for the first thing that is wrong with it."""
    if len(data) < header.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    offset = header.length + _check_descriptor(unit, header, data)
    changes: dict[Key, dict[str, int]] = {}
    while offset < len(data):
        page = _page_at(unit, data, offset)
        end = offset + page.layout.length
        current = unit.modes.current(page.key)
        changes[page.key] = page.change(unit, current, data[offset:end], offset)
        offset = end
    return changes


class _Descriptor(NamedTuple):
    layout: Layout
    current: bytes


def _check_descriptor(unit: LogicalUnit, header: Layout, data: bytes) -> int:
    """Check header and block descriptor; returns the length of the latter.

    The lengths and flags that MODE SENSE tells have no meaning here; the format of a medium is
    not changed this way.
    """
    fields = header.decode(data)
    _refuse_stray(header, data, 0)
    if fields["medium_type"]:
        raise _refusal(header, "medium_type", 0)
    if fields.get("longlba"):
        descriptor = _Descriptor(LONG_DESCRIPTOR, long_descriptor(unit))
    else:
        descriptor = _Descriptor(SHORT_DESCRIPTOR, short_descriptor(unit))
    length = fields["block_descriptor_length"]
    if length not in (0, descriptor.layout.length):
        raise _refusal(header, "block_descriptor_length", 0)
    if len(data) < header.length + length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    if length:
        _check_block(descriptor, data[header.length :], header.length)
    return length


def _check_block(descriptor: _Descriptor, data: bytes, offset: int) -> None:
    layout = descriptor.layout
    wanted, current = layout.decode(data), layout.decode(descriptor.current)
    blocks, length = "number_of_logical_blocks", "logical_block_length"
    as_it_is, as_much_as_there_is = 0, (1 << layout.fields[blocks].width) - 1
    if wanted[blocks] not in (current[blocks], as_it_is, as_much_as_there_is):
        raise _refusal(layout, blocks, offset)
    _refuse_stray(layout, data, offset)
    if wanted[length] != current[length]:
        raise _refusal(layout, length, offset)


def _page_at(unit: LogicalUnit, data: bytes, offset: int) -> ModePage:
    """The page that begins at ``offset``: one that there is, and that is there whole."""
    head = data[offset : offset + 4].ljust(4, b"\0")
    subpages = bool(head[0] & 0x40)
    if len(data) - offset < (4 if subpages else 2):
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    code, subpage = head[0] & 0x3F, head[1] if subpages else 0
    if not any(code == each for each, _ in unit.mode_pages):
        raise Refusal(invalid_parameter(offset, 5))
    page = unit.mode_pages.get((code, subpage))
    if page is None or subpages != bool(subpage):
        raise Refusal(invalid_parameter(offset + 1, 7))
    length = int.from_bytes(head[2:4], "big") if subpages else head[1]
    if length != page.layout.length - page.header:
        raise _refusal(page.layout, "page_length", offset)
    if len(data) - offset < page.layout.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    return page


def _refuse_stray(layout: Layout, data: bytes, offset: int) -> None:
    stray = layout.stray(data)
    if stray is not None:
        raise Refusal(invalid_parameter(offset + stray[0], stray[1]))


def _refusal(layout: Layout, name: str, offset: int) -> Refusal:
    field = layout.fields[name]
    return Refusal(invalid_parameter(offset + field.byte, field.bit))


_HOW = {"pf": bits(1, 4), "rtd": bits(1, 1), "sp": bits(1, 0)}

COMMANDS = (
    Command(
        0x15,
        "MODE SELECT(6)",
        cdb_layout(6, parameter_list_length=span(4), **_HOW),
        mode_select,
        access=Access.WRITE,
    ),
    Command(
        0x55,
        "MODE SELECT(10)",
        cdb_layout(10, parameter_list_length=span(7, 8), **_HOW),
        mode_select,
        access=Access.WRITE,
    ),
)
