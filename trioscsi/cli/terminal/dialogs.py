"""What comes up over the screen: a section of the RFC, and the words of a filter."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from trioscsi.cli.terminal.wording import headline, section_of, where
from trioscsi.machines import MACHINES
from trioscsi.teaching.live import Message


class Section(ModalScreen[None]):
    """Where it is written what has happened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,s,enter,q", "dismiss", "Back"),
    ]

    def __init__(self, message: Message) -> None:
        super().__init__()
        self._message = message

    def compose(self) -> ComposeResult:
        """Number and heading, and what else there is to read."""
        with Vertical(id="dialog") as dialog:
            dialog.border_title = "RFC 7143"
            yield Static(section_text(self._message))


def section_text(message: Message) -> Text:
    """All about where something is written."""
    section = section_of(message)
    text = Text(headline(message) + "\n\n", "bold")
    if not section:
        text.append("No section of the RFC says anything of this.")
        return text
    for line in where(section):
        text.append(line + "\n", "cyan")
    if message["type"] == "transition":
        name = message["machine"]
        machine = MACHINES[name]
        text.append(f"\n{message['sentence']}\n")
        for effect in message["effects"]:
            text.append(f"  then: {effect}\n")
        text.append(f"\n{name}: {machine.sentence}\n", "italic")
        text.append(f"The machine as a table: specs/machines/{name}.toml\n", "#8a919c")
        text.append(f"The machine as a picture: trioscsi draw {name}\n", "#8a919c")
    else:
        text.append("\nEvery field of it: press enter in the ladder.\n", "#8a919c")
    return text


class Words(ModalScreen[str | None]):
    """Asks which PDUs are of interest."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Back")]

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        """One line to be filled in."""
        with Vertical(id="dialog") as dialog:
            dialog.border_title = "Show only these PDUs"
            yield Static("Beginnings of names, such as: login, scsi command, r2t. Nothing: all.")
            yield Input(self._words, id="words")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Done."""
        self.dismiss(event.value)

    def action_give_up(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)
