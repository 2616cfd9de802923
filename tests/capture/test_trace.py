from __future__ import annotations

import io
from collections.abc import Iterable

import attrs
import pytest

from trioscsi.capture import Packet, Segment, Tap, Trace, dissect, read_capture
from trioscsi.capture.packets import ACK, FIN, PSH, RST
from trioscsi.machines.connection import machine
from trioscsi.machines.full_feature import machine as full_feature
from trioscsi.pdu import LoginRequest, LoginResponse, encode

PEER, OWN, PORTAL = ("127.0.0.1", 50_000), ("127.0.0.1", 3260), ("0.0.0.0", 3260)
DATA = ACK | PSH


@attrs.define
class Memory:
    """A sink that may be full."""

    data: bytearray = attrs.field(factory=bytearray)
    full: bool = False
    closed: bool = False

    def put(self, pieces: Iterable[bytes | memoryview]) -> bool:
        if not self.full:
            self.data += b"".join(pieces)
        return not self.full

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def trace(memory: Memory) -> Trace:
    return Trace(memory, clock=iter(range(1, 1000)).__next__)


@pytest.fixture
def tap(trace: Trace) -> Tap:
    tap = trace.connect(PEER, OWN, PORTAL)
    # After the login, bytes are told as they are.
    tap.sent([b"".join(encode(LoginResponse(transit=True, csg=1, nsg=3)))], 48)
    return tap


def packets(memory: Memory) -> list[tuple[Packet, Segment]]:
    found = []
    for packet in read_capture(io.BytesIO(memory.data)):
        segment = dissect(packet.link_type, packet.data)
        assert segment is not None
        found.append((packet, segment))
    return found


def told(memory: Memory, skip: int = 4) -> list[tuple[str, int, bytes, tuple[str, ...]]]:
    """Who said what, with which flags and comments, after the handshake and the login."""
    return [
        (
            "peer" if segment.source == PEER else "own",
            segment.flags,
            segment.payload,
            packet.comments,
        )
        for packet, segment in packets(memory)[skip:]
    ]


def test_bytes_are_told_in_their_order(tap: Tap, memory: Memory) -> None:
    tap.received(b"abc", memoryview(b"def"))
    tap.sent([b"gh", bytearray(b"ij")], 3)
    tap.received(b"k")
    tap.settle()
    assert told(memory) == [
        ("peer", DATA, b"abcdef", ()),
        ("own", DATA, b"ghi", ()),
        ("peer", DATA, b"k", ()),
    ]


def test_time_does_not_run_backwards(tap: Tap, memory: Memory) -> None:
    tap.received(b"abc")
    tap.sent([b"d"], 1)
    tap.close()
    times = [packet.time for packet, _ in packets(memory)]
    assert times == sorted(times)


def test_what_bytes_lead_to_is_said_of_them(tap: Tap, memory: Memory) -> None:
    (row,) = (row for row in machine.transitions if row.label == "T9")
    tap.received(b"abc")
    tap.moved(row)
    tap.note("refused: something")
    tap.sent([b"d"], 1)
    (_, _, _, comments), (_, _, _, none) = told(memory)
    transition, refusal = comments
    assert transition == (
        "connection T9: LOGGED_IN -> IN_LOGOUT upon logout_received (RFC 7143 section 8.1)."
        " A Logout Request arrived on this connection."
    )
    assert refusal == "refused: something"
    assert none == ()


def test_what_no_bytes_led_to_is_said_of_the_next_ones(tap: Tap, memory: Memory) -> None:
    tap.note("it is time")
    tap.sent([b"d"], 1)
    assert told(memory) == [("own", DATA, b"d", ("it is time",))]


def test_that_a_pdu_is_heard_is_not_worth_a_comment(tap: Tap, memory: Memory) -> None:
    tap.received(b"abc")
    for row in full_feature.transitions:
        tap.moved(row)
    tap.settle()
    ((_, _, _, comments),) = told(memory)
    labels = {comment.split(":")[0].split()[1] for comment in comments}
    assert "hear" not in labels
    assert "refuse" in labels


