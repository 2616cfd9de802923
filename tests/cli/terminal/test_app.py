"""The screen, driven by keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Input, Static, TabbedContent

from tests.cli.terminal.script import Script, session
from trioscsi.cli.terminal.app import Watch, split
from trioscsi.cli.terminal.dialogs import Section, Words
from trioscsi.cli.terminal.panes import (
    MOST_AT_ONCE,
    MOST_LISTED,
    MOST_ROWS,
    bars,
)
from trioscsi.cli.terminal.player import Player


def run(
    test: Callable[[Watch, Pilot[None]], Awaitable[None]],
    *,
    size: tuple[int, int] = (150, 44),
    **options: Any,
) -> Watch:
    """Run a test with the screen of a short session."""
    script = Script(*session())
    app = Watch(Player(script, **options), clock=lambda: 0.0)

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await test(app, pilot)

    asyncio.run(main())
    return app


def text(pane: Static) -> str:
    """What a pane shows."""
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(pane.content)
    return captured.get()


def rows(app: Watch) -> list[str]:
    ladder = app.ladder
    return [
        " ".join(str(cell) for cell in ladder.get_row_at(number)).strip()
        for number in range(ladder.row_count)
    ]


def test_a_session_is_shown_in_all_panes():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        shown = rows(app)
        assert "T3" in shown[1]
        assert "-->" in shown[2]
        assert shown[-1].endswith("the connection is over: closed by the target")
        app._chosen = 2
        app._show_state()
        await pilot.pause()
        assert "S1 FREE" in text(app.states)
        assert text(app.transitions).startswith("N3 session LOGGED_IN -> FREE")
        assert "TargetName" in text(app.keys)
        assert "commands/s" in text(app.rates)
        tasks = app.tasks
        assert [str(tasks.get_row_at(row)[4]) for row in range(2)] == ["ABORTED", "RESPONDED"]
        picture = app.export_screenshot()
        assert picture.startswith("<svg")
        for word in ("Ladder", "Tasks", "Logout&#160;Request", "LOGGED_IN"):
            assert word in picture

    run(test)


@pytest.mark.parametrize("keys", [("q",), ("ctrl+c",), ("slash", "ctrl+c")])
def test_whoever_has_seen_enough_leaves(keys: tuple[str, ...]):
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        await pilot.press(*keys)
        await pilot.pause()
        assert not app.is_running

    run(test)


def test_a_pdu_is_shown_field_by_field():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        ladder = app.ladder
        ladder.move_cursor(row=2)
        await pilot.press("enter")
        await pilot.pause()
        assert app.query_one(TabbedContent).active == "fields-tab"
        shown = text(app.fields)
        assert "ISID" in shown
        assert "InitiatorName" in shown
        # One that is not remembered any more cannot be.
        app.player.source.explain(9, 9)
        app.look()
        assert text(app.fields).strip() == "gone"

    run(test)


def test_the_section_of_a_transition_is_shown_with_its_heading():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        app.ladder.move_cursor(row=1)
        await pilot.press("s")
        assert isinstance(app.screen, Section)
        console = Console(width=200, color_system=None)
        with console.capture() as captured:
            console.print(app.screen.query_one(Static).content)
        assert "8.1  Standard Connection State Diagrams" in captured.get()
        assert "A valid transport connection was accepted." in captured.get()
        await pilot.press("escape")
        assert not isinstance(app.screen, Section)
        # What is in no RFC says so; enter shows the same as s where there are no fields.
        await pilot.press("end", "enter")
        assert isinstance(app.screen, Section)

    run(test)


def test_a_pause_stops_and_steps_go_on_one_by_one():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        assert rows(app) == []
        await pilot.press("n")
        assert len(rows(app)) == 1
        await pilot.press("n", "n")
        assert len(rows(app)) == 3
        title = str(app.title_line.content)
        assert "paused" in title
        assert "waiting" in title
        await pilot.press("space")
        app.look()
        assert len(rows(app)) > 10

    run(test, paused=True)


def test_the_connection_in_the_list_is_looked_at():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        app.connections.focus()
        await pilot.press("home")
        await pilot.pause()
        first = app.connection
        await pilot.press("end")
        await pilot.pause()
        assert first is not None
        assert app.connection is not None
        assert app.connection.number != first.number
        assert str(app.states_box.border_title) == (f"States of connection {app.connection.number}")

    run(test)


def test_a_small_terminal_is_no_error():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        await pilot.press("s", "escape", "tab", "q")

    run(test, size=(40, 12))


def test_the_title_says_how_it_plays_and_why_it_is_over():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        app.view.source = "capture"
        await pilot.press("plus")
        assert "speed 2" in str(app.title_line.content)
        await pilot.press("minus", "minus")
        assert "speed 0.5" in str(app.title_line.content)
        app.player.source.over = "the server is gone"
        app.look()
        assert "the server is gone" in str(app.title_line.content)

    run(test)


def test_the_ladder_is_bounded_and_stays_where_somebody_looks():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        ladder = app.ladder
        ladder.move_cursor(row=3)
        ladder.extend(list(app.view.ladder)[:5], 0.0)
        assert ladder.cursor_row == 3
        ladder.move_cursor(row=ladder.row_count - 1)
        pdu = next(each for each in app.view.ladder if each["type"] == "pdu")
        for _ in range(12):
            ladder.extend([pdu] * (MOST_AT_ONCE + 50), 0.0)
        assert len(ladder.rungs) == ladder.row_count <= MOST_ROWS + MOST_AT_ONCE
        assert any("left out: 50 rungs" in row for row in rows(app))
        assert ladder.cursor_row == ladder.row_count - 1

    run(test)


def test_what_is_shown_can_be_chosen_by_connection_and_by_pdu():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        everything = len(rows(app))
        app._chosen = 2
        await pilot.press("c")
        assert 0 < len(rows(app)) < everything
        assert "connection 2" in str(app.ladder.border_title)
        await pilot.press("c")
        assert len(rows(app)) == everything
        await pilot.press("t")
        await pilot.press("slash")
        assert isinstance(app.screen, Words)
        app.screen.query_one(Input).value = "Login, r2t"
        await pilot.press("enter")
        pdus = [row for row in rows(app) if "-->" in row or "<--" in row]
        assert len(pdus) == 2
        assert not any(" * " in row for row in rows(app))
        await pilot.press("slash", "escape")
        assert app.interest.pdus == ("login", "r2t")

    run(test)


def test_of_very_many_connections_the_newest_are_listed():
    async def test(app: Watch, pilot: Pilot[None]) -> None:
        many = [
            {"type": "connection", "at": 0.0, "connection": number, "peer": "p", "portal": ""}
            for number in range(1, 3 * MOST_LISTED)
        ]
        app.show(many)
        assert app.connections.option_count == MOST_LISTED + 1
        last = app.connections.get_option_at_index(MOST_LISTED)
        assert str(last.prompt) == f"and {2 * MOST_LISTED - 1} more"

    run(test)


def test_bars_are_as_high_as_their_numbers():
    assert bars([0, 1, 2, 4]) == " ▂▄█"
    assert bars([0, 0]) == "  "
    assert bars([]) == ""


def test_words_are_split_at_commas():
    assert split(" Login,, r2t ,") == ("login", "r2t")
