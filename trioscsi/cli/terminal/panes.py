"""The parts of the screen: each is given the view and shows its share of it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual.widgets import DataTable, OptionList, Static
from textual.widgets.option_list import Option

from trioscsi.cli.terminal.view import Connection, Interest, View
from trioscsi.cli.terminal.wording import (
    amount,
    arrow,
    duration,
    headline,
    worked,
)
from trioscsi.teaching.live import Message

MOST_ROWS = 600
"""Rungs of the ladder on the screen; older ones are cut off, half of them at a time."""
MOST_AT_ONCE = 150
"""Rungs that are added at once; of more, the last ones."""
MOST_LISTED = 100
"""Connections in the list, those of the newest sessions."""
_SHOWN_TRANSITIONS = 12
_KEY_COLUMNS = {"key": 24, "result": 12, "offered": 12, "answered": 8, "section": 7}
"""With the characters that each has at least."""
_BARS = " ▁▂▃▄▅▆▇█"

_STYLES = {
    "initiator": "cyan",
    "target": "green",
    "transition": "yellow",
    "note": "bold red",
    "dropped": "magenta",
    "dim": "#8a919c",
}
_STATE_STYLES = {
    **dict.fromkeys(("LOGGED_IN", "ACCEPTED", "NORMAL", "DISCOVERY", "PROVEN"), "bold green"),
    **dict.fromkeys(("FAILED", "REFUSED", "DROPPED", "CLEANUP_WAIT"), "bold red"),
    **dict.fromkeys(("FREE", "ANSWERED"), _STYLES["dim"]),
}


def coloured(state: str) -> tuple[str, str]:
    """A state in the colour of what it means."""
    return state, _STATE_STYLES.get(state, "bold yellow")


def style_of(message: Message) -> str:
    """The colour of a rung."""
    kind = message["type"]
    if kind == "pdu":
        return "bold red" if message["wrong"] else _STYLES[message["sender"]]
    if kind == "note" and not message["refused"]:
        return _STYLES["dim"]
    return _STYLES.get(kind, _STYLES["dim"])


class Ladder(DataTable[Text]):
    """PDUs and what they led to, the last one at the bottom."""

    def on_mount(self) -> None:
        """Set the columns up."""
        self.cursor_type = "row"
        self.add_columns("time", "#", "", "")
        self.show_header = False
        self.rungs: list[Message] = []
        """What the rows show."""
        self.follows = True
        """Whether the last row is to be seen."""

    def extend(self, rungs: list[Message], began: float) -> None:
        """More has happened."""
        if not rungs:
            return
        at_end = not self.rungs or self.cursor_row >= len(self.rungs) - 1
        if len(self.rungs) + len(rungs) > MOST_ROWS:
            kept = self.rungs[-MOST_ROWS // 2 :]
            self.clear()
            self.rungs = []
            self._add(kept, began)
        if len(rungs) > MOST_AT_ONCE:
            missing = len(rungs) - MOST_AT_ONCE
            rungs = rungs[-MOST_AT_ONCE:]
            self._skip(missing, rungs[0], began)
        self._add(rungs, began)
        if at_end:
            self.move_cursor(row=len(self.rungs) - 1, animate=False)

    def renew(self, rungs: list[Message], began: float) -> None:
        """Other things are of interest now."""
        self.clear()
        self.rungs = []
        self._add(rungs[-MOST_ROWS // 2 :], began)
        if self.rungs:
            self.move_cursor(row=len(self.rungs) - 1, animate=False)

    @property
    def selected(self) -> Message | None:
        """What the cursor is at."""
        row = self.cursor_row
        return self.rungs[row] if 0 <= row < len(self.rungs) else None

    def _add(self, rungs: Iterable[Message], began: float) -> None:
        for message in rungs:
            self.rungs.append(message)
            style = style_of(message)
            kind = message["type"]
            sign = arrow(message) if kind == "pdu" else " * " if kind == "transition" else " = "
            number = message.get("connection", "")
            self.add_row(
                Text(f"{message['at'] - began:10.4f}", style=_STYLES["dim"]),
                Text(f"{number:>2}", style=_STYLES["dim"]),
                Text(sign, style=style),
                _body(message, style),
            )

    def _skip(self, count: int, after: Message, began: float) -> None:
        gap = {"type": "dropped", "at": after["at"], "why": "too fast to be shown"}
        self._add([{**gap, "messages": {"rungs": count}}], began)


def _body(message: Message, style: str) -> Text:
    """A rung in words; of a PDU, its name stands out."""
    text = headline(message)
    if message["type"] != "pdu":
        return Text(f"  {text}", style=style)
    title, comma, rest = text.partition(", ")
    return Text.assemble((title, f"bold {style}"), comma, rest)


class Connections(OptionList):
    """Sessions, and below each its connections; the one that is highlighted is looked at."""

    def show(self, view: View, chosen: int | None) -> None:
        """Show what there is now."""
        options = []
        by_session: dict[int, list[Connection]] = {}
        for connection in view.connections.values():
            by_session.setdefault(connection.session or 0, []).append(connection)
        left = MOST_LISTED
        for number, connections in sorted(by_session.items(), reverse=True):
            session = view.sessions.get(number)
            if session is not None:
                options.append(Option(_session(session), disabled=True))
            options += [Option(_line(each), id=str(each.number)) for each in connections[:left]]
            left -= min(left, len(connections))
            if not left:
                break
        if len(view.connections) > MOST_LISTED:
            more = f"and {len(view.connections) - MOST_LISTED} more"
            options.append(Option(Text(more, _STYLES["dim"]), disabled=True))
        place = self.highlighted
        with self.prevent(OptionList.OptionHighlighted):
            self.clear_options()
            self.add_options(options or [Option(Text("no connection yet", "dim"), disabled=True)])
            listed = [option.id for option in options]
            self.highlighted = listed.index(str(chosen)) if str(chosen) in listed else place


def _session(session: Message) -> Text:
    target = session["target"] or "discovery"
    return Text.assemble(
        (f"session {session['session']} ", "bold"),
        coloured(session["state"]),
        (f"  {target}\n  {session['initiator']}", _STYLES["dim"]),
        no_wrap=True,
        overflow="ellipsis",
    )


def _line(connection: Connection) -> Text:
    how = "  closed" if connection.closed else ""
    style = _STYLES["dim"] if connection.closed else ""
    return Text.assemble(
        (f"  connection {connection.number} ", style),
        coloured(connection.state or "?"),
        (f"  {connection.peer}{how}", _STYLES["dim"]),
        no_wrap=True,
        overflow="ellipsis",
    )


class States(Static):
    """The machines of one connection."""

    def show(self, view: View, connection: Connection | None) -> None:
        """Show where they are now."""
        table = Table.grid(padding=(0, 1))
        if connection is None:
            self.update(Text("wait for an initiator to log in", "dim"))
            return
        for name, state in view.states(connection):
            table.add_row(
                Text(name, _STYLES["dim"]),
                Text(state.symbol, "bold"),
                Text.assemble(coloured(state.name), f"  {state.sentence}"),
            )
        self.update(table)


class Transitions(Static):
    """The last transitions, the newest one first."""

    def show(self, rows: Iterable[Message], began: float) -> None:
        """Show them with their causes."""
        parts: list[Text | Padding] = []
        for _, row in zip(range(_SHOWN_TRANSITIONS), rows, strict=False):
            head = Text.assemble(
                (f"{row['label']} ", "bold yellow"),
                f"{row['machine']} ",
                coloured(row["from"]),
                " -> ",
                coloured(row["to"]),
                (f"  {row['at'] - began:.4f}", _STYLES["dim"]),
                no_wrap=True,
                overflow="ellipsis",
            )
            section = (f" section {row['section']}", _STYLES["dim"])
            parts += [head, Padding(Text.assemble(row["sentence"], section), (0, 0, 0, 2))]
        self.update(Group(*parts) if parts else Text("none yet", "dim"))


class Tasks(DataTable[Text]):
    """The commands of one connection."""

    COLUMNS = ("tag", "command", "LUN", "moves", "state", "status", "took", "attribute")

    def on_mount(self) -> None:
        """Set the columns up."""
        self.cursor_type = "none"
        self.add_columns(*self.COLUMNS)

    def show(self, tasks: Iterable[Message], now: float) -> None:
        """Those under way first, then the ended ones, the last one first."""
        rows = list(tasks)[::-1]
        rows.sort(key=lambda task: task["status"] is not None or task["ended"] is not None)
        self.clear()
        for task in rows[:100]:
            began, ended = task["began"], task["ended"]
            took = None if began is None else (ended or now) - began
            bytes_moved = task["reads"] + task["writes"]
            direction = "reads" if task["reads"] else "writes"
            state = task["state"]
            over = state in ("RESPONDED", "ABORTED")
            style = _STYLES["dim"] if over else "bold"
            if state == "ABORTED" or task["status"] not in (None, "GOOD"):
                style = "red"
            cells = (
                task["itt"],
                task["name"],
                "-" if task["lun"] is None else str(task["lun"]),
                f"{direction} {amount(bytes_moved)}" if bytes_moved else "",
                state,
                task["status"] or "",
                duration(took),
                task["attribute"],
            )
            self.add_row(*(Text(cell, style) for cell in cells))


class Keys(Static):
    """What one connection has negotiated."""

    def show(self, rows: Iterable[Message]) -> None:
        """Show the table."""
        table = Table(box=None, padding=(0, 1), header_style="bold", expand=True)
        for column, width in _KEY_COLUMNS.items():
            table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=width)
        for row in rows:
            wrong = row["result"].startswith("wrong")
            declared = row["answered"] is None and row["result"] == row["offered"]
            table.add_row(
                Text(row["key"], "bold"),
                Text(row["result"], "bold red" if wrong else "bold green"),
                f"by {row['by']}" if declared else f"{row['by']}: {row['offered']}",
                "" if row["answered"] is None else row["answered"],
                Text(row["section"], _STYLES["dim"]),
            )
        self.update(table if table.row_count else Text("nothing is negotiated yet", "dim"))


class Fields(Static):
    """One PDU, field by field."""

    def show(self, explained: Message) -> None:
        """Show it; or why it cannot be."""
        if explained["type"] == "error":
            self.update(Text(explained["error"], "red"))
            return
        table = Table(box=None, padding=(0, 1), header_style="bold", expand=True)
        for column in ("byte", "field", "value", "meaning"):
            table.add_column(column, no_wrap=column != "meaning")
        for field in explained["fields"]:
            table.add_row(
                f"{field['byte']}.{field['bit']}",
                Text(field["title"], "bold"),
                Text(field["value"], "cyan"),
                field["meaning"],
            )
        for content in explained["contents"]:
            table.add_row("", Text(content["title"], "bold yellow"), "", "")
            for row in content["rows"][1:]:
                table.add_row("", row[0], Text(row[1], "cyan"), "  ".join(row[2:]))
        for wrong in explained["wrong"]:
            table.add_row("", Text("wrong", "bold red"), "", Text(wrong, "red"))
        self.border_title = f"{explained['title']} (section {explained['section']})"
        self.update(table)


class Rates(Static):
    """How much is done: the last two minutes as bars, and how long commands take."""

    def show(self, view: View) -> None:
        """Show the figures."""
        if not view.rates:
            self.update(Text("nothing is measured yet", "dim"))
            return
        last = view.rates[-1]
        done = [each["operations"] / (each["seconds"] or 1) for each in view.rates]
        text = Text()
        text.append(worked(last) + "\n", "bold")
        text.append("commands/s  ", _STYLES["dim"])
        text.append(bars(done) + f"  most {max(done):,.0f}\n", "cyan")
        buckets = last["latency"]["buckets"]
        most = max((count for _, count in buckets), default=1)
        for bound, count in buckets:
            bound_text = "more" if bound is None else f"<= {duration(bound)}"
            text.append(f"{bound_text:>12} ", _STYLES["dim"])
            text.append("█" * max(1, round(40 * count / most)), "green")
            text.append(f" {count}\n")
        if view.left_out or view.passed_over:
            text.append(
                f"not looked at: {view.left_out} messages, {amount(view.passed_over)}", "magenta"
            )
        self.update(text)


def bars(values: list[float]) -> str:
    """Numbers as a row of bars."""
    most = max(values, default=0) or 1
    return "".join(_BARS[round(value / most * (len(_BARS) - 1))] for value in values)


def matching(view: View, interest: Interest) -> list[Message]:
    """The rungs that somebody is interested in."""
    return [message for message in view.ladder if interest.admits(message)]
