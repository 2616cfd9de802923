from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import attrs
import pytest

from trioscsi.capture import Segment
from trioscsi.capture.packets import ACK, FIN, RST, SYN
from trioscsi.pdu import LoginRequest, LoginResponse, NopIn, NopOut, encode
from trioscsi.teaching import onlooker
from trioscsi.teaching.onlooker import Connection, Onlooker, Remark, Said

A, B = ("192.0.2.1", 50_000), ("192.0.2.2", 3260)


def pings(count: int) -> list[bytes]:
    return [b"".join(encode(NopOut(itt=itt, data=bytes(100)))) for itt in range(count)]


def segments(pieces: Iterable[bytes], *, start: int = 1, inbound: bool = True) -> list[Segment]:
    ends = (A, B) if inbound else (B, A)
    found = []
    for piece in pieces:
        found.append(Segment(*ends, start % 2**32, 1, ACK, piece))
        start += len(piece)
    return found


HANDSHAKE = [
    Segment(A, B, 0, 0, SYN, b""),
    Segment(B, A, 0, 1, SYN | ACK, b""),
    Segment(A, B, 1, 1, ACK, b""),
]
END = [Segment(A, B, 10**6, 1, FIN | ACK, b""), Segment(B, A, 1, 1, FIN | ACK, b"")]


def heard(said: Iterable[Segment]) -> Iterator[tuple[Connection, object]]:
    looker = Onlooker()
    for time, segment in enumerate(said):
        yield from looker.hear(time, segment)
    yield from looker.finish()


def tags(said: Iterable[Segment]) -> list[int]:
    """The task tags of all PDUs."""
    return [
        int.from_bytes(event.cut.header[16:20])
        for _, event in heard(said)
        if isinstance(event, Said)
    ]


def remarks(said: Iterable[Segment]) -> list[str]:
    return [event.text for _, event in heard(said) if isinstance(event, Remark)]


def test_pdus_are_heard_in_order_from_both_sides() -> None:
    answer = b"".join(encode(NopIn(itt=77)))
    said = [*HANDSHAKE, *segments(pings(3)), *segments([answer], inbound=False), *END]
    assert tags(said) == [0, 1, 2, 77]
    assert remarks(said) == []
    ((connection, first), *_) = heard(said)
    assert first is None
    assert (connection.initiator, connection.target) == (A, B)


@pytest.mark.parametrize("seed", range(20))
def test_segments_may_come_in_any_order_and_more_than_once(seed: int) -> None:
    data = b"".join(pings(20))
    pieces = segments(data[at : at + 77] for at in range(0, len(data), 77))
    random = Random(seed)
    said = pieces + random.sample(pieces, 10)
    random.shuffle(said)
    assert sorted(tags([*HANDSHAKE, *said])) == list(range(20))
    assert remarks([*HANDSHAKE, *said]) == [
        f"{77 * 10 - _short(said, pieces)} bytes came more than once"
    ]


def _short(said: list[Segment], pieces: list[Segment]) -> int:
    """By how much the last piece, if it is among those that come twice, is shorter."""
    return (77 - len(pieces[-1].payload)) * (said.count(pieces[-1]) - 1)


def test_sequence_numbers_may_begin_anew() -> None:
    start = 2**32 - 300
    said = [Segment(A, B, start - 1, 0, SYN, b""), *segments(pings(5), start=start)]
    assert tags(said) == [0, 1, 2, 3, 4]


def test_what_is_missing_is_told_and_the_rest_is_heard() -> None:
    said = segments(pings(6))
    del said[2]
    assert tags([*HANDSHAKE, *said]) == [0, 1, 3, 4, 5]
    assert remarks([*HANDSHAKE, *said]) == ["148 bytes are missing in the capture"]


def test_what_the_other_side_has_acknowledged_is_not_waited_for() -> None:
    said = segments(pings(4))
    del said[1]
    late = Segment(B, A, 1, 1 + 148 * 4, ACK, b"")
    events = [
        event for _, event in heard([*HANDSHAKE, *said, late, *segments(pings(1), start=593)])
    ]
    times = [event.time for event in events if isinstance(event, Said)]
    assert times == [3, 6, 6, 7]


def test_after_a_gap_pdus_begin_where_a_segment_does() -> None:
    data = b"".join(pings(4))
    pieces = [data[:100], data[100:200], data[200:296], data[296:]]
    said = segments(pieces)
    del said[1]
    # The second PDU begins in the middle of what is missing, and so cannot be told.
    assert tags([*HANDSHAKE, *said]) == [0, 2, 3]


