from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.copy.world import World, blocks, name, some, verify
from trioscsi.scsi import AdditionalSense, FieldPointer, LogicalUnit, Refusal
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.descriptors import Kind, parse_segments, parse_targets
from trioscsi.scsi.inquiry.designation import designators
from trioscsi.scsi.plan import Failed
from trioscsi.scsi.sense import Sense, SenseKey

TARGETS, SEGMENTS = (
    AdditionalSense.UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE,
    AdditionalSense.UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE,
)


def refused(code: AdditionalSense, place: int) -> Failed:
    pointer = FieldPointer(place, 7, in_cdb=False)
    return Failed(Sense(SenseKey.ILLEGAL_REQUEST, code, specific=pointer))


def test_a_target_is_named_as_vpd_page_83_names_it(unit: LogicalUnit) -> None:
    first, second = parse_targets(
        name(unit, pad=1, disk_block_length=512) + name(unit, peripheral_device_type=5), 16
    )
    assert first.designation == second.designation == designators(unit)[0]
    assert (first.pad, first.block_length, first.device_type, first.place) == (True, 512, 0, 16)
    assert (second.pad, second.block_length, second.device_type, second.place) == (False, 0, 5, 48)


def test_bits_that_spc_4_took_away_do_not_matter(unit: LogicalUnit) -> None:
    plain, old = (
        name(unit),
        name(unit, lu_id_type=3, nul=1, relative_initiator_port_identifier=7),
    )
    assert parse_targets(old, 0) == parse_targets(plain, 0)


@pytest.mark.parametrize("code", [0x00, 0xE0, 0xE3, 0xE5, 0xEA, 0xFE, 0xFF])
def test_another_type_of_target_is_not_supported(unit: LogicalUnit, code: int) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_targets(name(unit) + bytes((code, *bytes(31))), 16)
    assert refusal.value.plan == refused(TARGETS, 48)


def test_a_designator_longer_than_its_room_is_refused(unit: LogicalUnit) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_targets(name(unit, which=1), 16)
    assert refusal.value.plan == Failed(invalid_parameter(23, 7))


def test_so_many_targets_and_no_more(unit: LogicalUnit) -> None:
    most = bounds.TARGET_DESCRIPTORS
    assert len(parse_targets(name(unit) * most, 0)) == most
    with pytest.raises(Refusal) as refusal:
        parse_targets(name(unit) * (most + 1), 16)
    assert refusal.value.plan == refused(
        AdditionalSense.TOO_MANY_TARGET_DESCRIPTORS, 16 + most * 32
    )


def test_segments_of_all_kinds_follow_one_another() -> None:
    data = blocks(7, 1, 2, between=(3, 4), dc=1) + verify(5) + some(9, (1, 2), (3, 4), cat=1)
    first, second, third = parse_segments(data, 100)
    assert (first.kind, first.source, first.destination) == (Kind.BLOCK_TO_BLOCK, 3, 4)
    assert (first.fields["block_device_number_of_blocks"], first.fields["dc"]) == (7, 1)
    assert (second.kind, second.source, second.fields["tur"]) == (Kind.VERIFY, 5, 1)
    assert (third.kind, third.cat) == (Kind.BLOCK_TO_BLOCK_WITH_OFFSETS, True)
    assert [each.place for each in (first, second, third)] == [100, 128, 140]
    assert second.pointer("tur") == FieldPointer(136, 0, in_cdb=False)


@pytest.mark.parametrize("code", sorted({*range(256)} - {*Kind})[::7])
def test_another_type_of_segment_is_not_supported(code: int) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_segments(verify() + bytes((code, *bytes(27))), 16)
    assert refusal.value.plan == refused(SEGMENTS, 28)


def test_so_many_segments_and_no_more() -> None:
    most = bounds.SEGMENT_DESCRIPTORS
    assert len(parse_segments(verify() * most, 0)) == most
    with pytest.raises(Refusal) as refusal:
        parse_segments(verify() * (most + 1), 16)
    assert refusal.value.plan == refused(
        AdditionalSense.TOO_MANY_SEGMENT_DESCRIPTORS, 16 + most * 12
    )


def test_a_segment_has_the_length_of_its_kind() -> None:
    with pytest.raises(Refusal) as refusal:
        parse_segments(verify() + bytes((2, 0, 0, 20)) + bytes(24), 16)
    assert refusal.value.plan == Failed(invalid_parameter(30, 7))


@pytest.mark.parametrize("cut", range(1, 28))
def test_a_segment_that_is_cut_is_refused(cut: int) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_segments(blocks(1)[:cut], 16)
    assert refusal.value.plan == Failed(PARAMETER_LIST_LENGTH_ERROR)


def test_a_target_that_is_cut_is_refused(world: World) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_targets(world.named(0)[:31], 16)
    assert refusal.value.plan == Failed(PARAMETER_LIST_LENGTH_ERROR)


@given(st.binary(max_size=100))
def test_any_bytes_are_descriptors_or_refused(data: bytes) -> None:
    for parse in (parse_targets, parse_segments):
        try:
            parse(data, 16)
        except Refusal as refusal:
            assert isinstance(refusal.plan, Failed)  # noqa: PT017 - that it is raised is not the point
