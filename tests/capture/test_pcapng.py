from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.capture import pcapng, read_capture

texts = st.text(st.characters(codec="utf-8"), max_size=50)


def blocks(*pieces: bytes | memoryview) -> io.BytesIO:
    head = pcapng.section_header("about", "trioscsi") + pcapng.interface("here", "a portal")
    return io.BytesIO(head + b"".join(pieces))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**63),
            st.binary(max_size=70),
            st.booleans(),
            st.lists(texts, max_size=3),
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(packets: list[tuple[int, bytes, bool, list[str]]]) -> None:
    pieces = [
        piece
        for time, payload, inbound, comments in packets
        for piece in pcapng.packet(0, time, b"head", payload, inbound=inbound, comments=comments)
    ]
    found = list(read_capture(blocks(*pieces)))
    assert [(p.time, p.data, p.comments) for p in found] == [
        (time, b"head" + payload, tuple(comments)) for time, payload, _, comments in packets
    ]
    assert all((p.link_type, p.interface) == (101, "here") for p in found)


def test_every_block_is_of_whole_words_and_has_its_length_twice() -> None:
    for block in (
        pcapng.section_header("abc", "d"),
        pcapng.interface("a", "bc"),
        pcapng.statistics(0, 1, 2, 3),
        b"".join(pcapng.packet(0, 1, b"abc", b"de", inbound=True, comments=["f"])),
    ):
        assert len(block) % 4 == 0
        assert int.from_bytes(block[4:8], "little") == len(block)
        assert block[-4:] == block[4:8]


def test_a_comment_is_cut_between_characters_where_it_is_too_long() -> None:
    assert pcapng.shortened("a" * 4096) == "a" * 4096
    short = pcapng.shortened("ä" * 4096)
    assert short.endswith("ä...")
    assert 4090 < len(short.encode()) <= 4096


def test_statistics_are_no_packet() -> None:
    assert list(read_capture(blocks(pcapng.statistics(0, 1, 2, 3)))) == []
