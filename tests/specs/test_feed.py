"""What specs/feed.md says of messages is what is sent."""

from __future__ import annotations

import re
from pathlib import Path

from tests.teaching.live.wire import PEER, PORTAL, Wire, of
from trioscsi.pdu import NopOut, ScsiCommand, ScsiResponse
from trioscsi.teaching.live.message import TYPES
from trioscsi.teaching.live.sampling import BURST, MOST_PDUS

PAGE = (Path(__file__).parents[2] / "specs" / "feed.md").read_text()
WORD = re.compile(r"`([a-z_0-9]+)`")
ROWS = {
    WORD.findall(cells[1])[0]: set(WORD.findall(cells[2]))
    for line in PAGE.splitlines()
    if line.startswith("| `") and (cells := line.split("|"))
}
HELLO_SESSION = ROWS["session"] - {"at", "connection"}
HELLO_TASK = ROWS["task"] - {"at", "connection"}


def item(start: str) -> set[str]:
    """The names in the item of the page that begins so."""
    text = re.split(r"\n(?:- |\n)", PAGE[PAGE.index(start) + len(start) :])[0]
    return set(WORD.findall(text))


def everything() -> list[dict[str, object]]:
    """Messages of all types."""
    wire = Wire()
    heard = wire.feed.subscribe(most=40)
    wire.talk = wire.feed.open(PEER, PORTAL)
    wire.log_in()
    wire.move("connection", "T3")
    wire.say(ScsiCommand(itt=1), ScsiResponse(itt=1), ScsiCommand(itt=2))
    wire.talk.note("a remark")
    wire.talk.lose_track(5)
    wire.now += 1
    wire.talk.counted.bytes_in = 4
    wire.feed.tick()
    hello = wire.feed.hello()
    wire.talk.close("broken off")
    for _ in range(50):
        wire.say(NopOut(itt=1))
    return [*heard.take(), hello]


SAID = everything()


def test_the_page_has_all_types():
    assert ROWS.keys() == TYPES
    assert {message["type"] for message in SAID} == TYPES


def test_a_message_has_the_fields_of_the_page():
    for message in SAID:
        kind = str(message["type"])
        fields = message.keys() - {"type"}
        if kind == "dropped":
            assert fields in ({"at", "why", "connection", "bytes"}, {"at", "why", "messages"})
            assert fields <= ROWS[kind]
        else:
            assert fields == ROWS[kind], kind


def test_hello_has_the_parts_of_the_page():
    hello = of(SAID, "hello")[-1]
    (session,) = hello["sessions"]
    assert session.keys() == HELLO_SESSION
    connection = hello["connections"][-1]
    (task,) = connection["tasks"]
    assert task.keys() == HELLO_TASK
    assert connection.keys() <= item("- `hello`: ")
    assert connection["keys"][0].keys() == item("- `keys`: a row has ") - {"null"}


def test_rates_have_the_parts_of_the_page():
    (rates,) = of(SAID, "rates")
    words = item("- `rates`: ")
    assert rates["connections"][0].keys() | rates["latency"].keys() <= words


def test_an_explained_pdu_has_the_parts_of_the_page():
    wire = Wire()
    wire.listen()
    wire.log_in()
    explained = wire.feed.explain(1, 1)
    assert explained is not None
    words = item("An explained PDU ")
    assert explained.keys() <= words
    assert explained["fields"][0].keys() | explained["contents"][0].keys() <= words


def test_the_page_says_how_many_pdus_are_looked_at():
    words = " ".join(PAGE.split())
    assert f"{MOST_PDUS} a second of all connections together" in words
    assert f"{MOST_PDUS * BURST:g} more that were saved up" in words
