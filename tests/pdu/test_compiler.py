from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.errors import UsageError
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    LoginRequest,
    LogoutRequest,
    NopIn,
    Reject,
    ScsiCommand,
    TaskManagementResponse,
)


@given(st.data())
def test_what_was_packed_unpacks_to_the_same(pdus, data):
    pdu = data.draw(pdus)
    header = pdu.pack(len(pdu.data))
    again = type(pdu).unpack(header, 0, pdu.data)
    if ahs := header[BHS_LENGTH:]:
        again.unpack_ahs(ahs)
    assert again == pdu


@given(st.data())
def test_reserved_bits_are_sent_as_zero(pdus, data):
    pdu = data.draw(pdus)
    header = int.from_bytes(pdu.pack(0)[:BHS_LENGTH], "big")
    claimed = 0x3F << 47 * 8 | 0xFF << 43 * 8  # the opcode, and TotalAHSLength
    for field in pdu.fields:
        at = field.place
        claimed |= (1 << at.width) - 1 << BHS_LENGTH * 8 - at.first - at.width
    assert header & ~claimed == 0


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_reserved_bits_are_ignored_when_received(cls):
    zeroes, header = cls.unpack(bytes(BHS_LENGTH)), bytearray(b"\xff" * BHS_LENGTH)
    for field in cls.fields:
        at = field.place
        if not at.ones:
            clear = (1 << BHS_LENGTH * 8) - 1
            clear ^= (1 << at.width) - 1 << BHS_LENGTH * 8 - at.first - at.width
            header[:] = (int.from_bytes(header, "big") & clear).to_bytes(BHS_LENGTH, "big")
    assert cls.unpack(header) == zeroes


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_defaults_survive_the_wire(cls):
    assert cls.unpack(cls().pack(0)) == cls()


def test_bits_that_the_rfc_prints_as_1_are_sent_as_1():
    assert LogoutRequest().pack(0)[1] == 0x80
    assert NopIn().pack(0)[1] == 0x80
    assert Reject().pack(0)[16:20] == b"\xff\xff\xff\xff"


def test_bits_that_the_rfc_prints_as_1_are_not_looked_at():
    assert LogoutRequest.unpack(b"\x06" + bytes(47)) == LogoutRequest()


def test_the_lengths_are_in_words_and_in_bytes():
    command = ScsiCommand(bidirectional_read_length=0)
    assert command.pack(0x10203)[4:8].hex() == "02010203"


def test_a_field_of_three_bytes_leaves_the_fourth_alone():
    header = TaskManagementResponse(additional_response_information=0x123456).pack(0)
    assert header[8:12].hex() == "12345600"
    received = header[:11] + b"\xff" + header[12:]
    assert TaskManagementResponse.unpack(received).additional_response_information == 0x123456


@pytest.mark.parametrize(
    "pdu", [LoginRequest(csg=4), LoginRequest(nsg=-1), LoginRequest(tsih=65536), NopIn(itt=-1)]
)
def test_a_value_too_large_for_its_field_is_refused(pdu):
    with pytest.raises(UsageError, match="does not fit"):
        pdu.pack(0)


def test_generated_code_can_be_read():
    source = inspect.getsource(LoginRequest.unpack)
    assert "self.transit, self.continue_, self.csg, self.nsg = BYTE_1[at_1]" in source
    assert "self.immediate = at_0 & 0x40 != 0" in source


def test_fields_are_given_by_name_only():
    with pytest.raises(TypeError):
        LoginRequest(True)
