from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.utf8 import fits


@pytest.mark.parametrize(
    ("text", "most", "does"),
    [
        ("", 0, True),
        ("disk", 4, True),
        ("disk", 3, False),
        ("b\u00fcro", 5, True),
        ("b\u00fcro", 4, False),
        (os.fsdecode(b"b\xfcro"), 223, False),
    ],
)
def test_text_fits_by_its_bytes_and_only_if_it_has_some(text: str, most: int, does: bool):
    assert fits(text, most) is does


@given(st.binary(max_size=20))
def test_what_fits_can_be_sent(argument: bytes):
    text = argument.decode(errors="surrogateescape")
    assert not fits(text, 20) or text.encode() == argument
