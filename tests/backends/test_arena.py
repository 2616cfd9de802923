from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import pytest

from trioscsi.backends.arena import Arena

LARGE = Arena.SMALLEST


def test_a_buffer_is_lent_again_when_no_view_of_it_is_left() -> None:
    arena = Arena()
    view = arena.lend(LARGE)
    view[:3] = b"old"
    part = view[1:3]
    del view
    assert arena.lend(LARGE)[:3] != b"old"
    del part
    both = [arena.lend(LARGE) for _ in range(2)]
    assert [bytes(view[:3]) for view in both].count(b"old") == 1


def test_the_buffer_that_was_used_last_is_lent_first() -> None:
    arena = Arena()
    views = [arena.lend(LARGE) for _ in range(3)]
    for number, view in enumerate(views):
        view[:1] = bytes([number])
    del view, views[:]
    assert [arena.lend(LARGE)[0] for _ in range(3)] == [2, 2, 2]
    held = arena.lend(LARGE)
    assert held[0] == 2
    assert arena.lend(LARGE)[0] == 0


def test_a_buffer_that_is_still_read_is_left_alone() -> None:
    arena = Arena()
    views = [arena.lend(LARGE) for _ in range(5)]
    for number, view in enumerate(views):
        view[:] = bytes([number]) * LARGE
    assert [view[-1] for view in views] == [0, 1, 2, 3, 4]


def test_a_view_has_the_length_that_was_asked_for() -> None:
    arena = Arena()
    assert [len(arena.lend(n)) for n in (512, LARGE, LARGE + 512)] == [512, LARGE, LARGE + 512]


def test_what_is_kept_is_bounded() -> None:
    arena = Arena(capacity=LARGE)
    first = arena.lend(LARGE)
    second = arena.lend(LARGE)
    second[:6] = b"second"
    del first, second
    assert {bytes(arena.lend(LARGE)[:6]) for _ in range(3)} == {bytes(6)}


@pytest.mark.parametrize("capacity", [0, 1 << 20])
def test_large_buffers_begin_at_a_page(capacity: int) -> None:
    arena = Arena(capacity)
    for length in (Arena.SMALLEST, 100_000, 1 << 18):
        for _ in range(3):  # new, and used again
            view = arena.lend(length)
            assert len(view) == length
            assert ctypes.addressof(ctypes.c_char.from_buffer(view)) % mmap.PAGESIZE == 0
            del view


def test_what_is_not_kept_goes_back_to_the_kernel_at_once() -> None:
    arena, mib = Arena(capacity=0), 2**20
    lasting: list[memoryview] = []
    for _ in range(4):
        views = [arena.lend(mib) for _ in range(64)]
        for view in views:
            view[:] = bytes(mib)
        lasting.append(views.pop())
        before = own_memory()
        del view, views
        assert before - own_memory() > 60 * mib


def own_memory() -> int:
    """Resident bytes of this process that it shares with nobody."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024
