from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.copy.world import World, blocks, lid1, lid4
from trioscsi.scsi import AdditionalSense, Failed, FieldPointer, Refusal
from trioscsi.scsi.complaints import PARAMETER_LIST_LENGTH_ERROR, invalid_parameter
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.parameters import (
    LID1,
    LID4,
    ListIdUsage,
    Request,
    parse_lid1,
    parse_lid4,
)
from trioscsi.scsi.layout import Layout
from trioscsi.scsi.sense import Sense, SenseKey

BOTH = pytest.mark.parametrize(
    ("make", "parse", "header"), [(lid1, parse_lid1, LID1), (lid4, parse_lid4, LID4)]
)
Make, Parse = Callable[..., bytes], Callable[[bytes], Request]


def refusal_of(parse: Parse, data: bytes) -> object:
    with pytest.raises(Refusal) as refusal:
        parse(data)
    return refusal.value.plan


def pointed(header: Layout, name: str) -> Failed:
    field = header.fields[name]
    return Failed(invalid_parameter(field.byte, field.bit))


@BOTH
def test_a_list_says_between_which_units_and_what(
    world: World, make: Make, parse: Parse, header: Layout
) -> None:
    request = parse(make(world.named(0, 2), blocks(1) + blocks(2), list_id=200))
    assert (request.list_id, request.keeps, request.immed) == (200, True, False)
    assert [each.place for each in request.targets] == [header.length, header.length + 32]
    assert [each.place for each in request.segments] == [header.length + 64, header.length + 92]


@BOTH
def test_empty_lists_are_lists(make: Make, parse: Parse, header: Layout) -> None:
    request = parse(make(b"", b""))
    assert request.targets == request.segments == ()


@BOTH
def test_a_list_identifier_can_be_without_use(make: Make, parse: Parse, header: Layout) -> None:
    request = parse(make(b"", b"", 5, list_id_usage=ListIdUsage.DISCARD))
    assert (request.list_id, request.keeps) == (5, False)
    assert parse(make(b"", b"", 0, list_id_usage=ListIdUsage.NONE)).list_id is None
    assert refusal_of(parse, make(b"", b"", 5, list_id_usage=ListIdUsage.NONE)) == pointed(
        header, "list_identifier"
    )
    assert refusal_of(parse, make(b"", b"", list_id_usage=1)) == pointed(header, "list_id_usage")


@BOTH
def test_inline_data_are_for_streams(make: Make, parse: Parse, header: Layout) -> None:
    field = header.fields["inline_data_length"]
    pointer = FieldPointer(field.byte, field.bit, in_cdb=False)
    code = AdditionalSense.INLINE_DATA_LENGTH_EXCEEDED
    assert refusal_of(parse, make(b"", b"", inline_data_length=4) + bytes(4)) == Failed(
        Sense(SenseKey.ILLEGAL_REQUEST, code, specific=pointer)
    )


@BOTH
def test_both_lists_are_there_whole(world: World, make: Make, parse: Parse, header: Layout) -> None:
    data = make(world.named(0), blocks(1))
    for length in range(header.length, len(data)):
        assert refusal_of(parse, data[:length]) == Failed(PARAMETER_LIST_LENGTH_ERROR)
    assert parse(data + b"more") == parse(data)


@BOTH
def test_targets_come_whole(world: World, make: Make, parse: Parse, header: Layout) -> None:
    assert refusal_of(parse, make(world.named(0)[:20], blocks(1))) == pointed(
        header, "target_descriptor_list_length"
    )


@BOTH
def test_both_lists_together_are_bounded(
    world: World, make: Make, parse: Parse, header: Layout
) -> None:
    targets = world.named(0) * bounds.TARGET_DESCRIPTORS
    segments = blocks(1) * bounds.SEGMENT_DESCRIPTORS
    assert len(parse(make(targets, segments)).segments) == bounds.SEGMENT_DESCRIPTORS
    assert refusal_of(parse, make(targets, segments + blocks(1))) == Failed(
        PARAMETER_LIST_LENGTH_ERROR
    )


def test_lid4_may_go_on_in_the_background() -> None:
    assert parse_lid4(lid4(b"", b"", immed=1)).immed


@pytest.mark.parametrize(
    "name",
    [
        "parameter_list_format",
        "header_target_descriptor_list_length",
        "header_target_descriptor_type_code",
    ],
)
def test_the_format_of_lid4_is_checked(name: str) -> None:
    assert refusal_of(parse_lid4, lid4(b"", b"", **{name: 2})) == pointed(LID4, name)


def test_sense_data_with_good_status_need_that_the_copy_is_made_before() -> None:
    assert parse_lid4(lid4(b"", b"", g_sense=1)).g_sense
    assert refusal_of(parse_lid4, lid4(b"", b"", g_sense=1, immed=1)) == pointed(LID4, "g_sense")


@given(st.binary(min_size=48, max_size=200))
def test_any_list_is_understood_or_refused(data: bytes) -> None:
    for parse in (parse_lid1, parse_lid4):
        try:
            assert isinstance(parse(data), Request)
        except Refusal as refusal:
            assert isinstance(refusal.plan, Failed)  # noqa: PT017 - that it is raised is not the point
