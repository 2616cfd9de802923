from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks, Run
from trioscsi.errors import BackendError
from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Outcome, Plan, Receive, Reply
from trioscsi.scsi.blocks.provisioning import LBA_STATUS_DESCRIPTOR, LBA_STATUS_HEADER, Unmap
from trioscsi.scsi.complaints import (
    INVALID_COMMAND_OPERATION_CODE,
    PARAMETER_LIST_LENGTH_ERROR,
    WRITE_PROTECTED,
    invalid_field,
    invalid_parameter,
    out_of_range,
)

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"
MAPPED_OR_UNKNOWN, DEALLOCATED, MAPPED = 0, 1, 3


@pytest.fixture
def unit() -> LogicalUnit:
    return LogicalUnit(
        0,
        target_name=NAME,
        blocks=1000,
        thin=True,
        maximum_unmap=512 * 500,
        maximum_unmap_descriptors=4,
    )


@pytest.fixture
def blocks(unit: LogicalUnit) -> Blocks:
    blocks = Blocks(unit)
    blocks.data[:] = b"x" * len(blocks.data)
    blocks.mapped.update(range(unit.blocks))
    return blocks


def descriptor(lba: int, blocks: int) -> bytes:
    return lba.to_bytes(8) + blocks.to_bytes(4) + bytes(4)


def parameters(*ranges: tuple[int, int]) -> bytes:
    body = b"".join(descriptor(*each) for each in ranges)
    return (len(body) + 6).to_bytes(2) + len(body).to_bytes(2) + bytes(4) + body


def unmap(unit: LogicalUnit, nexus: Nexus, data: bytes, length: int | None = None) -> Plan:
    """What UNMAP comes to, with so many bytes of parameter list asked for."""
    length = len(data) if length is None else length
    cdb = b"\x42" + bytes(6) + length.to_bytes(2) + bytes(7)
    plan = unit.execute(cdb, nexus)
    if not isinstance(plan, Receive):
        return plan
    assert plan.data_out == length
    return plan.received(data)


def test_all_ranges_are_unmapped(unit: LogicalUnit, nexus: Nexus, blocks: Blocks) -> None:
    plan = unmap(unit, nexus, parameters((0, 8), (16, 0), (999, 1)))
    assert plan == Unmap([(0, 8), (999, 1)])
    assert blocks.perform(plan) == Done()
    assert blocks.mapped == set(range(8, 999))
    assert blocks.data[: 9 * 512] == bytes(8 * 512) + b"x" * 512