def test_comments_are_bounded(tap: Tap, memory: Memory) -> None:
    tap.received(b"abc")
    for number in range(100):
        tap.note(str(number))
    tap.settle()
    ((_, _, _, comments),) = told(memory)
    assert comments[-2:] == ("63", "and 36 more")


def test_large_data_are_cut_and_the_last_segment_has_the_comments(tap: Tap, memory: Memory) -> None:
    tap.note("large")
    tap.sent([bytes(100_000)], 100_000)
    assert [(len(payload), comments) for _, _, payload, comments in told(memory)] == [
        (61_440, ()),
        (38_560, ("large",)),
    ]


def test_a_connection_that_we_close_ends_on_both_sides(tap: Tap, memory: Memory) -> None:
    tap.close()
    tap.close()
    assert [(who, flags) for who, flags, _, _ in told(memory)] == [
        ("own", FIN | ACK),
        ("peer", FIN | ACK),
        ("own", ACK),
    ]


def test_a_connection_that_the_peer_closes_ends_with_why(tap: Tap, memory: Memory) -> None:
    tap.ended()
    tap.note("the initiator closed the connection")
    tap.close()
    assert told(memory) == [
        ("peer", FIN | ACK, b"", ()),
        ("own", FIN | ACK, b"", ("the initiator closed the connection",)),
        ("peer", ACK, b"", ()),
    ]


def test_a_connection_that_the_peer_breaks_off_ends_at_once(tap: Tap, memory: Memory) -> None:
    tap.ended(broken=True)
    tap.ended()
    tap.close()
    assert [(who, flags) for who, flags, _, _ in told(memory)] == [("peer", RST | ACK)]


def test_secrets_of_a_login_are_not_told(trace: Trace, memory: Memory) -> None:
    tap = trace.connect(PEER, OWN, PORTAL)
    tap.received(b"".join(encode(LoginRequest(data=b"CHAP_N=me\0CHAP_R=0xabcdef\0"))))
    tap.settle()
    ((_, _, payload, comments),) = told(memory, skip=3)
    assert payload.endswith(b"CHAP_N=me\0CHAP_R=0x000000\0\0\0")
    assert b"abcdef" not in memory.data
    assert comments == ("trace: the digits of authentication values are replaced by 0",)


def test_what_a_slow_disk_does_not_take_is_counted(trace: Trace, tap: Tap, memory: Memory) -> None:
    memory.full = True
    tap.sent([b"abc"], 3)
    tap.sent([b"defg"], 4)
    memory.full = False
    tap.sent([b"h"], 1)
    tap.sent([b"i"], 1)
    missing = "trace: 2 packets with 7 bytes are missing before this: the disk was too slow"
    assert [(payload, comments) for _, _, payload, comments in told(memory)] == [
        (b"h", (missing,)),
        (b"i", ()),
    ]
    numbers = [segment.sequence for _, segment in packets(memory)[4:]]
    assert numbers == [56, 57]
    trace.close()
    assert memory.closed
    statistics = bytes(memory.data[-52:])
    assert statistics[20:24] == b"\x04\0\x08\0"
    assert (statistics[24], statistics[36]) == (8, 2)


def test_every_portal_is_an_interface(trace: Trace, memory: Memory) -> None:
    for portal in (PORTAL, ("::1", 3261), PORTAL):
        trace.connect(PEER, OWN, portal)
    names = [packet.interface for packet, _ in packets(memory)]
    assert names == ["0.0.0.0:3260"] * 3 + ["[::1]:3261"] * 3 + ["0.0.0.0:3260"] * 3


def test_peers_of_ipv6_sockets_may_be_of_ipv4(trace: Trace, memory: Memory) -> None:
    trace.connect(("::ffff:192.0.2.1", 1), ("::ffff:192.0.2.2", 2), ("::", 2))
    assert packets(memory)[0][1].source == ("192.0.2.1", 1)
