from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi.reservations import transport_id

NAME = "iqn.2026-11.example:host"
PORT = f"{NAME},i,0x400001370000"

names = st.text("abcxyz019.:-", min_size=1, max_size=220).map("iqn.{}".format)
isids = st.integers(0, 2**48 - 1).map("{:012x}".format)


def test_a_port_is_told_with_its_isid() -> None:
    encoded = transport_id.encode(PORT)
    assert encoded[:4] == bytes.fromhex("4500002c")
    assert encoded[4:] == PORT.encode() + b"\0" * (0x2C - len(PORT))


def test_an_initiator_is_told_by_its_name() -> None:
    assert transport_id.encode(NAME) == bytes.fromhex("0500001c") + NAME.encode() + bytes(4)


def test_no_transport_id_is_shorter_than_24_bytes() -> None:
    assert transport_id.encode("eui.0") == bytes.fromhex("05000014") + b"eui.0" + bytes(15)


@given(names, st.none() | isids)
def test_what_was_encoded_is_decoded(name: str, isid: str | None) -> None:
    initiator = name if isid is None else f"{name},i,0x{isid}"
    encoded = transport_id.encode(initiator)
    assert transport_id.decode(encoded) == initiator
    assert transport_id.length(encoded) == len(encoded)
    assert len(encoded) % 4 == 0
    assert transport_id.name_of(initiator) == name
    assert transport_id.is_port(initiator) is (isid is not None)


def test_names_are_decoded_as_they_are_compared() -> None:
    written = "IQN.2026-11.Example:HOST,i,0x1AB"
    assert transport_id.decode(transport_id.encode(written)) == f"{NAME},i,0x0000000001ab"


def of(head: str, text: bytes) -> bytes:
    return bytes.fromhex(head) + text.ljust(20, b"\0")


@pytest.mark.parametrize(
    "wrong",
    [
        of("06000014", b"iqn.2026-11.x:y"),  # of another transport
        of("85000014", b"iqn.2026-11.x:y"),  # of a format that is reserved
        of("45000014", b"iqn.2026-11.x:y"),  # a port without an ISID
        of("05000014", b"iqn.x:y,i,0x1"),  # an initiator with an ISID
        of("45000014", b"iqn.x:y,i,0x"),
        of("45000014", b"iqn.x:y,i,0xg"),
        of("45000017", b"x,i,0x1234567890abc"),  # of 13 digits
        of("05000014", b""),
        of("45000014", b",i,0x1"),
        of("05000014", b"x" * 20),  # without an end
        of("05000014", b"\xff"),
        of("05000010", b"iqn.x:y")[:20],
        of("05000015", b"iqn.x:y") + b"\0",
        of("050000e4", b"x" * 224 + b"\0\0\0\0"),  # longer than any name
        of("050000e4", "\u023a".encode() * 75 + bytes(78)),  # so, once it is lower case
    ],
)
def test_what_names_nobody_is_a_value_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        transport_id.decode(wrong)


@given(st.binary(min_size=4, max_size=80))
def test_any_bytes_name_somebody_or_are_a_value_error(data: bytes) -> None:
    try:
        initiator = transport_id.decode(data)
    except ValueError:
        return
    assert transport_id.decode(transport_id.encode(initiator)) == initiator
