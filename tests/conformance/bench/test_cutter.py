from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.conformance.bench.cutter import Cutter, Piece
from trioscsi.conformance.stream import Undecipherable
from trioscsi.pdu import BadDigest, NopOut, TextRequest, encode


def cut(data: bytes, *, size: int = 0, header: bool = False, digest: bool = False) -> list[Piece]:
    cutter = Cutter()
    cutter.header_digest, cutter.data_digest = header, digest
    pieces: list[Piece] = []
    for start in range(0, len(data), size or len(data) or 1):
        cutter.receive(data[start : start + (size or len(data))])
        pieces += cutter.pieces()
    pieces.append(Piece(NopOut(), cutter.rest))
    return pieces


@given(
    texts=st.lists(st.binary(max_size=40), max_size=4),
    size=st.integers(1, 60),
    header=st.booleans(),
    digest=st.booleans(),
)
def test_pieces_are_the_stream_however_it_came(
    texts: list[bytes], size: int, header: bool, digest: bool
):
    sent = [TextRequest(itt=n, data=text) for n, text in enumerate(texts)]
    data = b"".join(
        bytes(buffer)
        for pdu in sent
        for buffer in encode(pdu, header_digest=header, data_digest=digest)
    )
    *pieces, rest = cut(data, size=size, header=header, digest=digest)
    assert [piece.thing for piece in pieces] == sent
    assert b"".join(piece.raw for piece in pieces) == data
    assert not rest.raw


def test_what_is_not_whole_is_left():
    data = b"".join(map(bytes, encode(NopOut(data=b"1234"))))
    (rest,) = cut(data[:-1])
    assert rest.raw == data[:-1]


def test_damage_is_found_and_the_stream_goes_on():
    good = b"".join(map(bytes, encode(NopOut(data=b"1234"), header_digest=True, data_digest=True)))
    bad_data = good[:-1] + bytes([good[-1] ^ 1])
    bad_header = good[:1] + bytes([good[1] ^ 1]) + good[2:]
    first, second, third, _ = cut(bad_data + bad_header + good, header=True, digest=True)
    assert isinstance(first.thing, BadDigest)
    assert isinstance(second.thing, Undecipherable)
    assert third.thing == NopOut(data=b"1234")
