from __future__ import annotations

import errno
import gc
import os
import platform
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from trioscsi.backends import ring as module
from trioscsi.backends.ring import DATASYNC, FSYNC, READ, WRITE, Pinned, Ring


def is_there() -> bool:
    try:
        Ring(1).close()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not is_there(), reason="no io_uring")


@pytest.fixture
def ring() -> Iterator[Ring]:
    ring = Ring(4)
    yield ring
    ring.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def results(ring: Ring, count: int) -> list[tuple[int, int]]:
    """What comes of so many operations, those that are queued included."""
    ring.submit()
    found: list[tuple[int, int]] = []
    while len(found) < count:
        assert select.select([ring.descriptor], [], [], 10)[0]
        found += ring.take()
    return sorted(found)


def open_files() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_operations_are_carried_out_and_their_numbers_come_back(ring: Ring, file: int) -> None:
    data, buffer = Pinned(b"some data"), bytearray(4)
    ring.put(1, WRITE, file, 3, data.address, 9)
    assert results(ring, 1) == [(1, 9)]
    data.release()
    view = Pinned(buffer)
    ring.put(2**64 - 1, READ, file, 8, view.address, 4)
    ring.put(3, FSYNC, file, 0, 0, 0, DATASYNC)
    assert results(ring, 2) == [(3, 0), (2**64 - 1, 4)]
    view.release()
    assert buffer == b"data"
    assert not select.select([ring.descriptor], [], [], 0)[0]


def test_what_the_kernel_cannot_do_is_a_negative_result(ring: Ring, tmp_path: Path) -> None:
    ring.put(1, FSYNC, 2**30, 0, 0, 0)
    ring.put(2, 255, 0, 0, 0, 0)
    assert results(ring, 2) == [(1, -errno.EBADF), (2, -errno.EINVAL)]


def test_places_are_used_again(ring: Ring, file: int) -> None:
    for number in range(50):
        ring.put(number, FSYNC, file, 0, 0, 0)
        assert results(ring, 1) == [(number, 0)]


def test_what_the_kernel_does_not_begin_can_be_withdrawn(
    ring: Ring, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_call = module._syscall

    def begin_one_of_three(*words: int) -> int:
        return system_call(*words[:2], 1, *words[3:]) if words[2] == 3 else 0

    with monkeypatch.context() as patch:
        patch.setattr(module, "_syscall", begin_one_of_three)
        for number in (1, 2, 3):
            ring.put(number, FSYNC, file, 0, 0, 0)
        with pytest.raises(BlockingIOError):
            ring.submit()
        assert ring.withdraw() == [2, 3]
    ring.put(4, FSYNC, file, 0, 0, 0)
    assert results(ring, 2) == [(1, 0), (4, 0)]


def test_what_the_kernel_refuses_to_begin_is_an_error(
    ring: Ring, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_syscall", lambda *_: -1)
    monkeypatch.setattr(module.ctypes, "get_errno", lambda: errno.ENOMEM)
    ring.put(1, FSYNC, file, 0, 0, 0)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        ring.submit()
    assert ring.withdraw() == [1]
    ring.submit()  # nothing


def test_a_system_call_that_a_signal_interrupts_is_begun_anew(
    ring: Ring, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_call, interrupted = module._syscall, []

    def interrupt(*words: int) -> int:
        if not interrupted:
            interrupted.append(words)
            return -1
        return system_call(*words)

    monkeypatch.setattr(module, "_syscall", interrupt)
    monkeypatch.setattr(module.ctypes, "get_errno", lambda: errno.EINTR)
    ring.put(1, FSYNC, file, 0, 0, 0)
    assert results(ring, 1) == [(1, 0)]
    assert interrupted


def test_a_buffer_is_pinned_until_it_is_released() -> None:
    buffer = bytearray(8)
    pinned = Pinned(memoryview(buffer)[2:])
    assert pinned.address == Pinned(buffer).address + 2
    with pytest.raises(BufferError):
        buffer.clear()


@pytest.mark.parametrize("made", [Ring, lambda places: Ring(places).close()])
def test_a_ring_that_is_closed_or_forgotten_leaves_nothing_open(made: type[Ring]) -> None:
    gc.collect()
    before = open_files()
    made(4)
    gc.collect()
    assert open_files() == before


def test_closing_comes_twice(ring: Ring) -> None:
    ring.close()
    ring.close()


def test_there_is_none_on_other_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(OSError, match="not on this system"):
        Ring(4)


def test_what_the_kernel_does_not_know_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COOPERATE", 1 << 31)
    Ring(4).close()


def test_there_is_none_where_the_kernel_is_old_or_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_files()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_NEEDED", 1 << 31)
        with pytest.raises(OSError, match="too old"):
            Ring(4)
    with pytest.raises(OSError, match="Invalid argument"):
        Ring(2**31)
    assert open_files() == before
