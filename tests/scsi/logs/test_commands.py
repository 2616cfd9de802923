from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Plan,
    Receive,
    Reply,
    ScsiTarget,
)
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_field, invalid_parameter
from trioscsi.scsi.logs.commands import LOG_SENSE, SaveLog, SenseLog
from trioscsi.scsi.logs.pages import PAGES

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"
CODES = [page.code for page in PAGES if page.code != 0x0C]
"""What a unit has that is not thin."""
CUMULATIVE, DEFAULT_THRESHOLD, DEFAULT = 0x40, 0x80, 0xC0
READS = "0005 03 08"
"""The header of the parameter of page 03h that counts bytes."""


def sense(
    code: int,
    subpage: int = 0,
    *,
    flags: int = 0,
    pointer: int = 0,
    length: int = 0xFFFF,
    pc: int = CUMULATIVE,
) -> str:
    return f"4d {flags:02x} {pc | code:02x} {subpage:02x} 00 {pointer:04x} {length:04x} 00"


def select(
    *pages: str, pc: int = CUMULATIVE, flags: int = 0, code: int = 0, subpage: int = 0
) -> str:
    length = len(bytes.fromhex("".join(pages)))
    return f"4c {flags:02x} {pc | code:02x} {subpage:02x} 000000 {length:04x} 00"


def data_of(plan: Plan) -> bytes:
    assert isinstance(plan, Reply)
    return plan.data


def bytes_read(ask: Ask) -> int:
    """The parameter of page 03h that counts bytes."""
    data = data_of(ask(sense(3, pointer=5)))
    return int.from_bytes(data[8:16], "big")


@pytest.fixture
def set_log(ask: Ask) -> Callable[..., Plan]:
    """The end of a LOG SELECT with a parameter list."""

    def run(*pages: str, pc: int = CUMULATIVE, missing: int = 0) -> Plan:
        plan = ask(select(*pages, pc=pc))
        assert isinstance(plan, Receive)
        data = bytes.fromhex("".join(pages))
        assert plan.data_out == len(data)
        return plan.received(data[: len(data) - missing])

    return run


def test_page_00_lists_all_pages_and_each_can_be_had(ask: Ask) -> None:
    data = data_of(ask(sense(0)))
    assert data == bytes((0x80, 0, 0, len(CODES) + 1, 0, *CODES))
    for code in data[4:]:
        page = data_of(ask(sense(code)))
        assert page[0] & 0x3F == code
        assert int.from_bytes(page[2:4], "big") == len(page) - 4


def test_page_00_ff_lists_the_subpages_too_and_each_can_be_had(ask: Ask) -> None:
    data = data_of(ask(sense(0, 0xFF)))
    pairs = list(zip(data[4::2], data[5::2], strict=True))
    assert data[:2] == b"\xc0\xff"
    assert pairs == sorted((code, sub) for code in (0, *CODES) for sub in (0, 0xFF))
    for code, subpage in pairs:
        page = data_of(ask(sense(code, subpage)))
        assert page[:2] == bytes((0x80 | 0x40 * (subpage > 0) | code, subpage))


def test_subpage_ff_lists_the_subpages_of_one_page(ask: Ask) -> None:
    assert data_of(ask(sense(3, 0xFF))) == bytes.fromhex("c3ff 0004 0300 03ff")


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        pytest.param(sense(1), 2, 5, id="page"),
        pytest.param(sense(0x3F), 2, 5, id="page 3Fh"),
        pytest.param(sense(3, 1), 3, 7, id="subpage"),
        pytest.param(sense(0, 1), 3, 7, id="subpage of page 00h"),
        pytest.param(sense(1, 0xFF), 2, 5, id="subpages of a page that there is not"),
        pytest.param(sense(3, pointer=7), 5, 7, id="parameter pointer"),
        pytest.param(sense(0, pointer=1), 5, 7, id="parameter pointer into a list of pages"),
        pytest.param(sense(3, flags=1), 1, 0, id="save where nothing can be saved"),
        pytest.param(sense(3, flags=2), 1, 1, id="PPC, which is obsolete"),
        pytest.param(select(code=1), 2, 5, id="select a page that there is not"),
        pytest.param(select(code=3, subpage=1), 3, 7, id="select a subpage that there is not"),
        pytest.param(select(code=0, subpage=1), 3, 7, id="select a subpage of page 00h"),
        pytest.param(select(flags=1), 1, 0, id="select and save"),
        pytest.param(select("00", flags=2), 1, 1, id="PCR with a list"),
        pytest.param(select("00", code=3), 2, 5, id="a page with a list"),
        pytest.param(select("00", subpage=0xFF), 3, 7, id="a subpage with a list"),
    ],
)
def test_what_the_cdb_cannot_ask_for_is_refused_by_its_field(
    ask: Ask, cdb: str, byte: int, bit: int
) -> None:
    assert ask(cdb) == Failed(invalid_field(byte, bit))


