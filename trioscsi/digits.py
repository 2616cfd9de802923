"""Numbers as people write them, of whatever length."""

from __future__ import annotations


def number_of(text: str, most: int) -> int | None:
    """The number that decimal digits stand for; None for other text, and for more than ``most``."""
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0")
    # Python refuses to read some thousand digits, by a ValueError.
    if len(digits) > len(str(most)):
        return None
    number = int(digits or "0")
    return number if number <= most else None
