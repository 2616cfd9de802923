from __future__ import annotations

import array
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial, wraps
from types import coroutine
from typing import Any

import pytest
import trio

from tests.server.disks import Held
from trioscsi import BackendError, BlockDevice, MemoryDisk, ReadOnly, Slow, UsageError, in_thread
from trioscsi.backends import Abilities
from trioscsi.errors import BackendFault, OutOfSpace
from trioscsi.server.supervised import Supervised, check

BLOCK = 512


class Rash(Held):
    """Raises what the test says, or returns it."""

    def __init__(self, outcome: Any) -> None:
        super().__init__()
        self.outcome = outcome

    async def read(self, lba: int, blocks: int) -> Any:
        return self._end()

    async def flush(self) -> Any:
        return self._end()

    async def resize(self, blocks: int) -> Any:
        return self._end()

    async def measure(self) -> Any:
        return self._end()

    async def close(self) -> Any:
        return self._end()

    def _end(self) -> Any:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (BackendError("broken", lba=3), BackendError, "broken"),
        (OSError(5, "no luck"), BackendError, "Rash.flush: no luck"),
        (TimeoutError("too slow"), BackendError, "Rash.flush: too slow"),
        (OSError(28, "no room"), OutOfSpace, "Rash.flush: no room"),
        (UsageError("no"), BackendFault, "Rash.flush: UsageError: no"),
        (ZeroDivisionError("by 0"), BackendFault, "Rash.flush: ZeroDivisionError: by 0"),
    ],
)
async def test_what_a_disk_raises_is_an_error_of_storage(
    error: Exception, kind: type[BackendError], said: str
) -> None:
    disk: Any = Supervised(Rash(error))
    with pytest.raises(BackendError) as caught:
        await disk.flush()
    assert (type(caught.value), str(caught.value)) == (kind, said)
    with pytest.raises(kind):
        await disk.read(0, 1)
    assert caught.value is error or caught.value.__cause__ is error


@pytest.mark.parametrize("name", ["resize", "measure"])
async def test_a_size_that_cannot_be_is_still_a_usage_error(name: str) -> None:
    disk: Any = Supervised(Rash(UsageError("too large")))
    with pytest.raises(UsageError, match="too large"):
        await getattr(disk, name)(*[7] * (name == "resize"))


async def test_closing_is_not_supervised() -> None:
    disk: Any = Supervised(Rash(KeyError("closed")))
    with pytest.raises(KeyError):
        await disk.close()


async def test_a_call_that_is_cancelled_has_not_failed() -> None:
    disk: Any = Supervised(Slow(MemoryDisk("1MiB"), read_ms=1000))
    with trio.CancelScope() as scope:
        scope.cancel()
        await disk.read(0, 1)
    assert scope.cancelled_caught


async def test_the_traceback_of_a_mistake_is_logged_once_of_each_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rash = Rash(KeyError("a"))
    disk: Any = Supervised(rash)

    async def tracebacks() -> int:
        for _ in range(2):
            for method in (disk.flush, disk.measure):
                with pytest.raises(BackendFault):
                    await method()
        return sum(record.exc_info is not None for record in caplog.records)

    assert await tracebacks() == 2
    assert "_end" in caplog.text
    rash.outcome = IndexError("b")
    assert await tracebacks() == 4
    for n in range(20):
        rash.outcome = type(f"Error{n}", (Exception,), {})()
        await tracebacks()
    assert await tracebacks() == 16
    assert len(caplog.records) == 16


@pytest.mark.parametrize(
    "data", [bytes(BLOCK), bytearray(BLOCK), memoryview(bytes(BLOCK)), array.array("I", [0] * 128)]
)
async def test_whole_blocks_come_in_any_buffer(data: Any) -> None:
    read = await Supervised(Rash(data)).read(0, 1)
    assert (len(read), bytes(read)) == (BLOCK, bytes(BLOCK))


