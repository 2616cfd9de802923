from __future__ import annotations

from collections.abc import Iterator

from tests.scsi.copy.world import World
from trioscsi.scsi import Reply
from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.page import (
    BLOCK_DEVICE_ROD_LIMITS,
    BLOCK_ROD_FEATURES,
    GENERAL_COPY_OPERATIONS,
    HELD_DATA,
    PARAMETER_DATA,
    ROD_TOKEN_FEATURES,
    ROD_TYPE,
)
from trioscsi.scsi.inquiry.command import STANDARD


def descriptors(world: World, lun: int = 0) -> Iterator[tuple[int, bytes]]:
    """The type of each descriptor, and all of its bytes."""
    reply = world.do(bytes.fromhex("12 01 8f 0400 00"), lun=lun)
    assert isinstance(reply, Reply)
    rest = reply.data[4:]
    while rest:
        length = 4 + int.from_bytes(rest[2:4], "big")
        yield int.from_bytes(rest[:2], "big"), rest[:length]
        rest = rest[length:]


def test_inquiry_says_that_there_are_third_party_copies(world: World) -> None:
    reply = world.do(bytes.fromhex("12 00 00 0060 00"))
    assert isinstance(reply, Reply)
    assert STANDARD.decode(reply.data)["third_party_copy"] == 1


def test_descriptors_come_in_the_order_of_their_types_and_fill_words(world: World) -> None:
    found = list(descriptors(world))
    assert [kind for kind, _ in found] == [
        0x0000,
        0x0001,
        0x0004,
        0x0008,
        0x000C,
        0x0106,
        0x0108,
        0x8001,
        0xC001,
    ]
    assert all(len(data) % 4 == 0 for _, data in found)


def test_the_commands_are_those_that_there_are(world: World) -> None:
    data = dict(descriptors(world))[0x0001]
    assert data[4:].rstrip(b"\0") == bytes.fromhex(
        "0f 83 05 00 01 10 11 1c 84 06 00 01 03 04 05 07"
    )


def test_the_descriptors_that_are_understood_are_listed(world: World) -> None:
    found = dict(descriptors(world))
    assert found[0x0008][4:10] == bytes.fromhex("05 02 07 0a 0d e4")
    assert found[0x000C] == bytes.fromhex("000c 0004 0002 ffff")


def test_tokens_are_bounded_in_blocks(world: World) -> None:
    for lun, block_size in ((0, 512), (1, 4096)):
        fields = BLOCK_DEVICE_ROD_LIMITS.decode(dict(descriptors(world, lun))[0x0000])
        assert fields == {
            "maximum_range_descriptors": bounds.RANGES,
            "maximum_inactivity_timeout": bounds.MAXIMUM_INACTIVITY,
            "default_inactivity_timeout": bounds.INACTIVITY,
            "maximum_token_transfer_size": bounds.TOKEN_TRANSFER // block_size,
            "optimal_transfer_count": bounds.HOLES // block_size,
        }


def test_the_bounds_are_those_of_the_operating_parameters(world: World) -> None:
    found = dict(descriptors(world))
    assert PARAMETER_DATA.decode(found[0x0004]) == {
        "maximum_target_descriptor_count": bounds.TARGET_DESCRIPTORS,
        "maximum_segment_descriptor_count": bounds.SEGMENT_DESCRIPTORS,
        "maximum_descriptor_list_length": bounds.DESCRIPTORS_LENGTH,
        "maximum_inline_data_length": 0,
    }
    general = GENERAL_COPY_OPERATIONS.decode(found[0x8001])
    assert general["total_concurrent_copies"] == bounds.CONCURRENT
    assert general["maximum_segment_length"] == bounds.SEGMENT
    assert HELD_DATA.decode(found[0xC001])["held_data_limit"] == bounds.HELD


def test_the_types_of_tokens_are_those_that_are_made_and_taken(world: World) -> None:
    found = dict(descriptors(world))
    types = found[0x0108]
    assert types[4:8] == bytes.fromhex("0000 0080")
    first, second = ROD_TYPE.decode(types[8:72]), ROD_TYPE.decode(types[72:136])
    assert (first["rod_type"], first["token_in"], first["token_out"]) == (0x00800001, 1, 1)
    assert (second["rod_type"], second["token_in"], second["token_out"]) == (0xFFFF0001, 1, 0)
    features = ROD_TOKEN_FEATURES.decode(found[0x0106])
    assert features["remote_tokens"] == 0
    assert features["device_type_specific_features_length"] == BLOCK_ROD_FEATURES.length
    assert BLOCK_ROD_FEATURES.decode(found[0x0106][48:])["maximum_bytes"] == bounds.TOKEN_TRANSFER
