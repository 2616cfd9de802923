from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from trioscsi.scsi import LogicalUnit, Nexus, Plan, Reply
from trioscsi.scsi.inquiry import identity, vpd
from trioscsi.scsi.inquiry.designation import DESIGNATOR

Ask = Callable[[str], Plan]
NAME = "iqn.2026-11.example:disk"


def page(unit: LogicalUnit, code: int, nexus: Nexus) -> bytes:
    plan = unit.execute(bytes((0x12, 1, code, 4, 0, 0)), nexus)
    assert isinstance(plan, Reply)
    header = vpd.HEADER.decode(plan.data)
    assert header["page_code"] == code
    assert header["page_length"] == len(plan.data) - 4
    return plan.data


def designators(data: bytes) -> Iterator[tuple[dict[str, int], bytes]]:
    rest = data[4:]
    while rest:
        head = DESIGNATOR.decode(rest)
        end = 4 + head["designator_length"]
        yield head, rest[4:end]
        rest = rest[end:]


def test_page_00_lists_all_pages_in_order_and_each_can_be_had(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    codes = page(unit, 0x00, nexus)[4:]
    assert codes == bytes.fromhex("00 80 83 85 86 87 88 8a 8f 92 b0 b1 b2 b3")
    for code in codes:
        page(unit, code, nexus)


def test_the_serial_number_can_be_given(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1, serial="S-1")
    assert page(unit, 0x80, nexus)[4:] == b"S-1"


def test_the_serial_number_follows_from_target_and_lun(unit: LogicalUnit, nexus: Nexus) -> None:
    assert page(unit, 0x80, nexus)[4:].decode() == identity.serial_number(NAME, 0)


def test_the_unit_the_port_and_the_target_are_named(unit: LogicalUnit, nexus: Nexus) -> None:
    found = [
        (head["association"], head["designator_type"], value)
        for head, value in designators(page(unit, 0x83, nexus))
    ]
    serial = identity.serial_number(NAME, 0).encode()
    assert found == [
        (0, 3, identity.naa(NAME, 0)),
        (0, 1, b"TRIOSCSIVIRTUAL DISK    " + serial),
        (1, 4, b"\0\0\0\1"),
        (1, 5, b"\0\0\0\1"),
        (1, 8, f"{NAME},t,0x0001".encode().ljust(36, b"\0")),
        (2, 8, NAME.encode().ljust(28, b"\0")),
    ]


def test_names_of_ports_and_targets_say_that_they_are_iscsi(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    for head, _ in designators(page(unit, 0x83, nexus)):
        assert (head["piv"], head["protocol_identifier"]) == (
            (1, 5) if head["association"] else (0, 0)
        )


def test_two_ports_show_the_same_unit(unit: LogicalUnit) -> None:
    first, second = (
        [
            value
            for head, value in designators(page(unit, 0x83, Nexus("i", f"{NAME},t,{n}", n)))
            if head["association"] == 0
        ]
        for n in (1, 2)
    )
    assert first == second


@pytest.mark.parametrize("length", [1, 3, 4, 223, 400])
def test_a_scsi_name_ends_with_a_null_and_fills_whole_words(nexus: Nexus, length: int) -> None:
    unit = LogicalUnit(0, target_name="n" * length, blocks=1)
    *_, (_, name) = designators(page(unit, 0x83, nexus))
    assert name.endswith(b"\0")
    assert len(name) % 4 == 0
    assert len(name) <= 252


def test_block_limits_say_the_maximum_transfer_in_blocks(nexus: Nexus) -> None:
    unit = LogicalUnit(
        0, target_name=NAME, blocks=8, physical_block_size=4096, maximum_transfer=70_000
    )
    data = page(unit, 0xB0, nexus)
    fields = vpd.BLOCK_LIMITS_PAGE.decode(data)
    assert len(data) == 64
    assert fields["maximum_transfer_length"] == 136
    assert fields["optimal_transfer_length_granularity"] == 8
    assert fields["maximum_unmap_lba_count"] == 0


def test_block_limits_say_what_single_commands_may_have(nexus: Nexus) -> None:
    unit = LogicalUnit(
        0, target_name=NAME, blocks=8, maximum_transfer=100 * 2**10, maximum_same=2**20
    )
    fields = vpd.BLOCK_LIMITS_PAGE.decode(page(unit, 0xB0, nexus))
    assert fields["maximum_transfer_length"] == 200
    assert fields["maximum_compare_and_write_length"] == 100
    assert fields["maximum_prefetch_length"] == 200
    assert fields["maximum_write_same_length"] == 2048
    assert fields["wsnz"] == 1
    assert fields["maximum_atomic_transfer_length"] == 0
    assert fields["maximum_atomic_boundary_size"] == 0


def test_block_limits_say_what_is_written_atomically(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=8, maximum_transfer=2**32, atomic=True)
    fields = vpd.BLOCK_LIMITS_PAGE.decode(page(unit, 0xB0, nexus))
    assert fields["maximum_atomic_transfer_length"] == 65_535
    assert fields["atomic_alignment"] == fields["atomic_transfer_length_granularity"] == 0
    assert fields["maximum_atomic_transfer_length_with_atomic_boundary"] == 65_535
    assert fields["maximum_atomic_boundary_size"] == 65_535


def test_nothing_rotates(unit: LogicalUnit, nexus: Nexus) -> None:
    data = page(unit, 0xB1, nexus)
    assert len(data) == 64
    assert vpd.CHARACTERISTICS_PAGE.decode(data)["medium_rotation_rate"] == 1


def test_a_fully_provisioned_unit_says_that_nothing_can_be_unmapped(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    assert not any(vpd.PROVISIONING_PAGE.decode(page(unit, 0xB2, nexus)).values())
    limits = vpd.BLOCK_LIMITS_PAGE.decode(page(unit, 0xB0, nexus))
    assert not any(value for name, value in limits.items() if "unmap" in name)
    assert not limits["ugavalid"]


@pytest.mark.parametrize("block_size", [512, 4096])
def test_a_thin_unit_says_how_blocks_are_unmapped(nexus: Nexus, block_size: int) -> None:
    unit = LogicalUnit(
        0,
        target_name=NAME,
        blocks=2**20,
        block_size=block_size,
        thin=True,
        granularity=65_536,
        maximum_unmap=2**30,
        maximum_unmap_descriptors=7,
    )
    limits = vpd.BLOCK_LIMITS_PAGE.decode(page(unit, 0xB0, nexus))
    assert limits["maximum_unmap_lba_count"] == 2**30 // block_size
    assert limits["maximum_unmap_block_descriptor_count"] == 7
    assert limits["optimal_unmap_granularity"] == 65_536 // block_size
    assert (limits["ugavalid"], limits["unmap_granularity_alignment"]) == (1, 0)
    fields = vpd.PROVISIONING_PAGE.decode(page(unit, 0xB2, nexus))
    assert (fields["lbpu"], fields["lbpws"], fields["lbpws10"]) == (1, 1, 1)
    assert (fields["lbprz"], fields["provisioning_type"]) == (1, 2)
    assert 2 ** fields["threshold_exponent"] * block_size == 2**20
    assert not fields["anc_sup"]


def test_the_granularity_is_not_told_where_it_is_not_known(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=8, thin=True)
    limits = vpd.BLOCK_LIMITS_PAGE.decode(page(unit, 0xB0, nexus))
    assert (limits["optimal_unmap_granularity"], limits["ugavalid"]) == (0, 0)


def test_the_room_of_the_largest_disk_is_counted_in_32_bits(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=2**64 - 1, thin=True)
    exponent = vpd.PROVISIONING_PAGE.decode(page(unit, 0xB2, nexus))["threshold_exponent"]
    assert unit.blocks >> exponent < 2**32