@pytest.mark.parametrize("length", [0, BLOCK - 1, BLOCK + 1])
async def test_another_length_is_an_error_of_storage(length: int) -> None:
    said = f"^Rash.read returned {length} bytes instead of 512$"
    with pytest.raises(BackendError, match=said) as caught:
        await Supervised(Slow(Slow(Rash(bytes(length))))).read(0, 1)
    assert not isinstance(caught.value, BackendFault)


@pytest.mark.parametrize("data", [None, "x" * BLOCK, [0] * BLOCK])
async def test_what_is_no_buffer_is_a_mistake(data: Any) -> None:
    with pytest.raises(BackendFault, match="bytes-like"):
        await Supervised(Rash(data)).read(0, 1)


def test_what_does_not_wait_is_the_disk_itself() -> None:
    disk = MemoryDisk("1MiB")
    can = Abilities.of(Supervised(disk))
    assert (can.read_now, can.write_now) == (disk.read_now, disk.write_now)
    assert can.window == disk.window
    assert Abilities.of(Supervised(Held())) == Abilities()


# What is refused before it is used.


class Inheriting(BlockDevice):
    """Has the methods of a disk, but none of its own."""

    block_size = BLOCK
    blocks = 8


class Readable:
    """Has no way to write."""

    block_size = BLOCK
    blocks = 8

    async def read(self, lba: int, blocks: int) -> bytes:
        return bytes(blocks * BLOCK)


class Blocking(Readable):
    """Returns what it has read, and not something to be awaited."""

    def read(self, lba: int, blocks: int) -> bytes:  # type: ignore[override]
        return bytes(blocks * BLOCK)

    def write(self, lba: int, data: object) -> None:
        """Keep nothing."""


@pytest.mark.parametrize(
    ("disk", "why"),
    [
        (Readable(), "^Readable has no method write, and is not read_only$"),
        (Slow(Readable()), "^Readable has no method write, "),
        (Inheriting(), "^Inheriting has no method read$"),
        (Blocking(), r"^Blocking.read is not async: .* trioscsi.in_thread"),
        (ReadOnly(Blocking()), "^Blocking.read is not async"),
    ],
)
def test_a_disk_that_cannot_work_is_refused(disk: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check(disk, read_only=getattr(disk, "read_only", False))


def test_a_disk_that_is_only_read_need_not_write() -> None:
    check(Readable(), read_only=True)  # type: ignore[arg-type]


async def _read(lba: int, blocks: int) -> bytes:
    return bytes(blocks * BLOCK)


class _Future:
    """Can be awaited, and is no coroutine."""

    def __await__(self) -> Generator[Any, Any, bytes]:
        return (yield from _read(0, 1).__await__())


class _Callable:
    async def __call__(self, lba: int, blocks: int) -> bytes:
        return bytes(blocks * BLOCK)


@wraps(_read)
def _decorated(*args: int) -> Coroutine[Any, Any, bytes]:
    return _read(*args)


@coroutine
def _generator(lba: int, blocks: int) -> Generator[Any, Any, bytes]:
    return (yield from _read(lba, blocks).__await__())


def _later(lba: int, blocks: int) -> Awaitable[bytes]:
    trio.lowlevel.current_task()  # there is none while nothing runs
    return _read(lba, blocks)


@pytest.mark.parametrize(
    "read",
    [
        _read,
        _decorated,
        _generator,
        _later,
        _Callable(),
        partial(_read),
        partial(lambda read, *args: read(*args), _read),
        lambda lba, blocks: _Future(),
    ],
)
def test_no_disk_is_refused_that_can_be_read(read: Callable[..., Any]) -> None:
    disk: Any = Held()
    disk.read = read
    check(disk, read_only=False)
    assert bytes(trio.run(Supervised(disk).read, 0, 1)) == bytes(BLOCK)


def test_a_disk_may_find_its_methods_when_they_are_asked_for() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            return getattr(held, name)

    held = Held()
    for disk in (Proxy(), in_thread(Blocking()), Slow(MemoryDisk("1MiB"))):
        check(disk, read_only=False)  # type: ignore[arg-type]
