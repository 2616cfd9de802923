from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan, Receive, Sense
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_field,
    invalid_parameter,
)
from trioscsi.scsi.upkeep.overhaul import Overhaul, Work

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"
LONGLIST, FMTDATA = 0x20, 0x10
FOV, DPRY, DCRT, STPF, IP, IMMED = 0x80, 0x40, 0x20, 0x10, 0x08, 0x02
SHORT, LONG = FMTDATA, FMTDATA | LONGLIST


def formatting(ask: Ask, data: bytes, flags: int = SHORT) -> Plan:
    plan = ask(f"04 {flags:02x} 00 00 00 00")
    assert isinstance(plan, Receive)
    assert plan.open_ended
    return plan.received(data)


def header(flags: int = 0, defects: bytes = b"", *, long: bool = False) -> bytes:
    length = len(defects)
    return bytes((0, flags)) + (length.to_bytes(6, "big") if long else length.to_bytes(2, "big"))


def initialization(kind: int, pattern: bytes = b"", length: int | None = None) -> bytes:
    length = len(pattern) if length is None else length
    return bytes((0, kind)) + length.to_bytes(2, "big") + pattern


def test_without_a_parameter_list_all_is_as_new_when_it_ends(ask: Ask, unit: LogicalUnit) -> None:
    plan = ask("04 00 00 00 00 00")
    assert plan == Overhaul(unit, Work.FORMAT, [None])
    blocks = Blocks(unit)
    blocks.data[:] = b"x" * len(blocks.data)
    assert blocks.perform(plan) == Done()
    assert not any(blocks.data)


@pytest.mark.parametrize(("flags", "long"), [(SHORT, False), (LONG, True)])
def test_the_answer_can_be_had_at_once(ask: Ask, unit: LogicalUnit, flags: int, long: bool) -> None:
    plan = formatting(ask, header(IMMED, long=long), flags)
    assert plan == Overhaul(unit, Work.FORMAT, [None], immediate=True)
    plan = formatting(ask, header(FOV | DPRY | DCRT | STPF, long=long), flags)
    assert plan == Overhaul(unit, Work.FORMAT, [None])


def test_an_initialization_pattern_is_written(ask: Ask, unit: LogicalUnit) -> None:
    plan = formatting(ask, header(FOV | IP) + initialization(1, b"abc"))
    assert plan == Overhaul(unit, Work.FORMAT, [(b"abc" * 171)[:512]])
    plan = formatting(ask, header(FOV | IP) + initialization(0))
    assert plan == Overhaul(unit, Work.FORMAT, [None])


@pytest.mark.parametrize(("form", "size"), [(0, 4), (3, 8)])
def test_a_list_of_defects_changes_nothing(
    ask: Ask, unit: LogicalUnit, form: int, size: int
) -> None:
    defects = (7).to_bytes(size, "big") + (999).to_bytes(size, "big")
    plan = formatting(ask, header(0, defects) + defects, SHORT | form)
    assert plan == Overhaul(unit, Work.FORMAT, [None])
    beyond = defects + (1000).to_bytes(size, "big")
    plan = formatting(ask, header(0, beyond) + beyond, SHORT | form)
    assert plan == Failed(invalid_parameter(4 + 2 * size, 7))


@pytest.mark.parametrize("form", [1, 2, 4, 5, 6, 7])
def test_defects_by_what_a_disk_like_this_has_not_are_refused(ask: Ask, form: int) -> None:
    plan = formatting(ask, header(0, bytes(8)) + bytes(8), SHORT | form)
    assert plan == Failed(invalid_field(1, 2))


@pytest.mark.parametrize(
    ("data", "flags", "sense"),
    [
        pytest.param(b"\0\0\0", SHORT, PARAMETER_LIST_LENGTH_ERROR, id="no header"),
        pytest.param(bytes(7), LONG, PARAMETER_LIST_LENGTH_ERROR, id="no long header"),
        pytest.param(b"\x01\0\0\0", SHORT, invalid_parameter(0, 2), id="protection"),
        pytest.param(b"\0\0\0\x10" + bytes(4), LONG, invalid_parameter(3, 7), id="p_i"),
        pytest.param(b"\0\0\0\x01" + bytes(4), LONG, invalid_parameter(3, 3), id="interval"),
        pytest.param(header(DPRY), SHORT, invalid_parameter(1, 6), id="dpry without fov"),
        pytest.param(header(DCRT), SHORT, invalid_parameter(1, 5), id="dcrt without fov"),
        pytest.param(header(STPF), SHORT, invalid_parameter(1, 4), id="stpf without fov"),
        pytest.param(header(IP), SHORT, invalid_parameter(1, 3), id="ip without fov"),
        pytest.param(header(FOV | IP), SHORT, PARAMETER_LIST_LENGTH_ERROR, id="no descriptor"),
        pytest.param(
            header(FOV | IP) + initialization(1, b"a", 2),
            SHORT,
            PARAMETER_LIST_LENGTH_ERROR,
            id="a pattern that is cut off",
        ),
        pytest.param(
            header(FOV | IP) + initialization(0, b"a"),
            SHORT,
            invalid_parameter(6, 7),
            id="a pattern for the default",
        ),
        pytest.param(
            header(FOV | IP) + initialization(1), SHORT, invalid_parameter(6, 7), id="no pattern"
        ),
        pytest.param(
            header(FOV | IP) + initialization(1, b"a" * 513),
            SHORT,
            invalid_parameter(6, 7),
            id="more than a block",
        ),
        pytest.param(
            header(FOV | IP) + initialization(2), SHORT, invalid_parameter(5, 7), id="a type"
        ),
        pytest.param(
            header(0, bytes(8)) + bytes(7), SHORT, PARAMETER_LIST_LENGTH_ERROR, id="fewer defects"
        ),
        pytest.param(
            header(0, bytes(7)) + bytes(8), SHORT, PARAMETER_LIST_LENGTH_ERROR, id="half a defect"
        ),
    ],
)
def test_a_parameter_list_that_cannot_be_is_refused(
    ask: Ask, data: bytes, flags: int, sense: Sense
) -> None:
    assert formatting(ask, data, flags) == Failed(sense)


def test_protection_information_and_haste_are_refused(ask: Ask) -> None:
    assert ask("04 80 00 00 00 00") == Failed(invalid_field(1, 7))
    assert ask("04 00 00 00 01 00") == Failed(invalid_field(4, 1))


def test_what_was_once_the_interleave_makes_no_difference(ask: Ask, unit: LogicalUnit) -> None:
    assert ask("04 00 ff ff 00 00") == Overhaul(unit, Work.FORMAT, [None])


def test_a_write_protected_unit_is_not_formatted(ask: Ask, unit: LogicalUnit) -> None:
    unit.read_only = True
    assert ask("04 10 00 00 00 00") == Failed(WRITE_PROTECTED)


@given(st.binary(max_size=40), st.integers(0, 0x3F))
def test_no_parameter_list_of_format_unit_is_an_exception(data: bytes, flags: int) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=16)

    def ask(cdb: str) -> Plan:
        return unit.execute(bytes.fromhex(cdb).ljust(16, b"\0"), Nexus("initiator", "target"))

    assert isinstance(formatting(ask, data, flags | FMTDATA), Overhaul | Failed)
