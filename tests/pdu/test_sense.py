from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu import sense


@given(st.binary(), st.binary())
def test_sense_data_and_the_rest_survive_the_wire(data, rest):
    assert sense.split(sense.join(data, rest)) == (data, rest)


def test_the_length_comes_first():
    assert sense.join(b"\x70\x00", b"\xff") == b"\x00\x02\x70\x00\xff"


def test_an_empty_segment_has_no_sense_data():
    assert sense.split(b"") == (b"", b"")


@pytest.mark.parametrize("segment", [b"\x00", b"\x00\x01", b"\x00\x03ab", b"\xff\xff"])
def test_a_segment_shorter_than_it_says_is_refused(segment):
    with pytest.raises(PeerError):
        sense.split(segment)


def test_sense_data_beyond_their_length_field_are_refused():
    with pytest.raises(UsageError):
        sense.join(bytes(65536))
