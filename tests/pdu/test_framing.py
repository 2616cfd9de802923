from __future__ import annotations

import contextlib
import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu import (
    BadDigest,
    DataIn,
    DataOut,
    Framer,
    LogoutRequest,
    Malformed,
    NopOut,
    RejectReason,
    ScsiCommand,
    TextRequest,
    UnknownPdu,
    encode,
)
from trioscsi.pdu.digest import digest
from trioscsi.pdu.layout import Pdu

LIMIT = 8192
LARGE = 131_072
PING = NopOut(itt=1, data=b"12345")


def on_the_wire(*pdus, **digests):
    return b"".join(bytes(part) for pdu in pdus for part in encode(pdu, **digests))


def take_all(framer, stream):
    framer.receive(stream)
    taken = []
    while (pdu := framer.next_pdu()) is not None:
        taken.append(pdu)
    return taken


digests = st.fixed_dictionaries({"header_digest": st.booleans(), "data_digest": st.booleans()})


@given(st.data(), digests)
def test_any_cut_of_the_stream_gives_the_same_pdus(pdus, data, chosen):
    sent = data.draw(st.lists(pdus, max_size=4))
    stream = on_the_wire(*sent, **chosen)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    framer, taken = Framer(LIMIT, **chosen), 0
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reused = bytearray(stream[start:end])
        framer.receive(reused)
        while (pdu := framer.next_pdu()) is not None:
            assert pdu == sent[taken]
            assert framer.last_header == b"".join(encode(pdu))[: len(framer.last_header)]
            taken += 1
        reused[:] = b"\xff" * len(reused)
    assert taken == len(sent)


def test_one_byte_at_a_time():
    framer, taken = Framer(LIMIT, header_digest=True, data_digest=True), []
    for byte in on_the_wire(PING, ScsiCommand(), header_digest=True, data_digest=True):
        taken += take_all(framer, bytes([byte]))
    assert taken == [PING, ScsiCommand()]


def test_data_in_what_was_received_are_not_copied():
    received = bytearray(on_the_wire(PING))
    (pdu,) = take_all(Framer(LIMIT), received)
    received[48] = 0x39
    assert pdu.data == b"92345"


def test_the_buffer_of_the_caller_is_let_go_when_all_is_taken():
    received = bytearray(on_the_wire(ScsiCommand())) + b"\x01"
    assert take_all(Framer(LIMIT), received) == [ScsiCommand()]
    received.extend(b"it can be resized")


def test_bytes_are_refused_before_all_pdus_are_taken():
    framer = Framer(LIMIT)
    framer.receive(on_the_wire(PING, PING))
    framer.next_pdu()
    with pytest.raises(UsageError):
        framer.receive(b"")


def test_settings_may_change_between_two_pdus_of_one_receipt():
    framer = Framer(LIMIT)
    framer.receive(on_the_wire(PING) + on_the_wire(PING, header_digest=True, data_digest=True))
    assert framer.next_pdu() == PING
    framer.header_digest = framer.data_digest = True
    assert framer.next_pdu() == PING
    assert framer.next_pdu() is None


def test_the_data_digest_covers_the_padding():
    padded = b"12345\0\0\0"
    assert on_the_wire(PING, data_digest=True)[48:] == padded + digest(padded)
    damaged = bytearray(on_the_wire(PING, data_digest=True))
    damaged[54] = 1
    assert take_all(Framer(LIMIT, data_digest=True), damaged) == [BadDigest(PING)]


def test_the_stream_goes_on_after_a_bad_data_digest():
    stream = bytearray(on_the_wire(PING, PING, data_digest=True))
    stream[48] ^= 1
    framer = Framer(LIMIT, data_digest=True)
    framer.receive(stream)
    bad = framer.next_pdu()
    assert isinstance(bad, BadDigest)
    assert bad.pdu.itt == 1
    assert framer.last_header == encode(PING)[0]
    assert framer.next_pdu() == PING


