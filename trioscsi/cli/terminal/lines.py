"""A line for each thing that happens, where there is no terminal to draw on."""

from __future__ import annotations

from collections.abc import Iterator

from trioscsi.cli.terminal.view import Interest
from trioscsi.cli.terminal.wording import arrow, because, headline, worked
from trioscsi.teaching.live import Message


class Lines:
    """Messages as lines of text: those that somebody is interested in."""

    def __init__(self, interest: Interest) -> None:
        self._interest = interest
        self._began: float | None = None

    def of(self, message: Message) -> Iterator[str]:
        """The lines for one message; mostly one, and none if it says nothing new."""
        kind, at = message["type"], message["at"]
        if self._began is None:
            self._began = at
        when = f"{at - self._began:12.6f}"
        if kind == "hello":
            yield from _hello(message)
        elif kind == "rates":
            if message["operations"]:
                yield f"{when}       = {worked(message)}"
        elif kind == "task":
            return  # its PDUs say the same
        elif kind == "session":
            if self._interest.admits(message):
                yield f"{when} {message['connection']:>4}  = {session(message)}"
        elif self._interest.admits(message):
            yield from self._rung(when, message)

    def _rung(self, when: str, message: Message) -> Iterator[str]:
        number = message.get("connection", "")
        match message["type"]:
            case "pdu":
                yield f"{when} {number:>4} {arrow(message)} {headline(message)}"
                for wrong in message["wrong"]:
                    yield f"{'':17}     wrong: {wrong}"
            case "transition":
                yield f"{when} {number:>4}    * {headline(message)}"
                yield f"{'':17}      {because(message)}"
            case "keys":
                for row in message["rows"]:
                    answered = "" if row["answered"] is None else f", answered {row['answered']}"
                    result = f": {row['result']}" if row["result"] else ""
                    yield (
                        f"{when} {number:>4}    {row['key']}{result}"
                        f" ({row['by']} offered {row['offered']}{answered})"
                    )
            case _:
                yield f"{when} {number:>4}  = {headline(message)}"


def session(message: Message) -> str:
    """A session in a line."""
    target = message["target"] or "discovery"
    return (
        f"session {message['session']} {message['state']}:"
        f" {message['initiator']} with {target}, TSIH {message['tsih']}"
    )


def _hello(message: Message) -> Iterator[str]:
    portals = ", ".join(portal["address"] for portal in message["portals"])
    what = f"{message['program']} at {portals}" if portals else f"{message['source']}"
    count = len(message["connections"])
    yield f"# {what}: {count} connection{'' if count == 1 else 's'} now"
    for each in message["sessions"]:
        yield f"# {session(each)}"
    for each in message["connections"]:
        states = ", ".join(f"{name} {state}" for name, state in each["states"].items())
        yield f"# connection {each['connection']} from {each['peer']}: {states}"
