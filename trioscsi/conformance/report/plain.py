"""Sentences of reports in which a peer may have said something."""

from __future__ import annotations


def plain(text: str) -> str:
    """The same without characters that a terminal would obey, or that XML cannot have."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