def test_no_data_means_no_data_digest():
    assert len(on_the_wire(NopOut(), data_digest=True)) == 48
    assert take_all(Framer(LIMIT, data_digest=True), on_the_wire(NopOut())) == [NopOut()]


def test_the_header_digest_covers_additional_header_segments():
    command = ScsiCommand(cdb=bytes(range(32)))
    stream = bytearray(on_the_wire(command, header_digest=True))
    assert take_all(Framer(LIMIT, header_digest=True), bytes(stream)) == [command]
    stream[60] ^= 1
    with pytest.raises(PeerError):
        take_all(Framer(LIMIT, header_digest=True), stream)


@pytest.mark.parametrize("received", [52, 60, 64], ids=lambda length: f"{length} bytes received")
def test_a_bad_header_digest_loses_the_stream_at_once(received):
    stream = bytearray(on_the_wire(PING, header_digest=True, data_digest=True))
    stream[7] ^= 1
    framer = Framer(LIMIT, header_digest=True, data_digest=True)
    framer.receive(stream[:received])
    for _ in range(2):
        with pytest.raises(PeerError) as caught:
            framer.next_pdu()
    assert (caught.value.section, caught.value.answer) == ("7.8", None)
    assert framer.last_header == stream[:48]


def announcing_ahs(pdu: Pdu) -> bytes:
    """The header of a PDU that says it has four bytes of additional header segments."""
    header = bytearray(pdu.pack(0))
    header[4] = 1
    return bytes(header)


def test_a_data_segment_beyond_the_limit_is_refused_before_it_arrives():
    header = NopOut().pack(LIMIT + 1)
    framer = Framer(LIMIT)
    assert take_all(framer, header[:47]) == []
    framer.receive(header[47:])
    with pytest.raises(PeerError, match="8193 bytes, 8192 were allowed") as caught:
        framer.next_pdu()
    assert caught.value.section == "13.12"
    assert framer.last_header == header


def test_a_data_segment_at_the_limit_is_taken():
    full = DataOut(data=bytes(LIMIT))
    assert take_all(Framer(LIMIT), on_the_wire(full)) == [full]


def test_additional_header_segments_beyond_the_limit_are_refused():
    framer = Framer(LIMIT, max_ahs_length=16)
    framer.receive(ScsiCommand(cdb=bytes(32)).pack(0))
    with pytest.raises(PeerError, match=r"20 bytes .* 16 were allowed"):
        framer.next_pdu()


def test_no_more_than_one_pdu_is_kept():
    stream = on_the_wire(DataOut(data=bytes(LIMIT)), data_digest=True)
    framer = Framer(LIMIT, data_digest=True)
    tracemalloc.start()
    for _ in range(3):
        take_all(framer, stream[:100])
        take_all(framer, stream[100:-1])
        take_all(framer, stream[-1:])
    framer.receive(DataOut().pack(2**24 - 1))
    with pytest.raises(PeerError):
        framer.next_pdu()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * LIMIT


def test_an_unknown_opcode_is_handed_out_with_its_header():
    header = bytes([0x5C]) + bytes(3) + bytes([1, 0, 0, 2]) + bytes(40) + b"more"
    framer = Framer(LIMIT)
    assert take_all(framer, header + b"ab\0\0" + on_the_wire(PING)) == [
        UnknownPdu(0x1C, header, b"ab"),
        PING,
    ]