def test_ranges_that_follow_upon_each_other_are_unmapped_at_once(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    data = parameters((8, 1), (9, 0), (9, 3), (13, 1))
    assert unmap(unit, nexus, data) == Unmap([(8, 4), (13, 1)])


@pytest.mark.parametrize(
    "ranges",
    [pytest.param([], id="none"), [(0, 0)], pytest.param([(1000, 0)], id="none at the end")],
)
def test_unmap_of_nothing_is_done(
    unit: LogicalUnit, nexus: Nexus, ranges: list[tuple[int, int]]
) -> None:
    assert unmap(unit, nexus, parameters(*ranges)) == Done()


def test_unmap_without_a_parameter_list_takes_no_data(unit: LogicalUnit, nexus: Nexus) -> None:
    assert unmap(unit, nexus, b"") == Done()


@pytest.mark.parametrize("length", range(1, 8))
def test_a_parameter_list_without_a_whole_header_is_too_short(
    unit: LogicalUnit, nexus: Nexus, length: int
) -> None:
    assert unmap(unit, nexus, bytes(length)) == Failed(PARAMETER_LIST_LENGTH_ERROR)


def test_a_descriptor_that_is_cut_off_is_ignored(unit: LogicalUnit, nexus: Nexus) -> None:
    data = parameters((0, 8), (16, 8))
    assert unmap(unit, nexus, data[:-1]) == Unmap([(0, 8)])
    assert unmap(unit, nexus, data[:-1], len(data)) == Unmap([(0, 8)])
    shorter = data[:2] + (31).to_bytes(2) + data[4:]
    assert unmap(unit, nexus, shorter) == Unmap([(0, 8)])


def test_blocks_that_are_not_there_are_out_of_range_and_nothing_is_unmapped(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    assert unmap(unit, nexus, parameters((0, 8), (999, 2))) == Failed(out_of_range(1000))
    assert unmap(unit, nexus, parameters((1001, 0))) == Failed(out_of_range(1001))
    assert unmap(unit, nexus, parameters((2**64 - 1, 2**32 - 1))) == Failed(out_of_range(2**64 - 1))


def test_more_descriptors_or_blocks_than_the_limits_are_refused_where_they_stand(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    assert unmap(unit, nexus, parameters(*[(0, 1)] * 4)) == Unmap([(0, 1)] * 4)
    assert unmap(unit, nexus, parameters(*[(0, 1)] * 5)) == Failed(invalid_parameter(2, 7))
    assert unmap(unit, nexus, parameters((0, 250), (500, 250))) == Unmap([(0, 250), (500, 250)])
    plan = unmap(unit, nexus, parameters((0, 250), (500, 251)))
    assert plan == Failed(invalid_parameter(8 + 16 + 8, 7))


def test_an_anchor_is_refused(ask: Ask) -> None:
    assert ask("42 01 00000000 00 0008 00") == Failed(invalid_field(1, 0))


def test_a_write_protected_unit_unmaps_nothing(unit: LogicalUnit, nexus: Nexus) -> None:
    unit.read_only = True
    assert unmap(unit, nexus, parameters((0, 1))) == Failed(WRITE_PROTECTED)


def test_a_fully_provisioned_unit_does_not_know_unmap(unit: LogicalUnit, nexus: Nexus) -> None:
    unit.thin = False
    plan = unmap(unit, nexus, parameters((0, 1)))
    assert plan == Failed(INVALID_COMMAND_OPERATION_CODE)


def test_what_storage_could_not_unmap_is_reported(
    unit: LogicalUnit, nexus: Nexus, blocks: Blocks
) -> None:
    blocks.fails = {"unmap"}
    with pytest.raises(BackendError):
        blocks.perform(unmap(unit, nexus, parameters((0, 1))))


@given(st.binary(max_size=100), st.integers(0, 0xFFFF))
def test_no_parameter_list_of_unmap_is_an_exception(data: bytes, length: int) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1000, thin=True, maximum_unmap_descriptors=4)
    plan = unmap(unit, Nexus("initiator", "target"), data[:length], length)
    assert isinstance(plan, Unmap | Done | Failed)


# GET LBA STATUS.


def status(lba: int, length: int, report: int = 0) -> str:
    return f"9e12 {lba:016x} {length:08x} {report:02x} 00"


def status_32(lba: int, length: int, report: int = 0, scan: int = 0, element: int = 0) -> str:
    head = f"7f 00 00 0000 0000 18 0012 {report:02x} 00"
    return f"{head} {lba:016x} {scan:08x} {element:08x} {length:08x}"


BOTH = pytest.mark.parametrize("status", [status, status_32])
Status = Callable[..., str]


def told(outcome: Outcome) -> list[tuple[int, int, int]]:
    assert isinstance(outcome, Reply)
    header = LBA_STATUS_HEADER.decode(outcome.data)
    assert header["parameter_data_length"] == len(outcome.data) - 4
    descriptors = [
        LBA_STATUS_DESCRIPTOR.decode(outcome.data[place:])
        for place in range(8, len(outcome.data), 16)
    ]
    return [
        (
            each["lba_status_logical_block_address"],
            each["number_of_logical_blocks"],
            each["provisioning_status"],
        )
        for each in descriptors
    ]


@BOTH
def test_the_status_of_blocks_tells_which_are_stored(
    ask: Ask, blocks: Blocks, status: Status
) -> None:
    blocks.mapped -= {*range(8, 24), 999}
    assert told(blocks.perform(ask(status(0, 1000)))) == [
        (0, 8, MAPPED_OR_UNKNOWN),
        (8, 16, DEALLOCATED),
        (24, 975, MAPPED_OR_UNKNOWN),
        (999, 1, DEALLOCATED),
    ]
    assert told(blocks.perform(ask(status(10, 24)))) == [(10, 14, DEALLOCATED)]


def test_the_answer_says_why_it_ends(ask: Ask, blocks: Blocks) -> None:
    blocks.mapped -= {8}

    def condition(cdb: str) -> int:
        reply = blocks.perform(ask(cdb))
        assert isinstance(reply, Reply)
        return LBA_STATUS_HEADER.decode(reply.data)["completion_condition"]

    full, scanned, end_of_medium = 1, 2, 3
    # With both no room and no more blocks, it is the blocks.
    for length, expected in ((24, full), (40, full), (56, end_of_medium), (72, end_of_medium)):
        assert condition(status(0, length)) == condition(status_32(0, length)) == expected
    assert condition(status_32(0, 24, scan=8)) == scanned
    assert condition(status_32(0, 24, scan=9)) == full
    assert condition(status_32(0, 72, scan=9)) == scanned
    assert condition(status_32(0, 72, scan=1000)) == end_of_medium
    assert condition(status_32(999, 72, scan=2**32 - 1)) == end_of_medium


def test_only_so_many_blocks_are_looked_at(ask: Ask, blocks: Blocks) -> None:
    blocks.mapped -= {8, 16}
    for scan, lba in ((8, None), (9, 8), (500, 8)):
        found = told(blocks.perform(ask(status_32(0, 24, report=3, scan=scan))))
        assert found == ([] if lba is None else [(lba, 1, DEALLOCATED)])
    assert told(blocks.perform(ask(status_32(0, 72, scan=4)))) == [(0, 4, MAPPED_OR_UNKNOWN)]


def test_there_are_no_physical_elements_to_choose_from(ask: Ask) -> None:
    assert ask(status_32(0, 24, element=1)) == Failed(invalid_field(24, 7))


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (0x00, [(0, 8, MAPPED_OR_UNKNOWN), (8, 8, DEALLOCATED), (16, 984, MAPPED_OR_UNKNOWN)]),
        (0x01, [(0, 8, MAPPED), (8, 8, DEALLOCATED), (16, 984, MAPPED)]),
        (0x02, [(0, 8, MAPPED), (16, 984, MAPPED)]),
        (0x03, [(8, 8, DEALLOCATED)]),
        (0x04, []),
        (0x10, []),
    ],
)
@BOTH
def test_a_report_can_be_about_some_blocks_only(
    ask: Ask, blocks: Blocks, report: int, expected: list[tuple[int, int, int]], status: Status
) -> None:
    blocks.mapped -= set(range(8, 16))
    outcome = blocks.perform(ask(status(0, 1000, report)))
    assert told(outcome) == expected
    assert isinstance(outcome, Reply)
    assert LBA_STATUS_HEADER.decode(outcome.data)["rtp"]


