from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.difference import first_difference

LONG = 200_000


@pytest.mark.parametrize(
    ("other", "offset"), [(b"abcd", None), (b"xbcd", 0), (b"abcx", 3), (b"axxd", 1), (b"", None)]
)
def test_the_first_difference_is_an_offset_in_bytes(other: bytes, offset: int | None) -> None:
    assert first_difference(memoryview(b"abcd"), other) == offset


@given(st.sets(st.integers(0, LONG - 1), max_size=3), st.integers(0, LONG))
def test_the_first_difference_is_found_wherever_it_is(places: set[int], length: int) -> None:
    left, right = bytearray(LONG), bytearray(LONG)
    for place in places:
        right[place] = 1
    found = first_difference(left, memoryview(right)[:length])
    assert found == min((place for place in places if place < length), default=None)
