from __future__ import annotations

import pytest

from trioscsi.errors import PeerError
from trioscsi.pdu import (
    CLASSES,
    Field,
    LogoutRequest,
    Pdu,
    Place,
    RejectReason,
    TextRequest,
)


def test_a_layout_lists_the_fields_in_the_order_of_the_drawing():
    assert TextRequest.fields[:3] == (
        Field("immediate", Place(0, 1, 1)),
        Field("final", Place(1, 0, 1)),
        Field("continue_", Place(1, 1, 1)),
    )


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_no_two_fields_overlap(cls):
    taken = list(range(2, 8)) + list(range(4 * 8, 8 * 8))  # the opcode and the two lengths
    for field in cls.fields:
        taken += range(field.place.first, field.place.first + field.place.width)
    assert len(taken) == len(set(taken))
    assert max(taken) < 48 * 8


def test_a_pdu_without_a_data_segment_has_empty_data():
    assert LogoutRequest().data == b""
    assert LogoutRequest.data_segment == ""
    assert TextRequest.data_segment == "text"


def test_only_a_scsi_command_takes_additional_header_segments():
    with pytest.raises(PeerError, match=r"4 bytes of additional .* in a TextRequest") as caught:
        TextRequest().unpack_ahs(bytes(4))
    assert caught.value.answer is RejectReason.INVALID_PDU_FIELD
    assert TextRequest().pack_ahs() == b""


def test_a_class_that_was_not_compiled_has_no_codec():
    with pytest.raises(NotImplementedError):
        Pdu().pack(0)
    with pytest.raises(NotImplementedError):
        Pdu.unpack(bytes(48))


def test_a_long_data_segment_does_not_flood_the_log():
    assert "data=<5000 bytes>" in repr(TextRequest(data=bytes(5000)))
