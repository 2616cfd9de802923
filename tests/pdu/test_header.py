from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu import RejectReason
from trioscsi.pdu.header import pack_ahs, padding, unpack_ahs


def test_segments_are_padded_to_words():
    assert [padding(length) for length in range(6)] == [0, 3, 2, 1, 0, 3]


def test_an_extended_cdb_counts_its_reserved_byte():
    assert pack_ahs(b"\x11\x12", None).hex() == "0003" + "01" + "00" + "11120000"
    assert unpack_ahs(bytes.fromhex("0003010011120000")) == (b"\x11\x12", None)


def test_a_bidirectional_read_length_takes_two_words():
    assert pack_ahs(b"", 0x1000).hex() == "0005020000001000"
    assert unpack_ahs(bytes.fromhex("0005020000001000")) == (b"", 0x1000)


def test_no_segments_say_nothing():
    assert pack_ahs(b"", None) == b""
    assert unpack_ahs(b"") == (b"", None)


@given(st.binary(max_size=1000), st.none() | st.integers(0, 2**32 - 1))
def test_segments_survive_the_wire(cdb_rest, read_length):
    assert unpack_ahs(pack_ahs(cdb_rest, read_length)) == (cdb_rest, read_length)


def test_the_order_of_segments_does_not_matter():
    both = pack_ahs(b"", 5) + pack_ahs(b"abc", None)
    assert unpack_ahs(both) == (b"abc", 5)


def test_reserved_bits_of_the_type_and_its_reserved_byte_are_ignored():
    assert unpack_ahs(bytes.fromhex("0005c2ff00001000")) == (b"", 0x1000)


def test_a_cdb_too_long_for_the_header_is_refused():
    pack_ahs(bytes(1016), None)
    with pytest.raises(UsageError):
        pack_ahs(bytes(1016), 0)


@pytest.mark.parametrize(
    ("ahs", "section", "answer"),
    [
        ("00010000", "11.2.2.1", RejectReason.PROTOCOL_ERROR),
        ("00010300", "11.2.2.1", RejectReason.PROTOCOL_ERROR),
        ("00020100010000000002010001000000", "11.2.2", RejectReason.INVALID_PDU_FIELD),
        ("ffff0100", "11.2.2.2", RejectReason.INVALID_PDU_FIELD),
        ("00020100", "11.2.2.2", RejectReason.INVALID_PDU_FIELD),
        ("00000100", "11.2.2.3", RejectReason.INVALID_PDU_FIELD),
        ("00010100", "11.2.2.3", RejectReason.INVALID_PDU_FIELD),
        ("0004020000000000", "11.2.2.4", RejectReason.INVALID_PDU_FIELD),
        ("00010200", "11.2.2.4", RejectReason.INVALID_PDU_FIELD),
    ],
    ids=[
        "reserved type 0",
        "reserved type 3",
        "the same twice",
        "too long",
        "one word too long",
        "no CDB, length 0",
        "no CDB, length 1",
        "short read length",
        "no read length",
    ],
)
def test_nonsense_is_refused(ahs, section, answer):
    with pytest.raises(PeerError) as caught:
        unpack_ahs(bytes.fromhex(ahs))
    assert (caught.value.section, caught.value.answer) == (section, answer)


@given(st.lists(st.binary(min_size=4, max_size=4)).map(b"".join))
def test_arbitrary_words_are_understood_or_refused(ahs):
    with contextlib.suppress(PeerError):
        unpack_ahs(ahs)
