"""Whatever bytes come, in whatever pieces: an answer of the RFC, or the end of the connection."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.protocol.peer import (
    Gate,
    Peer,
    connect,
    leading_keys,
    login,
    login_request,
)
from trioscsi.limits import Limits
from trioscsi.pdu import (
    FROM_INITIATOR,
    FROM_TARGET,
    DataOut,
    LogoutRequest,
    LogoutResponse,
    NopOut,
    Pdu,
    ScsiCommand,
    SnackRequest,
    TaskManagementRequest,
    TextRequest,
    encode,
)
from trioscsi.text import Offer

LIMITS = Limits(segment=4096, text=8192, tasks=4, immediate_tasks=2, write_buffers=65_536)


def gate() -> Gate:
    offer = Offer(max_recv_data_segment_length=LIMITS.segment)
    return Gate(offer, LIMITS)


CUTS = st.lists(st.integers(1, 120), max_size=12)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    parts, start = [], 0
    for cut in cuts:
        parts.append(stream[start : start + cut])
        start += cut
    return [part for part in [*parts, stream[start:]] if part]


class Careless:
    """Feeds bytes, and looks at what any target may answer and keep."""

    def __init__(self, peer: Peer) -> None:
        self.connection = peer.connection
        self.gate = peer.gate
        self.reader = peer.framer

    def feed(self, parts: list[bytes]) -> None:
        for part in parts:
            if self.connection.closed:
                break
            self.connection.receive(bytearray(part))
            while self.connection.pump(0.0, 5):
                self.gate.disk.handle()
            self.gate.disk.handle()
            self.check_answers()
            self.check_memory()

    def check_answers(self) -> None:
        connection = self.connection
        self.reader.receive(b"".join(map(bytes, connection.take_output())))
        while (pdu := self.reader.next_pdu()) is not None:
            assert isinstance(pdu, FROM_TARGET)

    def check_memory(self) -> None:
        kept = self.connection.framer._kept
        assert kept is None or len(kept) <= 48 + 1020 + 4 + 8192 + 4 + 4
        session = self.connection.session
        if session is not None:
            assert len(session.tasks) <= LIMITS.tasks + LIMITS.immediate_tasks
            assert len(session.order.early) <= LIMITS.tasks
            for task in session.tasks:
                held = len(task.data) + (len(task.incoming.buffer) if task.incoming else 0)
                assert held <= 2**20


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), CUTS)
@example(b"\x43" + bytes(47), [])
def test_any_bytes_before_a_login(stream: bytes, cuts: list[int]):
    Careless(connect(gate())).feed(pieces(stream, cuts))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), CUTS, st.booleans(), st.booleans())
def test_any_bytes_after_a_login(stream: bytes, cuts: list[int], discovery: bool, digests: bool):
    keys = {"HeaderDigest": "CRC32C"} if digests and not discovery else {}
    peer = login(gate(), discovery=discovery, keys=keys)
    Careless(peer).feed(pieces(stream, cuts))


FIELDS = st.one_of(st.integers(0, 6), st.integers(0, 2**32 - 1), st.just(0xFFFFFFFF))


@st.composite
def any_request(draw: Any) -> bytes:
    """A PDU of an initiator with small or odd numbers in its fields."""
    cls: type[Pdu] = draw(st.sampled_from(FROM_INITIATOR))
    pdu: Any = cls()
    for name in ("itt", "ttt", "cmd_sn", "expected_data_transfer_length", "buffer_offset"):
        if hasattr(pdu, name):
            setattr(pdu, name, draw(FIELDS))
    for name in ("immediate", "final", "read", "write", "transit", "continue_"):
        if hasattr(pdu, name):
            setattr(pdu, name, draw(st.booleans()))
    for name in ("csg", "nsg", "reason", "function", "tsih", "cid", "data_sn"):
        if hasattr(pdu, name):
            setattr(pdu, name, draw(st.integers(0, 3)))
    if cls.data_segment:
        pdu.data = draw(st.binary(max_size=40) | st.just(b"SendTargets=All\0"))
    if isinstance(pdu, ScsiCommand):
        pdu.cdb = (
            bytes([draw(st.sampled_from([0xC1, 0xC2, 0xC3]))])
            + bytes([0, 0, 0, draw(st.integers(0, 9)), 0, 0, draw(st.integers(0, 5)), 9])
            + bytes(7)
        )
    return b"".join(map(bytes, encode(pdu)))


@settings(max_examples=150, deadline=None)
@given(st.lists(any_request(), max_size=12), CUTS, st.booleans())
def test_any_requests_after_a_login(requests: list[bytes], cuts: list[int], discovery: bool):
    peer = login(gate(), discovery=discovery)
    Careless(peer).feed(pieces(b"".join(requests), cuts))


@settings(max_examples=100, deadline=None)
@given(st.lists(any_request(), max_size=6), CUTS)
def test_any_requests_in_a_login(requests: list[bytes], cuts: list[int]):
    peer = connect(gate())
    peer.send(login_request(leading_keys(), transit=False, nsg=0))
    Careless(peer).feed(pieces(b"".join(requests), cuts))


def beginning(peer: Peer) -> bytes:
    """A login, a ping and a write with all its data."""
    write = peer.writing(0, 100, data=b"x" * 60, final=False)
    return peer.encode(
        login_request(leading_keys(), transit=False, nsg=0),
        login_request({"InitialR2T": "No", "MaxRecvDataSegmentLength": "1024"}),
        peer.request(NopOut, data=b"ping"),
        write,
        DataOut(final=True, itt=write.itt, buffer_offset=60, data=b"y" * 40),
        peer.request(TextRequest, data=b"SendTargets=\0"),
    )


def whole_conversation() -> bytes:
    """All that an initiator can say."""
    peer = connect(gate())
    return beginning(peer) + peer.encode(
        peer.reading(0, 100),
        peer.writing(100, 100),
        DataOut(final=True, itt=peer.itt, ttt=1, data=b"z" * 100),
        peer.request(TextRequest, data=b"SendTargets=\0"),
        peer.request(TaskManagementRequest, immediate=True, function=2),
        SnackRequest(),
        peer.reading(0, 100, immediate=True),
        peer.request(LogoutRequest),
    )


CONVERSATION = whole_conversation()


def test_the_conversation_that_is_damaged_below_is_a_good_one():
    peer = connect(gate())
    peer.careless.update(range(20))
    *answers, last = peer.feed(CONVERSATION)
    assert len(answers) >= 6
    assert isinstance(last, LogoutResponse)
    assert peer.connection.closed


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), damages=st.integers(1, 6), cuts=CUTS)
def test_a_good_conversation_that_is_damaged(seed: int, damages: int, cuts: list[int]):
    chance = random.Random(seed)
    stream = bytearray(CONVERSATION)
    for _ in range(damages):
        place = chance.randrange(len(stream))
        match chance.randrange(4):
            case 0:
                stream[place] = chance.randrange(256)
            case 1:
                stream[place] ^= 1 << chance.randrange(8)
            case 2:
                del stream[place : place + chance.choice([1, 4, 48])]
            case _:
                stream[place:place] = stream[place : place + chance.choice([1, 4, 48, 96])]
    Careless(connect(gate())).feed(pieces(bytes(stream), cuts))


@given(CUTS)
@settings(max_examples=50, deadline=None)
def test_it_does_not_matter_how_a_stream_is_cut(cuts: list[int]):
    stream = beginning(connect(gate()))
    whole, cut = (connect(gate()) for _ in range(2))
    for peer, parts in ((whole, [stream]), (cut, pieces(stream, cuts))):
        peer.careless.update(range(20))
        peer.feed(*parts)
    assert whole.gate.disk.store[:100] == b"x" * 60 + b"y" * 40
    assert whole.gate.disk.store == cut.gate.disk.store
    assert whole.connection.stat_sn == cut.connection.stat_sn
