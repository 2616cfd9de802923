from __future__ import annotations

import pytest

from tests.cli.terminal.script import session
from tests.teaching.live.wire import of
from trioscsi.cli.terminal.view import (
    MOST_CLOSED,
    MOST_ENDED,
    MOST_RUNGS,
    Interest,
    View,
)
from trioscsi.teaching.live import Message


def seen(messages: list[Message]) -> View:
    view = View()
    for message in messages:
        view.hear(message)
    return view


def until(messages: list[Message], **fields: object) -> list[Message]:
    """The messages up to the first one with these fields."""
    for place, message in enumerate(messages):
        if fields.items() <= message.items():
            return messages[: place + 1]
    raise AssertionError(fields)


def test_a_connection_has_its_states_keys_and_tasks():
    _, said = session()
    view = seen(until(said, type="task", state="ABORTED"))
    connection = view.connections[2]
    assert connection.state == "LOGGED_IN"
    assert [(name, state.symbol) for name, state in view.states(connection)] == [
        ("session", "Q3"),
        ("connection", "S5"),
    ]
    assert ("initiator", "TargetName") in connection.keys
    assert [task["state"] for task in connection.tasks.values()] == ["RESPONDED", "ABORTED"]


def test_what_comes_later_is_seen_as_in_a_hello_of_that_moment():
    wire, said = session()
    view, fresh = seen(said), seen([wire.feed.hello()])
    assert {number for number, each in view.connections.items() if not each.closed} == {
        *fresh.connections
    }
    assert view.connections[1].states == fresh.connections[1].states


def test_a_connection_that_was_closed_is_shown_as_such():
    _, said = session()
    view = seen(said)
    assert (view.connections[2].closed, view.connections[2].state) == (
        "closed by the target",
        "FREE",
    )
    assert view.sessions[1]["state"] == "FREE"
    assert view.left_out == 0
    assert view.passed_over == 2048


def test_only_so_many_closed_connections_are_shown():
    view = View()
    for number in range(1, 2 * MOST_CLOSED):
        view.hear({"type": "connection", "at": 0, "connection": number, "peer": "", "portal": ""})
        view.hear({"type": "closed", "at": 0, "connection": number, "how": "closed"})
    assert len(view.connections) == MOST_CLOSED + 1
    assert 2 * MOST_CLOSED - 1 in view.connections


def test_a_session_goes_when_nobody_shows_it():
    _, said = session()
    view = seen(said)
    for number in range(9, 9 + MOST_CLOSED + 2):
        view.hear({"type": "connection", "at": 0, "connection": number, "peer": "", "portal": ""})
        view.hear({"type": "closed", "at": 0, "connection": number, "how": "closed"})
    other = {**of(said, "session")[-1], "session": 2, "state": "ACTIVE", "connections": [9]}
    view.hear(other)
    assert list(view.sessions) == [2]


def test_memory_is_bounded():
    _, said = session()
    view = seen(said)
    task = of(said, "task")[-1]
    for number in range(3 * MOST_RUNGS):
        view.hear(of(said, "pdu")[0])
        view.hear({**task, "itt": str(number), "ended": 1.0})
    assert len(view.ladder) == MOST_RUNGS
    assert len(view.connections[2].tasks) == MOST_ENDED


def test_a_hello_after_a_gap_replaces_what_was_known():
    wire, said = session()
    view = seen(said)
    view.hear(wire.feed.hello())
    assert list(view.connections) == [1, 3]
    assert view.sessions == {}
    assert view.ladder


def test_messages_of_unknown_types_and_connections_are_passed_over():
    view = View()
    view.hear({"type": "news", "at": 0.0})
    for kind in ("transition", "keys", "task", "closed"):
        _, said = session()
        view.hear(of(said, kind)[0])
    assert view.connections == {}


def test_the_last_transitions_come_first():
    _, said = session()
    view = seen(said)
    labels = [row["label"] for row in view.transitions()]
    assert labels[:3] == ["N3", "T13", "T9"]
    assert list(view.transitions(connection=9)) == []


@pytest.mark.parametrize(
    ("interest", "count"),
    [
        (Interest(), 9),
        (Interest(pdus=("login",)), 2),
        (Interest(pdus=("scsi command", "datain")), 3),
        (Interest(connection=2), 9),
        (Interest(connection=1), 0),
    ],
)
def test_pdus_are_chosen_by_the_beginnings_of_their_names(interest: Interest, count: int):
    _, said = session()
    assert len([message for message in of(said, "pdu") if interest.admits(message)]) == count


def test_transitions_can_be_left_out():
    _, said = session()
    assert not any(map(Interest(transitions=False).admits, of(said, "transition")))
