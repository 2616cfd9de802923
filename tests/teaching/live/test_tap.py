from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.teaching.live.wire import PEER, PORTAL, Wire, of
from trioscsi import protocol
from trioscsi.pdu import DataIn, DataOut, Framer, NopIn, NopOut, ScsiCommand, encode
from trioscsi.protocol.view import EVERYTHING, View
from trioscsi.teaching.live import Feed, LiveTap
from trioscsi.teaching.live.rates import Counted
from trioscsi.teaching.live.sampling import BURST


@attrs.define
class Session:
    """As much of a session: its tasks, and a view that changes nothing."""

    tasks: list[Any] = attrs.field(factory=list)
    view: View = EVERYTHING


@attrs.define
class Connection:
    """As much of a TargetConnection as a tap asks for."""

    framer: Framer = attrs.field(factory=lambda: Framer(2**20))
    order: None = None
    session: Session | None = None


@attrs.define
class Stream:
    """A connection in full feature phase whose bytes come in pieces."""

    feed: Feed
    tap: LiveTap = attrs.field(init=False)
    connection: Any = attrs.field(factory=Connection)

    def __attrs_post_init__(self) -> None:
        self.tap = self.feed.connect(PEER, PORTAL, PORTAL)
        self.tap.follow(self.connection)
        self.tap._talk.in_login = False

    def receive(self, data: bytes) -> None:
        self.tap.received(data)
        self.connection.framer.receive(data)
        while self.connection.framer.next_pdu() is not None:
            pass

    def send(self, buffers: list[bytes], count: int) -> None:
        self.tap.sent(buffers, count)


