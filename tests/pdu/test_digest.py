from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.pdu.digest import digest, matches

READ_10 = bytes.fromhex(
    "01c00000000000000000000000000000"
    "14000000000004000000001400000018"
    "28000000000000000200000000000000"
)


@pytest.mark.parametrize(
    ("covered", "expected"),
    [
        (bytes(32), "aa36918a"),
        (b"\xff" * 32, "43aba862"),
        (bytes(range(32)), "4e79dd46"),
        (bytes(reversed(range(32))), "5cdb3f11"),
        (READ_10, "563a96d9"),
    ],
)
def test_the_examples_of_the_rfc(covered, expected):
    assert digest(covered).hex() == expected
    assert digest(memoryview(bytearray(covered))).hex() == expected


@given(st.binary(), st.binary())
def test_parts_make_the_same_digest_as_the_whole(first, second):
    assert digest(first, second) == digest(first + second)


@given(st.binary())
def test_what_is_followed_by_its_digest_matches(covered):
    assert matches(memoryview(covered + digest(covered)))


@given(st.binary(min_size=4), st.data())
def test_one_wrong_bit_is_found(covered, data):
    damaged = bytearray(covered + digest(covered))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    assert not matches(damaged)


def test_fewer_bytes_than_a_digest_match_nothing():
    assert not any(matches(bytes(length)) for length in range(4))
