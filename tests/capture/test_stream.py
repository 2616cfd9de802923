from __future__ import annotations

from trioscsi.capture.packets import ACK, FIN, PSH, RST, SYN, Segment, dissect
from trioscsi.capture.stream import Stream

PEER, OWN = ("192.0.2.1", 50_000), ("192.0.2.2", 3260)


def said(headers: bytes, payload: bytes | memoryview = b"") -> tuple[bool, int, int, int]:
    """Whether the peer said it, the sequence numbers, and the flags."""
    segment = dissect(101, headers + payload)
    assert isinstance(segment, Segment)
    assert {segment.source, segment.destination} == {PEER, OWN}
    return segment.source == PEER, segment.sequence, segment.acknowledged, segment.flags


def test_a_connection_begins_with_three_segments() -> None:
    assert [said(headers) for _, headers in Stream(PEER, OWN).handshake()] == [
        (True, 0, 0, SYN),
        (False, 0, 1, SYN | ACK),
        (True, 1, 1, ACK),
    ]


def test_data_are_cut_and_counted_and_acknowledged() -> None:
    stream = Stream(PEER, OWN)
    list(stream.handshake())
    data = bytes(100_000)
    sent = [
        (said(headers, payload), len(payload))
        for headers, payload in stream.segments(data, inbound=False)
    ]
    assert sent == [
        ((False, 1, 1, ACK), 61_440),
        ((False, 61_441, 1, ACK | PSH), 38_560),
    ]
    ((headers, _),) = stream.segments(b"abc", inbound=True)
    assert said(headers, b"abc") == (True, 1, 100_001, ACK | PSH)
    assert list(stream.segments(b"", inbound=True)) == []


def test_each_side_ends_it_with_a_number_of_its_own() -> None:
    stream = Stream(PEER, OWN)
    list(stream.handshake())
    assert said(stream.finish(inbound=True)) == (True, 1, 1, FIN | ACK)
    assert said(stream.finish(inbound=False)) == (False, 1, 2, FIN | ACK)
    assert said(stream.acknowledge(inbound=True)) == (True, 2, 2, ACK)


def test_it_may_be_broken_off() -> None:
    stream = Stream(PEER, OWN)
    assert said(stream.reset(inbound=True))[3] == RST | ACK


def test_sequence_numbers_begin_anew_after_four_gigabytes() -> None:
    stream = Stream(PEER, OWN)
    stream._next[True] = 2**32 - 1
    list(stream.segments(b"abc", inbound=True))
    ((headers, _),) = stream.segments(b"d", inbound=True)
    assert said(headers, b"d")[1] == 2
