from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.digits import number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("3260", 3260),
        ("65535", 65_535),
        ("65536", None),
        ("003260", 3260),
        ("0" * 5000 + "7", 7),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("1_0", None),
        (" 1", None),
        ("1.0", None),
        ("٣", None),
    ],
)
def test_digits_are_a_number_up_to_the_largest_that_there_may_be(text: str, number: int | None):
    assert number_of(text, 65_535) == number


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_a_number_is_read_if_it_is_not_too_large(number: int, most: int):
    assert number_of(str(number), most) == (number if number <= most else None)
