"""LOG SENSE and LOG SELECT (SPC-4 sections 6.6 and 6.7), and the log pages of a disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.logs.page import (
    PAGE_HEADER,
    PARAMETER_HEADER,
    LogPage,
    PageControl,
    Parameter,
    header,
)
from trioscsi.scsi.logs.pages import PAGES
from trioscsi.scsi.plan import Done, Procedure, Receive, Refusal, Reply
from trioscsi.scsi.sense import AdditionalSense

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage

SUPPORTED_PAGES, ALL_SUBPAGES = 0x00, 0xFF
SAVED_AS = "log"

_HEADER = PAGE_HEADER.length
_PARAMETER = PARAMETER_HEADER.length

Which = tuple[LogPage, Parameter]


@attrs.define
class SaveLog(Procedure):
    """Save what the counters have reached."""

    unit: LogicalUnit

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        await _save(self.unit, storage)
        return Done()


@attrs.define
class SenseLog(Procedure):
    """Tell a page that has to be found out on storage first, or be saved."""

    reads = True
    unit: LogicalUnit
    cdb: Cdb

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        page = _page(self.unit, self.cdb)
        if page is not None and page.measure is not None:
            page = await page.measure(self.unit, storage)
        told = _told(self.unit, self.cdb, page)
        if self.cdb["sp"]:
            await _save(self.unit, storage)
        return told


async def _save(unit: LogicalUnit, storage: Storage) -> None:
    await storage.save(SAVED_AS, unit.log.encode(unit, PAGES))


@decoded
def log_sense(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """LOG SENSE."""
    _check_save(unit, cdb)
    page = _page(unit, cdb)
    told = _told(unit, cdb, page)
    measured = page is not None and page.measure is not None
    return SenseLog(unit, cdb) if measured or cdb["sp"] else told


def _check_save(unit: LogicalUnit, cdb: Cdb) -> None:
    if cdb["sp"] and not unit.keeps_state:
        raise cdb.refusal("sp")


def _pages(unit: LogicalUnit) -> dict[tuple[int, int], LogPage]:
    """The pages that a unit has, by page and subpage code."""
    return {(page.code, page.subpage): page for page in PAGES if page.is_of(unit)}


def _page(unit: LogicalUnit, cdb: Cdb) -> LogPage | None:
    """The page that is asked for; None if it is not one with parameters."""
    return _pages(unit).get((cdb["page_code"], cdb["subpage_code"]))


def _told(unit: LogicalUnit, cdb: Cdb, page: LogPage | None) -> Reply:
    code, subpage, pointer = cdb["page_code"], cdb["subpage_code"], cdb["parameter_pointer"]
    if page is not None:
        data = page.encode(unit, PageControl(cdb["pc"]), pointer)
    else:
        content = _lists(unit, cdb)
        data = None if pointer else header(unit, code, subpage, len(content)) + content
    if data is None:
        raise cdb.refusal("parameter_pointer")
    return Reply(data[: cdb["allocation_length"]])


def _lists(unit: LogicalUnit, cdb: Cdb) -> bytes:
    """The pages that list others: 00h all pages, subpage FFh with their subpages too."""
    code, subpage = cdb["page_code"], cdb["subpage_code"]
    with_parameters = _pages(unit)
    codes = sorted({SUPPORTED_PAGES, *(code for code, _ in with_parameters)})
    if code not in codes:
        raise cdb.refusal("page_code")
    if subpage == ALL_SUBPAGES:
        lists = ((each, which) for each in codes for which in (0, ALL_SUBPAGES))
        listed = sorted({*with_parameters, *lists})
        wanted = [pair for pair in listed if code in (SUPPORTED_PAGES, pair[0])]
        return b"".join(bytes(pair) for pair in wanted)
    if code != SUPPORTED_PAGES or subpage:
        raise cdb.refusal("subpage_code")
    return bytes(codes)


@decoded
def log_select(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """LOG SELECT: let parameters count from zero again."""
    length = cdb["parameter_list_length"]
    _check_save(unit, cdb)
    if not length:
        named = list(_named(unit, cdb))
        reset = cdb["pcr"] or cdb["pc"] == PageControl.DEFAULT_CUMULATIVE
        return _reset(unit, cdb, nexus, named if reset else [])
    for name in ("pcr", "page_code", "subpage_code"):
        if cdb[name]:
            raise cdb.refusal(name)

    def then(data: bytes) -> Plan:
        if len(data) < length:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        return _reset(unit, cdb, nexus, list(_listed(unit, PageControl(cdb["pc"]), data)))

    return Receive(length, then)


def _reset(unit: LogicalUnit, cdb: Cdb, nexus: Nexus, which: Sequence[Which]) -> Plan:
    for page, parameter in which:
        unit.log.reset(unit, page, parameter)
    if which:
        unit.announce(AdditionalSense.LOG_PARAMETERS_CHANGED, but_not_to=nexus)
    return SaveLog(unit) if cdb["sp"] else Done()


def _named(unit: LogicalUnit, cdb: Cdb) -> Iterator[Which]:
    """What a LOG SELECT without a parameter list can reset."""
    code, subpage = cdb["page_code"], cdb["subpage_code"]
    everything = code == SUPPORTED_PAGES and subpage in (0, ALL_SUBPAGES)
    pages = _pages(unit)
    if code not in {SUPPORTED_PAGES, *(each for each, _ in pages)}:
        raise cdb.refusal("page_code")
    if not everything and subpage != ALL_SUBPAGES and (code, subpage) not in pages:
        raise cdb.refusal("subpage_code")
    for page in pages.values():
        if everything or (page.code == code and subpage in (page.subpage, ALL_SUBPAGES)):
            yield from ((page, each) for each in page.parameters(unit) if each.resettable)


def _listed(unit: LogicalUnit, control: PageControl, data: bytes) -> Iterator[Which]:
    """What a parameter list resets, page after page. Raises Refusal for what it cannot."""
    pages = _pages(unit)
    place, before = 0, (-1, -1)
    while place < len(data):
        if len(data) - place < _HEADER:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        fields = PAGE_HEADER.decode(data[place : place + _HEADER])
        which = fields["page_code"], fields["subpage_code"]
        page = pages.get(which)
        if page is None or which <= before:
            raise Refusal(invalid_parameter(place, 5))
        if fields["spf"] != (page.subpage != 0):
            raise Refusal(invalid_parameter(place, 6))
        start = place + _HEADER
        place, before = start + fields["page_length"], which
        if place > len(data):
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        yield from _listed_of_page(unit, page, control, data[:place], start)


def _listed_of_page(
    unit: LogicalUnit, page: LogPage, control: PageControl, data: bytes, place: int
) -> Iterator[Which]:
    """The parameters of one page, from ``place`` to the end of ``data``."""
    known = {each.code: each for each in page.parameters(unit) if each.resettable}
    before = -1
    while place < len(data):
        if len(data) - place < _PARAMETER:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        fields = PARAMETER_HEADER.decode(data[place : place + _PARAMETER])
        parameter = known.get(fields["parameter_code"])
        if parameter is None or parameter.code <= before:
            raise Refusal(invalid_parameter(place, 7))
        length = len(parameter.value(unit, page, PageControl.CUMULATIVE))
        _check(fields, parameter, length, place)
        start = place + _PARAMETER
        place, before = start + length, parameter.code
        if place > len(data):
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        value = data[start:place]
        if control is PageControl.CUMULATIVE and any(value):
            raise Refusal(invalid_parameter(start, 7))
        if control is PageControl.THRESHOLD and value != parameter.value(unit, page, control):
            raise Refusal(invalid_parameter(start, 7))
        if control in (PageControl.CUMULATIVE, PageControl.DEFAULT_CUMULATIVE):
            yield page, parameter


def _check(fields: dict[str, int], parameter: Parameter, length: int, place: int) -> None:
    """Raise Refusal for the header of a parameter that is not as LOG SENSE shows it."""
    if fields["du"]:
        raise Refusal(invalid_parameter(place + 2, 7))
    if fields["format_and_linking"] != parameter.format:
        raise Refusal(invalid_parameter(place + 2, 1))
    if fields["parameter_length"] != length:
        raise Refusal(invalid_parameter(place + 3, 7))


_WHICH = {"pc": bits(2, 7, 6), "page_code": bits(2, 5, 0), "subpage_code": span(3)}

LOG_SENSE = cdb_layout(
    10,
    sp=bits(1, 0),
    parameter_pointer=span(5, 6),
    allocation_length=span(7, 8),
    **_WHICH,
)

COMMANDS = (
    Command(
        0x4C,
        "LOG SELECT",
        cdb_layout(10, pcr=bits(1, 1), sp=bits(1, 0), parameter_list_length=span(7, 8), **_WHICH),
        log_select,
        access=Access.WRITE,
    ),
    Command(
        0x4D,
        "LOG SENSE",
        LOG_SENSE,
        log_sense,
        access=Access.ALWAYS,
    ),
)
