"""SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS (SPC-4 section 6), and their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import LONG_TIMEOUT, Access, Command, decoded
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Receive, Refusal, Reply
from trioscsi.scsi.upkeep.self_test import Code, Finding, SelfTest

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

PAGE_HEADER = layout(4, page_code=span(0), page_length=span(2, 3))
TRANSLATE_ADDRESS = layout(
    14,
    page_code=span(0),
    page_length=span(2, 3),
    supplied_format=bits(4, 2, 0),
    rarea=bits(5, 7),
    altsec=bits(5, 6),
    alttrk=bits(5, 5),
    translate_format=bits(5, 2, 0),
    address=span(6, 13),
)

SUPPORTED_PAGES, TRANSLATE = 0x00, 0x40
_SHORT_BLOCK, _LONG_BLOCK = 0b000, 0b011
"""The formats of an address that a disk without mechanics has (SBC-3 section 6.1)."""


@attrs.define
class Diagnostics:
    """The answers to the pages that were sent last, by each nexus."""

    answers: dict[Nexus, bytes] = attrs.field(factory=dict)

    def forget(self, nexus: Nexus) -> None:
        """A nexus is lost."""
        self.answers.pop(nexus, None)

    def reset(self) -> None:
        """Nothing was sent."""
        self.answers.clear()


@decoded
def send_diagnostic(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """SEND DIAGNOSTIC: a self-test, or a page. It may do what it likes with this unit alone."""
    code, length = cdb["self_test_code"], cdb["parameter_list_length"]
    if cdb["selftest"] and code:
        raise cdb.refusal("self_test_code")
    if (cdb["selftest"] or code) and length:
        raise cdb.refusal("parameter_list_length")
    if code == Code.ABORT_BACKGROUND:
        if not unit.self_tests.abort(Finding.ABORTED_BY_SEND_DIAGNOSTIC):
            raise cdb.refusal("self_test_code")
        return Done()
    if cdb["selftest"] or code:
        if code not in set(Code):
            raise cdb.refusal("self_test_code")
        return SelfTest(unit, Code(code))
    if not length:
        return Done()
    if not cdb["pf"]:
        raise cdb.refusal("pf")

    def then(data: bytes) -> Plan:
        if len(data) < length:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        unit.diagnostics.answers[nexus] = _answer(unit, data)
        return Done()

    return Receive(length, then)


def _answer(unit: LogicalUnit, page: bytes) -> bytes:
    """What a page that was sent is answered by; raises Refusal for one that cannot be."""
    if len(page) < PAGE_HEADER.length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    head = PAGE_HEADER.decode(page)
    length = {SUPPORTED_PAGES: 0, TRANSLATE: TRANSLATE_ADDRESS.length - PAGE_HEADER.length}.get(
        head["page_code"]
    )
    if length is None:
        raise Refusal(invalid_parameter(0, 7))
    if head["page_length"] != length:
        raise Refusal(invalid_parameter(2, 7))
    if len(page) != PAGE_HEADER.length + length:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    return _translated(unit, page) if head["page_code"] == TRANSLATE else supported_pages()


def supported_pages() -> bytes:
    """The page that lists the pages."""
    pages = bytes((SUPPORTED_PAGES, TRANSLATE))
    return PAGE_HEADER.encode(page_code=SUPPORTED_PAGES, page_length=len(pages)) + pages


def _translated(unit: LogicalUnit, page: bytes) -> bytes:
    """The Translate Address page (SBC-3 section 6.1): blocks are where their address says."""
    fields = TRANSLATE_ADDRESS.decode(page)
    address, supplied = fields["address"], fields["supplied_format"]
    lba = address >> 32 if supplied == _SHORT_BLOCK else address
    if supplied not in (_SHORT_BLOCK, _LONG_BLOCK):
        raise Refusal(invalid_parameter(4, 2))
    wanted = fields["translate_format"]
    if wanted not in (_SHORT_BLOCK, _LONG_BLOCK) or (wanted == _SHORT_BLOCK and lba >= 2**32):
        raise Refusal(invalid_parameter(5, 2))
    if lba >= unit.blocks:
        raise Refusal(invalid_parameter(6, 7))
    return TRANSLATE_ADDRESS.encode(
        page_code=TRANSLATE,
        page_length=TRANSLATE_ADDRESS.length - PAGE_HEADER.length,
        supplied_format=supplied,
        translate_format=wanted,
        address=lba << 32 if wanted == _SHORT_BLOCK else lba,
    )


@decoded
def receive_diagnostic_results(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """RECEIVE DIAGNOSTIC RESULTS: a page by its code, or the answer to what was sent last."""
    answer = unit.diagnostics.answers.get(nexus)
    if not cdb["pcv"]:
        if cdb["page_code"]:
            raise cdb.refusal("page_code")
        data = supported_pages() if answer is None else answer
    elif cdb["page_code"] == SUPPORTED_PAGES:
        data = supported_pages()
    elif answer is not None and cdb["page_code"] == answer[0]:
        data = answer
    else:
        raise cdb.refusal("page_code")
    return Reply(data[: cdb["allocation_length"]])


COMMANDS = (
    Command(
        0x1C,
        "RECEIVE DIAGNOSTIC RESULTS",
        cdb_layout(6, pcv=bits(1, 0), page_code=span(2), allocation_length=span(3, 4)),
        receive_diagnostic_results,
        access=Access.READ,
    ),
    Command(
        0x1D,
        "SEND DIAGNOSTIC",
        cdb_layout(
            6,
            self_test_code=bits(1, 7, 5),
            pf=bits(1, 4),
            selftest=bits(1, 2),
            devoffl=bits(1, 1),
            unitoffl=bits(1, 0),
            parameter_list_length=span(3, 4),
        ),
        send_diagnostic,
        access=Access.WRITE,
        timeout=LONG_TIMEOUT,
    ),
)