@pytest.mark.parametrize(
    ("header", "rest", "section", "answer"),
    [
        (LogoutRequest().pack(4), bytes(4), "11.2.1.6", RejectReason.INVALID_PDU_FIELD),
        (announcing_ahs(TextRequest()), bytes(4), "11.2.1.5", RejectReason.INVALID_PDU_FIELD),
        (announcing_ahs(ScsiCommand()), bytes(4), "11.2.2.1", RejectReason.PROTOCOL_ERROR),
        (
            announcing_ahs(ScsiCommand()),
            b"\xff\xff\x01\x00",
            "11.2.2.2",
            RejectReason.INVALID_PDU_FIELD,
        ),
    ],
    ids=["unwanted data", "unwanted AHS", "unknown AHS", "nonsense in AHS"],
)
def test_a_pdu_that_contradicts_itself_does_not_stop_the_stream(header, rest, section, answer):
    framer = Framer(LIMIT)
    malformed, ping = take_all(framer, header + rest + on_the_wire(PING))
    assert isinstance(malformed, Malformed)
    assert malformed.header[:48] == header
    assert (malformed.error.section, malformed.error.answer) == (section, answer)
    assert ping == PING


def test_a_malformed_pdu_is_that_first_whatever_its_data_digest():
    stream = LogoutRequest().pack(4) + bytes(4) + b"none"
    (malformed,) = take_all(Framer(LIMIT, data_digest=True), stream)
    assert isinstance(malformed, Malformed)


def test_data_are_sent_without_a_copy():
    data = bytearray(4096)
    assert encode(DataIn(data=data))[1] is data


def test_a_data_segment_beyond_its_length_field_is_refused():
    with pytest.raises(UsageError):
        encode(DataIn(data=bytes(2**24)))


@given(st.lists(st.binary(max_size=200), max_size=5), digests)
def test_arbitrary_bytes_raise_nothing_but_peer_errors(chunks, chosen):
    framer = Framer(512, **chosen)
    with contextlib.suppress(PeerError):
        for chunk in chunks:
            take_all(framer, chunk)


@given(st.data(), digests, st.integers(0, 47), st.integers(0, 255))
def test_a_damaged_header_raises_nothing_but_peer_errors(pdus, data, chosen, place, value):
    stream = bytearray(on_the_wire(data.draw(pdus), PING, **chosen))
    stream[place] = value
    with contextlib.suppress(PeerError):
        take_all(Framer(512, **chosen), stream)


class Places:
    """Where data segments go, and how often that was asked."""

    def __init__(self, size: int):
        self.store = bytearray(size)
        self.lost = False

    def __call__(self, pdu: Pdu, length: int) -> memoryview | None:
        assert pdu.data == b""
        if self.lost or not isinstance(pdu, DataOut):
            return None
        return memoryview(self.store)[pdu.buffer_offset : pdu.buffer_offset + length]


def framer_for(places: Places | None, *, header_digest: bool = False, data_digest: bool = False):
    framer = Framer(2 * LARGE, header_digest=header_digest, data_digest=data_digest)
    framer.destination_for = places
    return framer


def feed(framer: Framer, stream: bytes, *, direct: bool = True):
    """What a driver does: put into the PDU what belongs there, then receive the rest."""
    room = framer.get_buffer() if direct else None
    count = 0 if room is None else min(len(room), len(stream))
    if room is not None:
        room[:count] = stream[:count]
        framer.filled(count)
    framer.receive(stream[count:])
    taken = []
    while (pdu := framer.next_pdu()) is not None:
        if not isinstance(pdu, BadDigest):
            assert framer.last_header == encode(pdu)[0][:48]
        taken.append(pdu)
    return taken


@given(st.data(), digests, st.booleans())
def test_any_cut_puts_large_data_in_their_place(data, chosen, placed):
    lengths = [LARGE, 5, LARGE + 4, LARGE + 1]
    kinds = data.draw(st.permutations([DataOut, NopOut, DataOut, DataOut]))
    sent, offset = [], 0
    for kind, length in zip(kinds, lengths, strict=True):
        sent.append(kind(data=bytes([length % 251]) * length))
        if kind is DataOut:
            sent[-1].buffer_offset = offset
            offset += length
    stream = on_the_wire(*sent, **chosen)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    places = Places(offset)
    framer, taken = framer_for(places if placed else None, **chosen), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        for pdu in feed(framer, stream[start:end], direct=data.draw(st.booleans())):
            taken.append(pdu)
            if isinstance(pdu, DataOut):
                places.store[pdu.buffer_offset : pdu.buffer_offset + len(pdu.data)] = pdu.data
    assert taken == sent
    assert places.store == b"".join(bytes(pdu.data) for pdu in sent if isinstance(pdu, DataOut))


