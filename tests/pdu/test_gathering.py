from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trioscsi.pdu import ScsiCommand
from trioscsi.pdu.gathering import Gathering

OWNER = ScsiCommand(itt=7)
LENGTH = 20
DATA = bytes(range(LENGTH))


class Places:
    """A store that has a place for data until that is lost."""

    def __init__(self, lost_after: int | None = None) -> None:
        self.store = bytearray(LENGTH)
        self.asked = 0
        self._lost_after = lost_after

    def __call__(self, pdu: object, length: int) -> memoryview | None:
        assert (pdu, length) == (OWNER, LENGTH)
        self.asked += 1
        if self._lost_after is not None and self.asked > self._lost_after:
            return None
        return memoryview(self.store)


def gathering(places: Places | None = None) -> Gathering:
    return Gathering(OWNER, b"", LENGTH, places, lambda length: memoryview(bytearray(length)))


def test_data_are_whole_when_the_last_of_them_have_come():
    data = gathering()
    assert data.take(memoryview(DATA[:5])) == 5
    assert data.whole is None
    room = data.room()
    assert len(room) == LENGTH - 5
    room[:] = DATA[5:]
    data.come += len(room)
    assert data.whole == DATA


def test_what_comes_behind_the_data_is_left():
    data = gathering()
    assert data.take(memoryview(DATA + b"next")) == LENGTH
    assert data.take(memoryview(b"next")) == 0
    assert data.whole == DATA


def test_nothing_is_asked_for_before_something_comes():
    places = Places()
    assert gathering(places).take(memoryview(b"")) == 0
    assert places.asked == 0


@given(st.lists(st.integers(0, LENGTH), max_size=4))
def test_data_go_where_they_belong(cuts: list[int]):
    places = Places()
    data = gathering(places)
    ends = [*sorted(cuts), LENGTH]
    for start, end in zip([0, *ends], ends, strict=False):
        data.take(memoryview(DATA[start:end]))
    assert data.whole is not None
    assert data.whole.obj is places.store
    assert places.store == DATA


def test_a_place_that_is_lost_keeps_what_came_and_gets_no_more():
    places = Places(lost_after=1)
    data = gathering(places)
    data.take(memoryview(DATA[:5]))
    data.take(memoryview(DATA[5:9]))
    data.take(memoryview(DATA[9:]))
    assert places.store == DATA[:5] + bytes(LENGTH - 5)
    assert data.whole == DATA
    assert places.asked == 2


def test_data_that_had_no_place_in_the_beginning_do_not_move_to_one():
    places = Places(lost_after=0)
    data = gathering(places)
    data.take(memoryview(DATA[:5]))
    data.take(memoryview(DATA[5:]))
    assert places.asked == 1
    assert data.whole == DATA