@given(st.integers(0, 700), st.sampled_from([0, *CODES]), st.sampled_from([0, 0xFF]))
def test_pages_are_cut_exactly(length: int, code: int, subpage: int) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=8)
    nexus = Nexus("initiator", "target")

    def data(length: int) -> bytes:
        return data_of(unit.execute(bytes.fromhex(sense(code, subpage, length=length)), nexus))

    assert data(length) == data(0xFFFF)[:length]


@pytest.mark.parametrize(
    "cdb",
    [
        select(flags=2),
        select(pc=DEFAULT),
        select(flags=2, subpage=0xFF),
        select(flags=2, code=3),
        select(flags=2, code=3, subpage=0xFF),
    ],
)
def test_a_reset_lets_the_pages_that_it_names_count_from_zero(ask: Ask, cdb: str) -> None:
    ask("28 00 00000000 00 0002")
    assert bytes_read(ask) == 1024
    assert ask(cdb) == Done()
    ask("28 00 00000000 00 0001")
    assert bytes_read(ask) == 512


@pytest.mark.parametrize(
    "cdb", [select(), select(pc=0), select(pc=DEFAULT_THRESHOLD), select(flags=2, code=2)]
)
def test_whatever_else_is_selected_the_counts_stay(ask: Ask, cdb: str) -> None:
    ask("28 00 00000000 00 0002")
    assert ask(cdb) == Done()
    assert bytes_read(ask) == 1024


def test_other_initiators_hear_of_a_reset(nexus: Nexus) -> None:
    target = ScsiTarget(NAME, [LogicalUnit(0, target_name=NAME, blocks=1)])
    other = Nexus("other", "target")
    for each in (nexus, other):
        target.attach(each)
        each.take(0)
    assert target.execute(0, bytes.fromhex(select()), nexus) == Done()
    assert (nexus.pending, other.pending) == ({}, {})
    assert target.execute(0, bytes.fromhex(select(flags=2)), nexus) == Done()
    assert nexus.pending == {}
    assert other.pending == {0: [AdditionalSense.LOG_PARAMETERS_CHANGED]}


@pytest.mark.parametrize("pc", [CUMULATIVE, DEFAULT])
def test_a_parameter_list_resets_what_it_names(
    ask: Ask, set_log: Callable[..., Plan], unit: LogicalUnit, pc: int
) -> None:
    ask("28 00 00000000 00 0002")
    statistics = "19 00 0044  0001 02 40" + "00" * 64
    assert set_log("03 00 000c 0005 22 08" + "00" * 8, statistics, pc=pc) == Done()
    assert bytes_read(ask) == 0
    assert data_of(ask(sense(0x19)))[8:72] == bytes(64)
    assert unit.counters.blocks_read == 2


@pytest.mark.parametrize("pc", [0, DEFAULT_THRESHOLD])
def test_thresholds_can_be_set_to_what_they_are(
    ask: Ask, set_log: Callable[..., Plan], pc: int
) -> None:
    ask("28 00 00000000 00 0002")
    assert set_log("03 00 000c 0005 22 08" + "ff" * 8, pc=pc) == Done()
    assert bytes_read(ask) == 1024


def test_a_list_as_a_page_was_shown_is_taken(ask: Ask, set_log: Callable[..., Plan]) -> None:
    pages = [data_of(ask(sense(code, pc=DEFAULT))).hex() for code in (2, 3, 5)]
    assert set_log(*pages) == Done()


ZERO_READS = "0005 02 08" + "00" * 8


@pytest.mark.parametrize(
    ("pages", "byte", "bit"),
    [
        pytest.param(["01 00 0000"], 0, 5, id="page"),
        pytest.param(["00 00 0000"], 0, 5, id="the list of pages"),
        pytest.param(["03 01 0000"], 0, 5, id="subpage"),
        pytest.param(["43 00 0000"], 0, 6, id="SPF without a subpage"),
        pytest.param(["03 00 0000", "02 00 0000"], 4, 5, id="pages not in order"),
        pytest.param(["03 00 0000", "03 00 0000"], 4, 5, id="a page twice"),
        pytest.param([f"03 00 0018 {ZERO_READS} {ZERO_READS}"], 16, 7, id="a parameter twice"),
        pytest.param(["03 00 0004 0007 00 00"], 4, 7, id="parameter"),
        pytest.param(["0d 00 0006 0000 03 02 00ff"], 4, 7, id="a parameter that is never reset"),
        pytest.param(["03 00 000c 0005 82 08" + "00" * 8], 6, 7, id="DU"),
        pytest.param(["03 00 000c 0005 03 08" + "00" * 8], 6, 1, id="format"),
        pytest.param(["03 00 0008 0005 02 04" + "00" * 4], 7, 7, id="length"),
        pytest.param(["03 00 000c 0005 02 08" + "00" * 7 + "01"], 8, 7, id="value"),
    ],
)
def test_what_a_list_cannot_hold_is_refused_by_its_field_and_nothing_is_done(
    ask: Ask, set_log: Callable[..., Plan], pages: list[str], byte: int, bit: int
) -> None:
    ask("2a 00 00000000 00 0002")
    before = data_of(ask(sense(2)))
    first = "02 00 000c " + ZERO_READS
    shift = len(bytes.fromhex(first))
    expected = Failed(invalid_parameter(byte + shift, bit))
    if pages[0].startswith(("00", "01")):
        expected = Failed(invalid_parameter(byte + shift, 5))
    assert set_log(first, *pages) == expected
    assert data_of(ask(sense(2))) == before