def data_out(number: int, size: int) -> bytes:
    # The data look like PDUs, so that nothing but the right place will do.
    like = b"".join(encode(NopOut(itt=0xBAD)))
    return b"".join(encode(DataOut(itt=number, data=(like * (size // 48 + 1))[:size])))


def tags(said: list[dict[str, Any]]) -> list[int]:
    return [int(message["itt"], 16) for message in said if message["type"] == "pdu"]


SIDES = "initiator", "target"
PIECES = st.lists(st.tuples(st.integers(20, 400), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=12), PIECES)
def test_whoever_listens_in_between_hears_whole_pdus_in_order(
    sizes: list[int], pieces: list[tuple[int, bool]]
) -> None:
    feed = Feed(clock=lambda: 1.0, pdus=float("inf"))
    stream = Stream(feed)
    data = b"".join(data_out(number, size) for number, size in enumerate(sizes))
    heard, listening, at, step = [], None, 0, 0
    while at < len(data):
        length, listens = pieces[step % len(pieces)]
        if listens and listening is None:
            listening = feed.subscribe()
        elif not listens and listening is not None:
            heard += tags(listening.take(9999))
            listening.close()
            listening = None
        stream.receive(data[at : at + length])
        at, step = at + length, step + 1
    if listening is not None:
        heard += tags(listening.take(9999))
    assert heard == sorted(set(heard))
    assert set(heard) <= set(range(len(sizes)))
    if all(listens for _, listens in pieces):
        assert heard == list(range(len(sizes)))


@given(st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=30))
def test_what_is_sent_is_heard_from_the_beginning_of_a_pdu(turns: list[tuple[int, bool]]) -> None:
    feed = Feed(clock=lambda: 1.0, pdus=float("inf"))
    stream = Stream(feed)
    heard, listening = [], None
    for number, (part, listens) in enumerate(turns):
        if listens and listening is None:
            listening = feed.subscribe()
        buffers = [bytes(each) for each in encode(DataIn(itt=number, data=data_out(7, 60)))]
        size = sum(map(len, buffers))
        first = min(part, size)
        stream.send(buffers, first)
        if listening is not None and not listens:
            heard += tags(listening.take(9999))
            listening.close()
            listening = None
        if first < size:
            rest = b"".join(buffers)[first:]
            stream.send([rest], len(rest))
    if listening is not None:
        heard += tags(listening.take(9999))
    assert heard == sorted(set(heard))
    assert set(heard) <= set(range(len(turns)))


def test_what_there_is_no_time_for_is_passed_over_and_told():
    wire = Wire()
    wire.feed.budget.pdus = 4 / BURST
    stream = Stream(wire.feed)
    heard = wire.listen()
    for number in range(20):
        stream.receive(data_out(number, 52))
    wire.now += BURST
    stream.receive(data_out(20, 52))
    said = heard.take()
    numbers = tags(said)
    assert numbers[-1] == 20
    assert numbers[:-1] == list(range(len(numbers) - 1))
    (gap,) = (message for message in said if message["type"] == "dropped")
    assert gap["bytes"] == (21 - len(numbers)) * 100
    assert gap["connection"] == stream.tap.number


def test_bytes_are_counted_while_somebody_listens():
    wire = Wire()
    stream = Stream(wire.feed)
    stream.receive(data_out(1, 52))
    assert stream.tap._talk.take_counted() == Counted()
    wire.listen()
    stream.receive(data_out(1, 52))
    stream.send([bytes(each) for each in encode(NopIn(itt=1))], 48)
    counted = stream.tap._talk.take_counted()
    assert (counted.bytes_in, counted.bytes_out) == (100, 48)


@pytest.mark.parametrize(
    ("broken", "how"), [(True, "broken off"), (False, "closed by the initiator")]
)
def test_the_end_of_a_connection_says_whose_doing_it_was(broken: bool, how: str) -> None:
    wire = Wire()
    stream = Stream(wire.feed)
    heard = wire.listen()
    stream.tap.ended(broken=broken)
    stream.tap.settle()
    stream.tap.close()
    assert heard.take()[-1]["how"] == how


def test_a_fault_of_ours_is_logged_and_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "trioscsi")
    wire = Wire()
    stream = Stream(wire.feed)
    heard = wire.listen()
    monkeypatch.setattr(stream.tap._talk, "hear", None)
    stream.receive(data_out(1, 0))
    stream.receive(data_out(2, 0))
    assert [record.getMessage() for record in caplog.records] == [
        "no more is told of connection 2: a fault of ours"
    ]
    assert heard.take() == []


def test_an_answer_is_looked_at_if_what_it_answers_was() -> None:
    wire = Wire()
    wire.feed.budget.pdus = 40 / BURST
    stream = Stream(wire.feed)
    heard = wire.listen()
    for number in range(40):
        stream.receive(data_out(number, 52))
        wire.now += BURST / 200
        answer = [bytes(each) for each in encode(NopIn(itt=number))]
        stream.send(answer, 48)
    said = [message for message in heard.take(999) if message["type"] == "pdu"]
    asked, answered = ([m["itt"] for m in said if m["sender"] == side] for side in SIDES)
    assert asked == answered
    assert len(asked) > 5


def test_tasks_that_began_or_ended_while_nobody_looked_are_found() -> None:
    wire = Wire()
    stream = Stream(wire.feed)
    command = ScsiCommand(itt=5, cdb=b"\x28" + bytes(15), read=True)
    heard = wire.listen()
    stream.receive(b"".join(encode(command)))
    assert [task["state"] for task in of(heard.take(), "task")] == ["EXECUTING"]
    heard.close()
    stream.connection.session = session = Session()
    assert wire.feed.hello()["connections"][1]["tasks"] != []
    heard = wire.listen()
    assert wire.feed.hello()["connections"][1]["tasks"] == []
    heard.close()
    task = protocol.Task(stream.connection, 0, 6, 1, False, 1, command.cdb, 0, 4096, b"")
    session.tasks.append(task)
    heard = wire.listen()
    (found,) = wire.feed.hello()["connections"][1]["tasks"]
    assert (found["itt"], found["name"], found["began"]) == ("0x00000006", "READ(10)", None)
    assert (found["reads"], found["attribute"], found["lun"]) == (4096, "SIMPLE", 0)


def test_what_is_left_of_a_pdu_is_passed_over_by_who_comes_in_its_middle() -> None:
    wire = Wire()
    stream = Stream(wire.feed)
    buffers = [bytes(each) for each in encode(DataIn(itt=1, data=bytes(100)))]
    stream.send(buffers, 50)
    heard = wire.listen()
    stream.send([b"".join(buffers)[50:]], 98)
    stream.send([bytes(each) for each in encode(NopIn(itt=2))], 48)
    said = heard.take()
    assert [message["type"] for message in said] == ["dropped", "pdu"]
    assert (said[0]["bytes"], said[1]["name"]) == (98, "NopIn")