def test_a_report_of_another_type_is_refused(ask: Ask) -> None:
    assert ask(status(0, 24, 5)) == Failed(invalid_field(14, 7))
    assert ask(status_32(0, 24, 5)) == Failed(invalid_field(10, 7))


@BOTH
def test_the_status_of_blocks_that_are_not_there_is_out_of_range(ask: Ask, status: Status) -> None:
    assert ask(status(1000, 24)) == Failed(out_of_range(1000))
    assert ask(status(2**64 - 1, 24)) == Failed(out_of_range(2**64 - 1))


@pytest.mark.parametrize("length", [0, 7, 23])
def test_the_answer_is_cut_to_the_allocation_length(ask: Ask, blocks: Blocks, length: int) -> None:
    reply = blocks.perform(ask(status(0, length)))
    whole = blocks.perform(ask(status(0, 24)))
    assert isinstance(reply, Reply)
    assert isinstance(whole, Reply)
    assert reply.data == whole.data[:length]


def test_an_extent_larger_than_a_descriptor_can_say_has_several(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=2**33, thin=True)

    class Huge(Blocks):
        def __attrs_post_init__(self) -> None:
            """It holds nothing."""

        async def extents(self, lba: int, blocks: int) -> list[Run]:
            return [Run(lba, min(blocks, 2**33 - 2**30), mapped=False)]

    plan = unit.execute(bytes.fromhex(status(0, 1000)), nexus)
    largest = 2**32 - 1
    assert told(Huge(unit).perform(plan)) == [
        (0, largest, DEALLOCATED),
        (largest, 2**32 - 2**30 + 1, DEALLOCATED),
        (2**33 - 2**30, 2**30, DEALLOCATED),
    ]
