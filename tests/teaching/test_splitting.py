from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.pdu import DataIn, LoginRequest, NopOut, Pdu, ScsiCommand, encode
from trioscsi.teaching.splitting import MOST_DATA, Cut, Digests, Splitter, looks_like_a_pdu

PDUS: list[Pdu] = [
    LoginRequest(data=b"abc"),
    NopOut(data=b"ping!"),
    ScsiCommand(cdb=bytes(32)),
    DataIn(data=bytes(70_000)),
    NopOut(),
]


def stream(*, header_digest: bool = False, data_digest: bool = False) -> bytes:
    found = b"".join(encode(PDUS[0]))  # a login has no digests
    for pdu in PDUS[1:]:
        found += b"".join(encode(pdu, header_digest=header_digest, data_digest=data_digest))
    return found


def split(data: bytes, digests: Digests, cuts: list[int]) -> list[Cut]:
    splitter = Splitter(digests)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    found = [cut for a, b in pairwise(places) for cut in splitter.receive(data[a:b])]
    return found + list(splitter.finish())


@pytest.mark.parametrize("header_digest", [False, True])
@pytest.mark.parametrize("data_digest", [False, True])
@pytest.mark.parametrize("known", [False, True])
@given(cuts=st.lists(st.integers(0, 71_000), max_size=9))
def test_a_stream_is_cut_into_its_pdus(
    header_digest: bool, data_digest: bool, known: bool, cuts: list[int]
) -> None:
    digests = Digests(header_digest if known else None, data_digest)
    data = stream(header_digest=header_digest, data_digest=data_digest)
    found = split(data, digests, cuts)
    assert [cut.header for cut in found] == [bytes(encode(pdu)[0]) for pdu in PDUS]
    assert [cut.data for cut in found] == [bytes(pdu.data)[:MOST_DATA] for pdu in PDUS]
    assert [cut.data_length for cut in found] == [len(pdu.data) for pdu in PDUS]
    assert not any(cut.missing or cut.wrong for cut in found)


def test_damage_is_told() -> None:
    data = bytearray(b"".join(encode(NopOut(data=b"ab"), header_digest=True, data_digest=True)))
    data[20] ^= 1
    data[53] ^= 1
    (cut,) = split(bytes(data), Digests(True, True), [])
    assert [wrong.split(" does")[0] for wrong in cut.wrong] == [
        "the header digest",
        "the data digest",
    ]


@given(st.integers(1, 200))
def test_a_stream_may_end_anywhere(length: int) -> None:
    data = b"".join(encode(NopOut(data=bytes(100)))) + b"".join(encode(NopOut()))
    found = split(data[:length], Digests(False, False), [])
    assert sum(len(cut.header) + len(cut.data) for cut in found) == min(length, 196)
    if length < 148:
        assert found[-1].missing == (148 - length if length >= 48 else 0)
    assert [cut.is_whole for cut in found] == [True] * (len(found) - 1) + [
        length in (148, *range(196, 201))
    ]


@given(st.binary(max_size=500), st.lists(st.integers(0, 500), max_size=3))
def test_no_bytes_are_too_odd(data: bytes, cuts: list[int]) -> None:
    for cut in split(data, Digests(), cuts):
        assert len(cut.data) <= max(cut.data_length, 0)


def test_a_pdu_is_known_by_how_it_begins() -> None:
    request = b"".join(encode(LoginRequest(data=b"abc")))
    assert looks_like_a_pdu(request)
    assert looks_like_a_pdu(request, initiator=True)
    assert not looks_like_a_pdu(request, initiator=False)
    assert not looks_like_a_pdu(request[:7])
    assert not looks_like_a_pdu(b"GET / HTTP/1.1\r\n")
    assert not looks_like_a_pdu(b"\x06\x80\0\0\0\0\0\x04")  # a logout has no data
    assert not looks_like_a_pdu(b"\x03\x80\0\0\x02\0\0\0")  # a login has no more headers
