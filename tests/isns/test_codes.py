from __future__ import annotations

from trioscsi.isns import Change, Flag


def test_flags_are_counted_from_the_left_of_their_word() -> None:
    """Bit 16 of the RFC is the highest of the two bytes (section 5.1.4)."""
    order = (Flag.CLIENT, Flag.SERVER, Flag.AUTHENTICATED, Flag.REPLACE, Flag.LAST, Flag.FIRST)
    assert [1 << (31 - bit) for bit in range(16, 22)] == list(order)


def test_changes_are_counted_from_the_left_of_their_word() -> None:
    """Bit 31 of the RFC is the lowest (section 6.4.4)."""
    assert [1 << (31 - bit) for bit in range(24, 32)] == sorted(Change, reverse=True)
