"""Text that has to fit into so many bytes of UTF-8."""

from __future__ import annotations


def fits(text: str, most: int) -> bool:
    """Whether this is UTF-8 of ``most`` bytes, or fewer.

    What is no UTF-8 on the command line and in the environment, Python keeps as lone surrogates:
    no bytes stand for them.
    """
    try:
        return len(text.encode()) <= most
    except UnicodeEncodeError:
        return False