def test_a_large_data_segment_is_received_where_it_belongs():
    places = Places(LARGE)
    framer = framer_for(places, header_digest=True)
    stream = on_the_wire(DataOut(itt=5, data=b"d" * LARGE), header_digest=True)
    for start, end in [(0, 20), (20, 50), (50, 1000)]:
        assert feed(framer, stream[start:end]) == []
    assert places.store.rstrip(b"\0") == b"d" * (1000 - 52)
    (pdu,) = feed(framer, stream[1000:] + on_the_wire(PING)[:48])
    assert pdu == DataOut(itt=5, data=b"d" * LARGE)
    pdu.data[0] = 0
    assert places.store[0] == 0


@pytest.mark.parametrize("direct", [True, False])
def test_data_whose_place_is_lost_do_no_harm(direct):
    places = Places(LARGE)
    framer = framer_for(places)
    stream = on_the_wire(DataOut(data=b"d" * LARGE), PING)
    assert feed(framer, stream[:1048]) == []
    places.lost = True
    assert feed(framer, stream[1048:], direct=direct) == [DataOut(data=b"d" * LARGE), PING]
    assert places.store == b"d" * 1000 + bytes(LARGE - 1000)


class Early:
    """Hears commands before their data."""

    def __init__(self) -> None:
        self.heard: list[tuple[Pdu, int]] = []
        self.taken: list[bytes] = []

    def __call__(self, pdu: Pdu, length: int):
        assert pdu.data == b""
        if not isinstance(pdu, ScsiCommand):
            return None
        self.heard.append((pdu, length))
        return lambda data: self.taken.append(bytes(data))


@pytest.mark.parametrize("header_digest", [False, True])
def test_a_header_is_followed_by_its_digest(header_digest: bool):
    stream = on_the_wire(ScsiCommand(data=b"data"), header_digest=header_digest)
    framer = framer_for(None, header_digest=header_digest)
    assert stream[framer.header_length :] == b"data"


def test_a_large_pdu_can_be_heard_before_its_data_and_has_its_place_from_then_on():
    early, store, known = Early(), bytearray(LARGE), False
    framer = framer_for(lambda pdu, length: memoryview(store)[:length] if known else None)
    framer.eager = early
    stream = on_the_wire(ScsiCommand(itt=3, data=b"d" * LARGE), PING)
    framer.receive(stream[:1048])
    assert framer.next_pdu() is None
    assert framer.pauses
    assert early.heard == [(ScsiCommand(itt=3), LARGE)]
    known = True
    assert framer.next_pdu() is None
    assert not framer.pauses
    assert store.rstrip(b"\0") == b"d" * 1000
    assert early.taken == []
    assert feed(framer, stream[1048:]) == [PING]
    assert early.taken == [store] == [b"d" * LARGE]


@given(st.data(), st.booleans())
def test_any_cut_gives_what_was_heard_early_its_data(data, header_digest):
    commands = [
        ScsiCommand(itt=itt, data=bytes([itt]) * length)
        for itt, length in enumerate([LARGE, LARGE + 4, 5, LARGE + 1], 1)
    ]
    sent = [PING, commands[0], commands[1], PING, commands[2], commands[3]]
    stream = on_the_wire(*sent, header_digest=header_digest)
    framer, early, taken = framer_for(None, header_digest=header_digest), Early(), []
    framer.eager = early
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        framer.receive(stream[start:end])
        while (pdu := framer.next_pdu()) is not None or framer.pauses:
            taken += [pdu] if pdu is not None else []
    # Whether a PDU is heard early depends on whether it came in one piece, never what it says.
    whole = [pdu.itt for pdu in taken if isinstance(pdu, ScsiCommand)]
    early_ones = [pdu.itt for pdu, _ in early.heard]
    assert sorted(whole + early_ones) == [1, 2, 3, 4]
    assert early.taken == [bytes(commands[itt - 1].data) for itt in early_ones]
    assert [pdu for pdu in taken if isinstance(pdu, ScsiCommand)] == [
        commands[itt - 1] for itt in whole
    ]
    assert framer.rest == 0


