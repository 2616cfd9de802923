"""The table specs/scsi/copy.toml equals the code, both ways."""

from __future__ import annotations

import enum
import tomllib
from pathlib import Path

import pytest

from trioscsi.scsi.copy import (
    descriptors,
    offload,
    operation,
    page,
    parameters,
    results,
    token,
)
from trioscsi.scsi.layout import Layout

COPY = tomllib.loads((Path(__file__).parents[2] / "specs" / "scsi" / "copy.toml").read_text())

ENUMS: dict[str, type[enum.IntEnum]] = {
    "segment_descriptors": descriptors.Kind,
    "list_id_usage": parameters.ListIdUsage,
    "copy_operation_status": operation.State,
    "transfer_count_units": operation.Units,
    "rod_types": token.RodType,
}
RECORDS: dict[str, Layout] = {
    "EXTENDED COPY(LID1) parameter list": parameters.LID1,
    "EXTENDED COPY(LID4) parameter list": parameters.LID4,
    "Identification descriptor target descriptor": descriptors.TARGET_DESCRIPTOR,
    "Block device to block device segment descriptor": descriptors.BLOCK_TO_BLOCK,
    "Block device to block device with offsets segment descriptor": (
        descriptors.BLOCK_TO_BLOCK_WITH_OFFSETS
    ),
    "Verify segment descriptor": descriptors.VERIFY,
    "POPULATE TOKEN parameter list": offload.POPULATE_LIST,
    "WRITE USING TOKEN parameter list": offload.WRITE_LIST,
    "Block device range descriptor": offload.RANGE,
    "ROD token": token.TOKEN,
    "RECEIVE COPY STATUS(LID1) data": results.STATUS_LID1,
    "RECEIVE COPY STATUS(LID4) data": results.STATUS_LID4,
    "RECEIVE COPY OPERATING PARAMETERS data": results.OPERATING_PARAMETERS,
    "RECEIVE COPY FAILURE DETAILS(LID1) data": results.FAILURE_DETAILS,
    "Third-party copy descriptor": page.DESCRIPTOR,
    "Block device ROD token limits": page.BLOCK_DEVICE_ROD_LIMITS,
    "Parameter data": page.PARAMETER_DATA,
    "ROD token features": page.ROD_TOKEN_FEATURES,
    "Block ROD features": page.BLOCK_ROD_FEATURES,
    "ROD type": page.ROD_TYPE,
    "General copy operations": page.GENERAL_COPY_OPERATIONS,
    "Held data": page.HELD_DATA,
}


def fields(record: Layout) -> dict[str, list[int]]:
    return {name: [field.byte, field.bit, field.width] for name, field in record.fields.items()}


def test_every_record_has_the_fields_of_its_row() -> None:
    assert {name: (record.length, fields(record)) for name, record in RECORDS.items()} == {
        row["name"]: (row["length"], row["fields"]) for row in COPY["record"]
    }


@pytest.mark.parametrize("name", ENUMS)
def test_the_values_are_those_of_the_table(name: str) -> None:
    assert {member.name: member.value for member in ENUMS[name]} == COPY[name]


def test_the_table_has_nothing_else() -> None:
    assert COPY.keys() == {"record", *ENUMS}


@pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))
def test_no_two_fields_of_a_record_overlap_and_all_lie_in_it(record: Layout) -> None:
    masks = [record.mask(name) for name in record.fields]
    assert sum(masks).bit_count() == sum(mask.bit_count() for mask in masks)
    assert sum(masks) < 1 << record.length * 8