def test_a_capture_may_cut_packets_short() -> None:
    said = segments(pings(3))
    said[1] = attrs.evolve(said[1], payload=said[1].payload[:60], missing=88)
    events = [event for _, event in heard([*HANDSHAKE, *said])]
    cut = next(event for event in events if isinstance(event, Said) and event.cut.missing)
    assert cut.cut.missing == 88
    assert remarks([*HANDSHAKE, *said]) == ["88 bytes were cut off by the capture"]
    assert tags([*HANDSHAKE, *said]) == [0, 1, 2]


def test_a_capture_may_begin_in_the_middle() -> None:
    data = b"".join(pings(4))
    assert tags(segments([data[20:148], data[148:296], data[296:]])) == [1, 2, 3]
    answers = segments([b"".join(encode(NopIn(itt=7)))], inbound=False)
    ((connection, _), *_) = heard(answers)
    assert connection.initiator == A


def test_who_is_the_initiator_is_told_by_what_is_said() -> None:
    for login, initiator in ((LoginRequest(), True), (LoginResponse(), False)):
        ends = (("192.0.2.1", 1000), ("192.0.2.2", 2000))
        segment = Segment(*ends, 1, 1, ACK, b"".join(encode(login)))
        ((connection, _), *_) = heard([segment])
        assert (connection.initiator == ends[0]) is initiator


def test_other_protocols_are_told_once() -> None:
    said = segments([b"GET / HTTP/1.1\r\n", b"Host: x\r\n\r\n"])
    assert remarks([*HANDSHAKE, *said]) == ["this is no iSCSI"]
    assert tags([*HANDSHAKE, *said]) == []


def test_addresses_are_used_again() -> None:
    said = [*HANDSHAKE, *segments(pings(1)), *END, *HANDSHAKE, *segments(pings(2))]
    connections = {connection.number for connection, _ in heard(said)}
    assert connections == {1, 2}
    assert tags(said) == [0, 0, 1]


def test_addresses_are_used_again_though_no_end_was_seen() -> None:
    again = [Segment(A, B, 5000, 0, SYN, b""), *segments(pings(2), start=5001)]
    said = [*HANDSHAKE, *segments(pings(1)), HANDSHAKE[0], *again]
    assert [connection.number for connection, event in heard(said) if event is None] == [1, 2]
    assert tags(said) == [0, 0, 1]


def test_a_connection_may_be_broken_off() -> None:
    said = [*HANDSHAKE, *segments(pings(1)), Segment(B, A, 1, 1, RST, b"")]
    assert remarks(said) == ["the connection is broken off"]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlooker, "MOST_HELD", 1000)
    said = segments(pings(100))
    del said[3]
    looker = Onlooker()
    for segment in [*HANDSHAKE, *said]:
        for connection, _ in looker.hear(0, segment):
            assert connection.held <= 1000 + 148


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlooker, "MOST_CONNECTIONS", 3)
    looker = Onlooker()
    for port in range(10):
        list(looker.hear(0, Segment(("192.0.2.1", port), B, 0, 0, SYN, b"")))
    assert len(looker._connections) == 3


def test_what_waits_on_all_connections_together_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onlooker, "MOST_HELD_IN_ALL", 2000)
    looker, found, held = Onlooker(), [], 0
    said = segments(pings(40))
    for number in range(40):
        for port in range(5):
            peer = ("192.0.2.1", port)
            start = Segment(peer, B, 0, 0, SYN, b"")
            segment = start if not number else attrs.evolve(said[number], source=peer)
            found += looker.hear(0, segment)
        held = sum(connection.held for connection in {each for each, _ in found})
        assert held <= 2000 + 148
    found += looker.finish()
    heard_of = {
        (connection.number, event.cut.header[16:20])
        for connection, event in found
        if isinstance(event, Said)
    }
    assert len(heard_of) == 5 * 39


def test_a_gap_before_many_small_segments_takes_no_longer_than_they_do() -> None:
    # With a search for the first one at each of them, this took minutes.
    data = b"".join(encode(NopOut()))
    said = [Segment(A, B, 1 + 48 * number, 1, ACK, data) for number in range(1, 20_000)]
    assert len(tags([*HANDSHAKE, *said])) == len(said)