def test_a_threshold_cannot_be_changed(set_log: Callable[..., Plan]) -> None:
    assert set_log("03 00 000c " + ZERO_READS, pc=0) == Failed(invalid_parameter(8, 7))


@pytest.mark.parametrize(
    "page", ["03", "03 00 00", "03 00 0001", "03 00 000b" + ZERO_READS[:-2], "03 00 0002 0005"]
)
def test_a_list_that_ends_too_early_is_refused(set_log: Callable[..., Plan], page: str) -> None:
    assert set_log(page) == Failed(PARAMETER_LIST_LENGTH_ERROR)


def test_a_list_of_which_not_all_was_sent_is_refused(set_log: Callable[..., Plan]) -> None:
    plan = set_log("03 00 000c " + ZERO_READS, missing=1)
    assert plan == Failed(PARAMETER_LIST_LENGTH_ERROR)


@given(st.binary(max_size=60), st.sampled_from([0, CUMULATIVE, DEFAULT_THRESHOLD, DEFAULT]))
def test_whatever_a_list_holds_it_is_taken_or_refused_with_a_field_in_it(
    data: bytes, pc: int
) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=8)
    plan = unit.execute(bytes.fromhex(select(data.hex(), pc=pc)), Nexus("initiator", "target"))
    end = plan.received(data) if isinstance(plan, Receive) else plan
    if isinstance(end, Failed) and end.sense.field_pointer is not None:
        assert end.sense.field_pointer.byte < len(data)
    else:
        assert end in (Done(), Failed(PARAMETER_LIST_LENGTH_ERROR))


def test_what_was_counted_can_be_saved_by_either_command(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=8, keeps_state=True)
    storage = Blocks(unit)
    unit.counters.read(5)
    for cdb, end in ((sense(3, flags=1, length=1), Reply(b"\x03")), (select(flags=1), Done())):
        plan = unit.execute(bytes.fromhex(cdb), nexus)
        assert isinstance(plan, (SaveLog, SenseLog))
        assert storage.perform(plan) == end
        again = LogicalUnit(0, target_name=NAME, blocks=8, keeps_state=True)
        again.restore("log", storage.saved.pop("log"))
        data = data_of(again.execute(bytes.fromhex(sense(3, pointer=5)), nexus))
        assert int.from_bytes(data[8:16], "big") == 5 * 512


class Room(NamedTuple):
    used: int
    free: int | None


MIB = 2**20


@pytest.mark.parametrize(
    ("room", "parameters"),
    [
        (Room(5 * MIB + 1, 7 * MIB - 1), "00000006 02000000 00000005 01000000"),
        (Room(0, None), "00000000 02000000 00000000 01000000"),
        (Room(2**60, 2**60), "ffffffff 02000000 ffffffff 01000000"),
        (None, "00000000 02000000 00000000 01000000"),
    ],
)
def test_a_thin_unit_tells_what_room_it_takes_and_what_is_left(
    nexus: Nexus, room: Room | None, parameters: str
) -> None:
    class Measured(Blocks):
        async def space(self) -> Room | None:
            return room

    unit = LogicalUnit(0, target_name=NAME, blocks=8, thin=True)
    available, available_scope, used, used_scope = parameters.split()
    plan = unit.execute(bytes.fromhex(sense(0x0C)), nexus)
    assert plan == SenseLog(unit, LOG_SENSE.decode(bytes.fromhex(sense(0x0C))))
    assert Measured(unit).perform(plan) == Reply(
        bytes.fromhex(
            f"8c 00 0018 0001 23 08 {available} {available_scope} 0002 23 08 {used} {used_scope}"
        )
    )


def test_only_a_thin_unit_has_the_page(ask: Ask, nexus: Nexus) -> None:
    assert ask(sense(0x0C)) == Failed(invalid_field(2, 5))
    thin = LogicalUnit(0, target_name=NAME, blocks=8, thin=True)
    listed = data_of(thin.execute(bytes.fromhex(sense(0)), nexus))[4:]
    assert listed == bytes(sorted((0, 0x0C, *CODES)))


def test_a_pointer_beyond_what_is_measured_is_refused_before(nexus: Nexus) -> None:
    thin = LogicalUnit(0, target_name=NAME, blocks=8, thin=True)
    plan = thin.execute(bytes.fromhex(sense(0x0C, pointer=3)), nexus)
    assert plan == Failed(invalid_field(5, 7))
