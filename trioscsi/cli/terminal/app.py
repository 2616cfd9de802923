"""The screen of ``trioscsi watch``."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Footer, OptionList, Static, TabbedContent, TabPane

from trioscsi.cli.terminal.dialogs import Section, Words
from trioscsi.cli.terminal.panes import (
    Connections,
    Fields,
    Keys,
    Ladder,
    Rates,
    States,
    Tasks,
    Transitions,
    matching,
)
from trioscsi.cli.terminal.player import Player
from trioscsi.cli.terminal.view import Connection, Interest, View
from trioscsi.cli.terminal.wording import worked
from trioscsi.teaching.live import Message

_FRAME = 0.1
"""Seconds from one look at what has come to the next."""

_SLOWER = 3
"""Looks after which all panes are shown anew; the ladder is at each of them."""

_RUNGS = {"connection", "transition", "pdu", "note", "closed", "dropped"}


class Watch(App[None]):
    """Shows what a player gives.  ``clock`` counts seconds from anywhere."""

    TITLE = "trioscsi watch"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; padding: 0 1; background: $primary-background; }
    #left { width: 40%; max-width: 64; }
    #connections { height: 2fr; min-height: 5; border: round $primary; }
    #states-box { height: 2fr; border: round $primary; }
    #transitions-box { height: 3fr; border: round $primary; }
    #ladder { height: 3fr; border: round $primary; }
    #tabs { height: 2fr; min-height: 10; border: round $primary; }
    .scrolled { height: 1fr; }
    TabPane { padding: 0; }
    DataTable, OptionList { background: $background; overflow-x: hidden; }
    DataTable, OptionList, VerticalScroll { scrollbar-size: 1 1; }
    .box { padding: 0 1; }
    Section, Words { align: center middle; }
    #dialog { width: 84; height: auto; max-height: 90%; padding: 1 2; border: round $accent;
              background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause"),
        Binding("n", "step", "Step"),
        Binding("plus", "faster", "Faster", key_display="+"),
        Binding("minus", "slower", "Slower", key_display="-"),
        Binding("c", "only", "One connection"),
        Binding("slash", "words", "PDUs", key_display="/"),
        Binding("t", "transitions", "Transitions"),
        Binding("s", "section", "RFC section"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        player: Player,
        interest: Interest | None = None,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__()
        self.player = player
        self.view = View()
        self.interest = interest or Interest()
        self._clock = clock
        self._looked = clock()
        self._frames = 0
        self._stale = False
        """Whether the panes besides the ladder show what was before."""
        self._chosen: int | None = None
        """The connection that is looked at; None follows the newest one."""

        self.title_line = Static(id="title")
        self.connections = Connections(id="connections")
        self.states, self.transitions = States(id="states"), Transitions(id="transitions")
        self.states_box = VerticalScroll(self.states, id="states-box", classes="box")
        self.ladder = Ladder(id="ladder")
        self.tasks, self.keys, self.rates = Tasks(), Keys(), Rates()
        self.fields = Fields("press enter at a PDU of the ladder")

    def compose(self) -> ComposeResult:
        """The panes."""
        self.connections.border_title = "Sessions and connections"
        yield self.title_line
        with Horizontal():
            with Vertical(id="left"):
                yield self.connections
                yield self.states_box
                with VerticalScroll(id="transitions-box", classes="box") as box:
                    box.border_title = "Last transitions"
                    yield self.transitions
            with Vertical():
                yield self.ladder
                with TabbedContent(id="tabs"):
                    with TabPane("Tasks", id="tasks-tab"):
                        yield self.tasks
                    with TabPane("Keys", id="keys-tab"), VerticalScroll(classes="scrolled"):
                        yield self.keys
                    with TabPane("PDU", id="fields-tab"), VerticalScroll(classes="scrolled"):
                        yield self.fields
                    with TabPane("Rates", id="rates-tab"):
                        yield self.rates
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.ladder.focus()
        self.look()
        self.set_interval(_FRAME, self.look)

    # What passes.

    def look(self) -> None:
        """Take what has come, and show it."""
        now = self._clock()
        seconds, self._looked = now - self._looked, now
        if not self.title_line.is_attached:
            return  # the screen is being taken down
        self.show(self.player.tick(seconds), patient=True)
        for explained in self.player.source.explained():
            self.fields.show(explained)
            self.screen_stack[0].query_one(TabbedContent).active = "fields-tab"

    def show(self, messages: list[Message], *, patient: bool = False) -> None:
        """Show what is new; ``patient``: where much happens, not all panes each time."""
        for message in messages:
            self.view.hear(message)
        self._stale = self._stale or bool(messages)
        if messages:
            rungs = [
                message
                for message in messages
                if message["type"] in _RUNGS and self.interest.admits(message)
            ]
            self.ladder.extend(rungs, self._began)
        self._frames += 1
        if self._stale and (not patient or self._frames % _SLOWER == 1):
            self._stale = False
            self._show_state()
        self._show_title()

    @property
    def _began(self) -> float:
        return self.view.began or 0.0

    @property
    def connection(self) -> Connection | None:
        """The connection that is looked at: the one that was chosen, or else the newest."""
        connections = self.view.connections
        if self._chosen in connections:
            return connections[self._chosen]
        alive = [each for each in connections.values() if not each.closed]
        newest = alive or list(connections.values())
        return newest[-1] if newest else None

    def _show_state(self) -> None:
        view, connection = self.view, self.connection
        number = None if connection is None else connection.number
        self.connections.show(view, number)
        self.states.show(view, connection)
        self.states_box.border_title = (
            "States" if number is None else f"States of connection {number}"
        )
        self.transitions.show(view.transitions(self.interest.connection), self._began)
        now = view.ladder[-1]["at"] if view.ladder else self._began
        tasks = [] if connection is None else connection.tasks.values()
        self.tasks.show(tasks, now)
        self.keys.show([] if connection is None else connection.keys.values())
        self.rates.show(view)

    def _show_title(self) -> None:
        player, view = self.player, self.view
        title = Text.assemble((f" {view.program or 'trioscsi'} ", "bold"))
        portals = ", ".join(portal["address"] for portal in view.portals)
        title.append(f" {portals or view.source} ", "")
        if player.over:
            title.append(f" {player.over} ", "bold reverse red")
        elif player.paused:
            title.append(f" paused, {player.waiting} waiting ", "bold reverse yellow")
        elif view.source == "capture":
            speed = "as fast as it can" if player.speed == inf else f"speed {player.speed:g}"
            title.append(f" playing, {speed} ", "bold reverse green")
        else:
            title.append(" live ", "bold reverse green")
        if view.rates:
            title.append(f"  {worked(view.rates[-1])}", "cyan")
        if view.left_out or view.passed_over:
            title.append("  not all is shown", "magenta")
        self.title_line.update(title)
        about = []
        if self.interest.connection is not None:
            about.append(f"connection {self.interest.connection}")
        about += self.interest.pdus
        if not self.interest.transitions:
            about.append("no transitions")
        self.ladder.border_title = "Ladder" + (f": {', '.join(about)}" if about else "")

    def _renew(self) -> None:
        self.ladder.renew(matching(self.view, self.interest), self._began)
        self._show_state()
        self._show_title()

    # What the keys do.

    def action_pause(self) -> None:
        """Stop, or go on."""
        self.player.paused = not self.player.paused
        self._show_title()

    def action_step(self) -> None:
        """One more thing."""
        self.show(self.player.step())

    def action_faster(self) -> None:
        """The next speed."""
        self.player.faster()
        self._show_title()

    def action_slower(self) -> None:
        """The speed before."""
        self.player.slower()
        self._show_title()

    def action_only(self) -> None:
        """Only the connection that is looked at, or all of them again."""
        connection = self.connection
        number = None
        if self.interest.connection is None and connection is not None:
            number = self._chosen = connection.number
        self.interest = Interest(number, self.interest.pdus, self.interest.transitions)
        self._renew()

    def action_transitions(self) -> None:
        """Transitions between PDUs, or not."""
        interest = self.interest
        self.interest = Interest(interest.connection, interest.pdus, not interest.transitions)
        self._renew()

    def action_words(self) -> None:
        """Ask for the PDUs that are of interest."""

        def chosen(words: str | None) -> None:
            if words is not None:
                interest = self.interest
                self.interest = Interest(interest.connection, split(words), interest.transitions)
                self._renew()

        self.push_screen(Words(", ".join(self.interest.pdus)), chosen)

    def action_section(self) -> None:
        """Where what is selected is written."""
        message = self.ladder.selected
        if message is not None:
            self.push_screen(Section(message))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another connection is looked at."""
        if event.option.id is not None and int(event.option.id) != self._chosen:
            self._chosen = int(event.option.id)
            self._show_state()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """A PDU is to be shown field by field; of a transition, its section."""
        message = self.ladder.selected
        if message is None:
            return
        if message["type"] == "pdu":
            self.player.source.explain(message["connection"], message["number"])
            self.look()
        else:
            self.push_screen(Section(message))


def split(words: str) -> tuple[str, ...]:
    """The beginnings of names that somebody has typed."""
    return tuple(word.strip().lower() for word in words.split(",") if word.strip())
