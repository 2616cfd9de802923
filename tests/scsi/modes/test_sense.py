from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import Failed, LogicalUnit, Nexus, Plan, Reply
from trioscsi.scsi.complaints import SAVING_PARAMETERS_NOT_SUPPORTED, invalid_field
from trioscsi.scsi.modes.page import Key
from trioscsi.scsi.modes.pages import CACHING, CONTROL, DISK_PAGES

Ask = Callable[[str], Plan]
SHORT, LONG = "1a {:02x} {:02x} {:02x} ff 00", "5a {:02x} {:02x} {:02x} 000000 ffff 00"
DBD = 0x08
BOTH = pytest.mark.parametrize("cdb", [SHORT, LONG], ids=["6", "10"])


def data_of(plan: Plan) -> bytes:
    assert isinstance(plan, Reply)
    return plan.data


def pages(plan: Plan) -> Iterator[bytes]:
    data = data_of(plan)
    if data[0]:  # a header of MODE SENSE(6): the long one starts with the high byte of a length
        assert data[0] == len(data) - 1
        rest = data[4 + data[3] :]
    else:
        assert int.from_bytes(data[:2], "big") == len(data) - 2
        rest = data[8 + int.from_bytes(data[6:8], "big") :]
    while rest:
        end = 4 + int.from_bytes(rest[2:4], "big") if rest[0] & 0x40 else 2 + rest[1]
        yield rest[:end]
        rest = rest[end:]


def key_of(page: bytes) -> Key:
    return page[0] & 0x3F, page[1] if page[0] & 0x40 else 0


@BOTH
def test_all_pages_come_in_order_without_subpages_or_with_them(ask: Ask, cdb: str) -> None:
    plain = [key_of(page) for page in pages(ask(cdb.format(0, 0x3F, 0)))]
    assert plain == sorted(key for key in DISK_PAGES if not key[1])
    with_subpages = [key_of(page) for page in pages(ask(LONG.format(0, 0x3F, 0xFF)))]
    assert with_subpages == sorted(DISK_PAGES)


@BOTH
@pytest.mark.parametrize("key", DISK_PAGES)
def test_one_page_is_the_same_alone_as_among_all(ask: Ask, cdb: str, key: Key) -> None:
    everything = {key_of(page): page for page in pages(ask(LONG.format(0, 0x3F, 0xFF)))}
    assert list(pages(ask(cdb.format(0, *key)))) == [everything[key]]


@BOTH
def test_a_page_comes_with_its_subpages_when_asked_to(ask: Ask, cdb: str) -> None:
    wanted = [key for key in sorted(DISK_PAGES) if key[0] == 0x0A]
    assert [key_of(page) for page in pages(ask(cdb.format(0, 0x0A, 0xFF)))] == wanted


@pytest.mark.parametrize("write_cache", [True, False])
def test_the_caching_page_tells_whether_flushes_are_needed(nexus: Nexus, write_cache: bool) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1, write_cache=write_cache)
    (page,) = pages(unit.execute(bytes.fromhex(SHORT.format(0, 0x08, 0)), nexus))
    assert len(page) == 20
    assert CACHING.layout.decode(page)["wce"] == write_cache


def test_the_control_page_allows_reordering(ask: Ask) -> None:
    (page,) = pages(ask(SHORT.format(0, 0x0A, 0)))
    fields = CONTROL.layout.decode(page)
    assert len(page) == 12
    assert fields["queue_algorithm_modifier"] == 1
    assert fields["d_sense"] == fields["swp"] == fields["tas"] == 0


@BOTH
def test_changeable_values_are_all_bits_of_what_can_be_changed(ask: Ask, cdb: str) -> None:
    (page,) = pages(ask(cdb.format(0, 0x40 | 0x0A, 0)))
    changed = CONTROL.layout.decode(page)
    assert {name for name, value in changed.items() if value} - {"page_code", "page_length"} == {
        name for name, setting in CONTROL.settings.items() if setting.takes
    }
    assert (changed["qerr"], changed["tst"]) == (0b11, 0b111)
    (page,) = pages(ask(cdb.format(0, 0x40 | 0x04, 0)))
    assert not any(page[2:])


