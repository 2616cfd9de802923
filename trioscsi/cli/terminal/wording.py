"""How messages read: the same words on a terminal and in a file."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.teaching.headings import trail
from trioscsi.teaching.live import Message

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def amount(size: float) -> str:
    """A number of bytes, with three digits."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if not unit or size >= 100 else f"{size:.1f} {_UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """A time from microseconds to seconds."""
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def arrow(message: Message) -> str:
    """The direction of a PDU: to the right from initiators."""
    return "-->" if message["sender"] == "initiator" else "<--"


def headline(message: Message) -> str:
    """What has happened, in a line without its time, connection and direction."""
    kind = message["type"]
    if kind == "pdu":
        return str(message["summary"])
    if kind == "transition":
        return moved(message)
    if kind == "note":
        return ("refused: " if message["refused"] else "") + str(message["text"])
    if kind == "connection":
        return f"connection from {message['peer']} through {message['portal']}"
    if kind == "closed":
        return f"the connection is over: {message['how']}"
    if kind == "dropped":
        return f"left out: {left_out(message)} ({message['why']})"
    return str(kind)


def moved(message: Message) -> str:
    """A transition in short."""
    return f"{message['machine']} {message['label']}: {message['from']} -> {message['to']}"


def because(message: Message) -> str:
    """Why a transition was taken."""
    return f"{message['sentence']} (RFC 7143 section {message['section']})"


def left_out(message: Message) -> str:
    """How much was dropped."""
    if "bytes" in message:
        return amount(message["bytes"])
    counted: Mapping[str, int] = message["messages"]
    return ", ".join(f"{count} {kind}" for kind, count in counted.items())


def worked(message: Message) -> str:
    """``rates`` in a line."""
    seconds = message["seconds"] or 1.0
    latency = message["latency"]
    return (
        f"{message['operations'] / seconds:,.0f} commands/s"
        f"  in {amount(message['bytes_in'] / seconds)}/s"
        f"  out {amount(message['bytes_out'] / seconds)}/s"
        f"  median {duration(latency['median'])}  p99 {duration(latency['p99'])}"
    )


def section_of(message: Message) -> str:
    """Where in RFC 7143 this is written; empty if that is nowhere in particular."""
    return str(message.get("section", ""))


def where(section: str) -> list[str]:
    """A section with its heading below those that it is in."""
    return [
        f"{'  ' * depth}{number}  {heading}"
        for depth, (number, heading) in enumerate(trail(section))
    ]
