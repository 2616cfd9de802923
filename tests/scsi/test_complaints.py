from __future__ import annotations

import pytest

from trioscsi.errors import BackendFault, OutOfSpace
from trioscsi.scsi import AdditionalSense, Sense, SenseKey, complaints
from trioscsi.scsi.complaints import storage_failure


def test_an_invalid_field_is_encoded_as_the_standard_draws_it() -> None:
    data = complaints.invalid_field(1, 7).encode()
    assert data.hex(" ") == "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 01"


def test_a_field_of_a_parameter_list_is_not_one_of_the_cdb() -> None:
    data = complaints.invalid_parameter(4).encode()
    assert data.hex(" ") == "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 04"


def test_a_field_that_is_too_far_away_is_not_pointed_at() -> None:
    assert complaints.invalid_parameter(65_535).encode().hex().endswith("80ffff")
    assert complaints.invalid_parameter(65_536).encode().hex().endswith("000000")


@pytest.mark.parametrize(
    ("sense", "key", "code", "information"),
    [
        (complaints.out_of_range(8), SenseKey.ILLEGAL_REQUEST, 0x2100, 8),
        (complaints.unrecovered_read(8), SenseKey.MEDIUM_ERROR, 0x1100, 8),
        (complaints.write_error(8), SenseKey.MEDIUM_ERROR, 0x0C00, 8),
        (complaints.write_error(), SenseKey.MEDIUM_ERROR, 0x0C00, None),
        (complaints.miscompare(8), SenseKey.MISCOMPARE, 0x1D00, 8),
        (
            complaints.unit_attention(AdditionalSense.CAPACITY_DATA_HAS_CHANGED),
            SenseKey.UNIT_ATTENTION,
            0x2A09,
            None,
        ),
    ],
)
def test_each_complaint_has_its_key_and_code(
    sense: Sense, key: SenseKey, code: int, information: int | None
) -> None:
    assert sense == Sense(key, code, information)
    assert (sense.asc, sense.ascq) == divmod(code, 256)


def test_storage_that_is_full_is_no_error_of_the_medium() -> None:
    sense = storage_failure(OutOfSpace("full"), reading=False)
    assert (sense.key, sense.code) == (SenseKey.DATA_PROTECT, 0x2707)


def test_a_mistake_in_a_backend_is_no_error_of_the_medium() -> None:
    sense = storage_failure(BackendFault("a mistake"), reading=True, lba=7)
    assert sense == complaints.INTERNAL_TARGET_FAILURE