def test_data_with_a_digest_are_not_put_in_their_place_before_it_is_checked():
    places = Places(LARGE)
    framer = framer_for(places, data_digest=True)
    stream = bytearray(on_the_wire(DataOut(data=b"d" * LARGE), data_digest=True))
    stream[100] ^= 1
    assert feed(framer, bytes(stream[:5000])) == []
    (bad,) = feed(framer, bytes(stream[5000:]))
    assert isinstance(bad, BadDigest)
    assert not any(places.store)


def test_there_is_no_buffer_while_pdus_are_left_to_take_nor_for_a_small_one():
    framer = Framer(LARGE)
    assert framer.get_buffer() is None
    framer.receive(on_the_wire(PING, PING)[:-1])
    framer.next_pdu()
    assert framer.get_buffer() is None
    assert framer.next_pdu() is None
    assert framer.get_buffer() is None


def test_what_is_kept_is_kept_in_buffers_that_are_lent():
    lent = []

    def lend(length):
        lent.append(bytearray(b"?" * length))
        return memoryview(lent[-1])

    framer = Framer(LARGE)
    framer.lend = lend
    stream = on_the_wire(DataOut(data=b"d" * LARGE))
    assert feed(framer, stream[:100]) == []
    (pdu,) = feed(framer, stream[100:])
    assert pdu.data == b"d" * LARGE
    assert lent[-1] == stream[48:]


@pytest.mark.parametrize("digests", [{}, {"header_digest": True, "data_digest": True}])
def test_the_padding_is_there_to_be_looked_at(digests):
    framer = Framer(LIMIT, **digests)
    stream = bytearray(on_the_wire(PING, NopOut(itt=2, data=b"1234"), NopOut(), **digests))
    paddings = []
    framer.receive(stream)
    while framer.next_pdu() is not None:
        paddings.append(framer.last_padding)
    assert paddings == [bytes(3), b"", b""]
    framer.receive(on_the_wire(ScsiCommand(cdb=bytes(20), data=b"12"), **digests))
    framer.next_pdu()
    assert framer.last_padding == bytes(2)


@given(
    st.lists(st.sampled_from([0, 1, 4, 500, 140_000, 140_002]), min_size=1, max_size=4),
    st.lists(st.sampled_from([1, 20, 47, 48, 52, 300, 70_000])),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_the_rest_of_a_pdu_is_known_from_its_header_on(sizes, pieces, header, data, in_place):
    pdus = [
        b"".join(encode(DataOut(data=bytes(size)), header_digest=header, data_digest=data))
        for size in sizes
    ]
    framer = Framer(2**20, header_digest=header, data_digest=data)
    if in_place:
        framer.destination_for = lambda _, length: memoryview(bytearray(length))
    stream, ends = b"".join(pdus), list(itertools.accumulate(map(len, pdus)))
    at = 0
    for piece in itertools.cycle([*pieces, 70_000]):
        framer.receive(stream[at : at + piece])
        at = min(at + piece, len(stream))
        while framer.next_pdu() is not None:
            pass
        done = max((end for end in ends if end <= at), default=0)
        if 0 < at - done < 48:
            assert framer.rest is None
        else:
            assert framer.rest == (0 if at == done else min(e for e in ends if e > at) - at)
        if at == len(stream):
            break
