from __future__ import annotations

from typing import Any

import attrs

from tests.conformance.memory import Memory
from trioscsi.capture import dissect, read_capture
from trioscsi.conformance.bench.captures import Captured
from trioscsi.pdu import NopIn, NopOut, encode
from trioscsi.text import Side

PING = b"".join(encode(NopOut(itt=1, immediate=True)))
ECHO = b"".join(encode(NopIn(itt=1)))


@attrs.frozen
class OnPaper:
    """As much of a link as a capture needs."""

    number: int = 0
    peer: tuple[str, int] = ("127.0.0.1", 40000)
    own: tuple[str, int] = ("127.0.0.1", 3260)


LINK: Any = OnPaper()


def captured(act) -> list[tuple[int, bytes, tuple[str, ...]]]:
    """Who has sent what (the port), and what is said of it; without the handshake."""
    memory = Memory()
    writer = Captured(memory, clock=lambda: 0)
    act(writer)
    writer.close()
    memory.data.seek(0)
    found = []
    for packet in read_capture(memory.data):
        segment = dissect(packet.link_type, packet.data)
        assert segment is not None
        if segment.payload:
            found.append((segment.source[1], bytes(segment.payload), packet.comments))
    return found


def test_both_sides_are_captured_with_what_was_found():
    def act(writer: Captured) -> None:
        writer.passed(LINK, Side.INITIATOR, None, PING)
        writer.note("XX-01: kept")
        writer.passed(LINK, Side.TARGET, None, ECHO)
        writer.ended(LINK, Side.INITIATOR)

    (asked, answered) = captured(act)
    assert asked[:2] == (40000, PING)
    assert answered[:2] == (3260, ECHO)
    assert any("XX-01: kept" in comment for comment in (*asked[2], *answered[2]))


def test_connections_are_told_apart():
    other: Any = OnPaper(1, ("127.0.0.1", 40001))

    def act(writer: Captured) -> None:
        writer.passed(LINK, Side.INITIATOR, None, PING)
        writer.passed(other, Side.INITIATOR, None, PING)
        writer.ended(other, Side.TARGET)

    assert [port for port, _, _ in captured(act)] == [40000, 40001]


def test_a_remark_before_anything_was_sent_is_about_nothing():
    assert captured(lambda writer: writer.note("too early")) == []