@BOTH
def test_default_values_are_the_current_ones(ask: Ask, cdb: str) -> None:
    assert ask(cdb.format(0, 0x80 | 0x3F, 0)) == ask(cdb.format(0, 0x3F, 0))


@BOTH
def test_nothing_is_saved_where_no_state_is_kept(ask: Ask, cdb: str) -> None:
    assert ask(cdb.format(0, 0xC0 | 0x3F, 0)) == Failed(SAVING_PARAMETERS_NOT_SUPPORTED)
    assert not any(page[0] & 0x80 for page in pages(ask(cdb.format(0, 0x3F, 0))))


@BOTH
def test_pages_that_can_be_saved_say_so(ask: Ask, unit: LogicalUnit, cdb: str) -> None:
    unit.keeps_state = True
    unit.modes.change({CONTROL.key: {"d_sense": 1}})
    (saved,), (current,) = (pages(ask(cdb.format(0, pc | 0x0A, 0))) for pc in (0xC0, 0))
    assert (saved[0], current[0]) == (0x8A, 0x8A)
    assert [CONTROL.layout.decode(page)["d_sense"] for page in (saved, current)] == [0, 1]
    (nothing_to_save,) = pages(ask(cdb.format(0, 0x04, 0)))
    assert nothing_to_save[0] == 0x04


@BOTH
def test_a_page_or_subpage_that_there_is_not_is_refused(ask: Ask, cdb: str) -> None:
    assert ask(cdb.format(0, 0x05, 0)) == Failed(invalid_field(2, 5))
    assert ask(cdb.format(0, 0x0A, 2)) == Failed(invalid_field(3, 7))
    assert ask(cdb.format(0, 0x3F, 1)) == Failed(invalid_field(3, 7))


def test_more_than_the_short_header_can_count_is_refused(ask: Ask, unit: LogicalUnit) -> None:
    many = {(code, 0): attrs.evolve(CONTROL, key=(code, 0)) for code in range(0x20)}
    unit.modes.pages = many
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogicalUnit, "mode_pages", many)
        assert ask(SHORT.format(0, 0x3F, 0)) == Failed(invalid_field(2, 5))
        assert len(data_of(ask(LONG.format(DBD, 0x3F, 0)))) == 8 + 12 * len(many)


def test_the_header_says_write_protected_and_dpofua(ask: Ask, unit: LogicalUnit) -> None:
    assert data_of(ask(SHORT.format(DBD, 0x0A, 0)))[:4].hex(" ") == "0f 00 10 00"
    assert data_of(ask(LONG.format(DBD, 0x0A, 0)))[:8].hex(" ") == "00 12 00 10 00 00 00 00"
    unit.read_only = True
    assert data_of(ask(SHORT.format(DBD, 0x0A, 0)))[2] == 0x90
    assert data_of(ask(LONG.format(DBD, 0x0A, 0)))[3] == 0x90


def test_the_block_descriptor_has_the_capacity_and_can_be_left_out(ask: Ask) -> None:
    short, long = "000003e800000200", "00000000000003e80000000000000200"
    assert data_of(ask(SHORT.format(0, 0x0A, 0)))[3:12].hex() == "08" + short
    assert data_of(ask(LONG.format(0, 0x0A, 0)))[4:16].hex() == "00000008" + short
    assert data_of(ask(LONG.format(0x10, 0x0A, 0)))[4:24].hex() == "01000010" + long
    assert data_of(ask(LONG.format(0x10 | DBD, 0x0A, 0)))[4:8].hex() == "00000000"


def test_a_capacity_too_large_for_the_short_descriptor_is_all_ones(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=2**33)
    data = data_of(unit.execute(bytes.fromhex(SHORT.format(0, 0x0A, 0)), nexus))
    assert data[4:8] == b"\xff" * 4


@given(st.integers(0, 255))
def test_mode_data_are_cut_but_their_length_is_whole(length: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    nexus = Nexus("initiator", "target")
    whole = data_of(unit.execute(bytes((0x1A, 0, 0x3F, 0, 255, 0)), nexus))
    assert data_of(unit.execute(bytes((0x1A, 0, 0x3F, 0, length, 0)), nexus)) == whole[:length]
