"""The Third-Party Copy VPD page: what copies a unit makes, and its bounds (SPC-4 section 7.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.descriptors import IDENTIFICATION, THIS_UNIT, Kind
from trioscsi.scsi.copy.token import RodType
from trioscsi.scsi.layout import bits, layout, span

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.layout import Layout
    from trioscsi.scsi.nexus import Nexus

DESCRIPTOR = layout(4, descriptor_type=span(0, 1), descriptor_length=span(2, 3))
BLOCK_DEVICE_ROD_LIMITS = layout(
    36,
    maximum_range_descriptors=span(10, 11),
    maximum_inactivity_timeout=span(12, 15),
    default_inactivity_timeout=span(16, 19),
    maximum_token_transfer_size=span(20, 27),
    optimal_transfer_count=span(28, 35),
)
PARAMETER_DATA = layout(
    32,
    maximum_target_descriptor_count=span(8, 9),
    maximum_segment_descriptor_count=span(10, 11),
    maximum_descriptor_list_length=span(12, 15),
    maximum_inline_data_length=span(16, 19),
)
ROD_TOKEN_FEATURES = layout(
    48,
    remote_tokens=bits(4, 3, 0),
    minimum_token_lifetime=span(16, 19),
    maximum_token_lifetime=span(20, 23),
    maximum_token_inactivity_timeout=span(24, 27),
    device_type_specific_features_length=span(46, 47),
)
BLOCK_ROD_FEATURES = layout(
    48,
    descriptor_format=bits(0, 7, 5),
    peripheral_device_type=bits(0, 4, 0),
    feature_length=span(2, 3),
    optimal_length_granularity=span(6, 7),
    maximum_bytes=span(8, 15),
    optimal_bytes_in_transfer=span(16, 23),
    optimal_bytes_to_token_per_segment=span(24, 31),
    optimal_bytes_from_token_per_segment=span(32, 39),
)
ROD_TYPE = layout(
    64,
    rod_type=span(0, 3),
    ecpy_int=bits(4, 7),
    token_in=bits(4, 1),
    token_out=bits(4, 0),
    preference_indicator=span(6, 7),
)
GENERAL_COPY_OPERATIONS = layout(
    36,
    total_concurrent_copies=span(4, 7),
    maximum_identified_concurrent_copies=span(8, 11),
    maximum_segment_length=span(12, 15),
    data_segment_granularity=span(16),
    inline_data_granularity=span(17),
)
HELD_DATA = layout(32, held_data_limit=span(4, 7), held_data_granularity=span(8))

_COPY_COMMANDS = (0x83, 0x84)


def content(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """The page without its header: its descriptors, in the order of their types."""
    return b"".join(
        (
            _record(0x0000, BLOCK_DEVICE_ROD_LIMITS, **_rod_limits(unit)),
            _descriptor(0x0001, _supported_commands(unit)),
            _record(
                0x0004,
                PARAMETER_DATA,
                maximum_target_descriptor_count=bounds.TARGET_DESCRIPTORS,
                maximum_segment_descriptor_count=bounds.SEGMENT_DESCRIPTORS,
                maximum_descriptor_list_length=bounds.DESCRIPTORS_LENGTH,
            ),
            _descriptor(0x0008, bytes((len(Kind) + 1, *sorted(Kind), IDENTIFICATION))),
            _descriptor(0x000C, bytes((0, 2)) + THIS_UNIT.to_bytes(2, "big")),
            _rod_token_features(),
            _descriptor(0x0108, _rod_types()),
            _record(
                0x8001,
                GENERAL_COPY_OPERATIONS,
                total_concurrent_copies=bounds.CONCURRENT,
                maximum_identified_concurrent_copies=bounds.CONCURRENT,
                maximum_segment_length=bounds.SEGMENT,
            ),
            _record(0xC001, HELD_DATA, held_data_limit=bounds.HELD),
        )
    )


def _record(descriptor_type: int, record: Layout, **values: int) -> bytes:
    return _descriptor(descriptor_type, record.encode(**values)[DESCRIPTOR.length :])


def _descriptor(descriptor_type: int, data: bytes) -> bytes:
    """A descriptor, filled to a multiple of four bytes."""
    data += bytes(-len(data) % 4)
    head = DESCRIPTOR.encode(descriptor_type=descriptor_type, descriptor_length=len(data))
    return head + data


def _rod_limits(unit: LogicalUnit) -> dict[str, int]:
    transfer = bounds.TOKEN_TRANSFER // unit.block_size
    return {
        "maximum_range_descriptors": bounds.RANGES,
        "maximum_inactivity_timeout": bounds.MAXIMUM_INACTIVITY,
        "default_inactivity_timeout": bounds.INACTIVITY,
        "maximum_token_transfer_size": transfer,
        "optimal_transfer_count": bounds.HOLES // unit.block_size,
    }


def _supported_commands(unit: LogicalUnit) -> bytes:
    """The commands of third-party copies, as the table of the unit has them."""
    listed = b""
    for opcode in _COPY_COMMANDS:
        actions = sorted(action for action in unit.commands.of(opcode) if action is not None)
        listed += bytes((opcode, len(actions), *actions))
    return bytes((len(listed),)) + listed


def _rod_token_features() -> bytes:
    """Tokens of this target alone; they live for as long as they are used in time."""
    features = BLOCK_ROD_FEATURES.encode(
        feature_length=BLOCK_ROD_FEATURES.length - 4,
        maximum_bytes=bounds.TOKEN_TRANSFER,
        optimal_bytes_in_transfer=bounds.HOLES,
        optimal_bytes_to_token_per_segment=bounds.HOLES,
        optimal_bytes_from_token_per_segment=bounds.HOLES,
    )
    record = ROD_TOKEN_FEATURES.encode(
        maximum_token_lifetime=0xFFFFFFFF,
        maximum_token_inactivity_timeout=bounds.MAXIMUM_INACTIVITY,
        device_type_specific_features_length=len(features),
    )
    return _descriptor(0x0106, record[DESCRIPTOR.length :] + features)


def _rod_types() -> bytes:
    types = ROD_TYPE.encode(rod_type=RodType.CHANGE_VULNERABLE, token_in=1, token_out=1)
    types += ROD_TYPE.encode(rod_type=RodType.ZERO, token_in=1)
    return bytes(2) + len(types).to_bytes(2, "big") + types
