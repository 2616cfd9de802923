"""Arithmetic on 32-bit sequence numbers that wrap (RFC 1982; RFC 7143 section 4.2.2.1)."""

from __future__ import annotations

MODULUS = 2**32
_HALF = 2**31


def add(number: int, increment: int = 1) -> int:
    """``number`` moved forward by ``increment``, wrapping at 2**32."""
    return (number + increment) % MODULUS


def distance(start: int, end: int) -> int:
    """How many steps lead from ``start`` forward to ``end``: 0 to 2**32 - 1."""
    return (end - start) % MODULUS


def less(left: int, right: int) -> bool:
    """Whether ``left`` comes before ``right`` (RFC 1982 section 3.2).

    Numbers exactly half a cycle apart have no order; this then says no both ways round.
    """
    return 0 < distance(left, right) < _HALF
