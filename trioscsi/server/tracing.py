"""How a server is watched: whoever wants to see its connections implements these two.

`trioscsi.capture.Trace` writes what it is told into a file that Wireshark reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

from trioscsi.capture import Spool
from trioscsi.capture import Trace as Capture
from trioscsi.machines import Transition
from trioscsi.server.listener import Address

Buffer: TypeAlias = bytes | bytearray | memoryview


class Tap(Protocol):
    """Told of one connection.  It must neither wait nor fail, and copies what it wants to keep."""

    def received(self, *buffers: Buffer) -> None:
        """Bytes have come from the peer."""

    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        """The first ``count`` bytes of these have gone to the peer."""

    def moved(self, transition: Transition) -> None:
        """A machine of the connection, or of its session, has taken a transition."""

    def note(self, text: str) -> None:
        """What was refused and why, or what became of the connection."""

    def settle(self) -> None:
        """What the bytes that were received have led to is over."""

    def ended(self, *, broken: bool = False) -> None:
        """The peer has closed the connection, or has broken it off."""

    def close(self) -> None:
        """The connection is closed on both sides."""


class Trace(Protocol):
    """Told of all connections."""

    def connect(self, peer: Address, own: Address, portal: Address) -> Tap:
        """A connection has come in through a portal, to an address of ours."""


class Taps:
    """Several taps on one connection, told one after the other."""

    def __init__(self, taps: Iterable[Tap]) -> None:
        self._taps = tuple(taps)

    def received(self, *buffers: Buffer) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.received(*buffers)

    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.sent(buffers, count)

    def moved(self, transition: Transition) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.moved(transition)

    def note(self, text: str) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.note(text)

    def settle(self) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.settle()

    def ended(self, *, broken: bool = False) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.ended(broken=broken)

    def close(self) -> None:
        """See `Tap`."""
        for tap in self._taps:
            tap.close()


def together(taps: Sequence[Tap]) -> Tap | None:
    """One tap that stands for all of these; None if there are none."""
    if len(taps) > 1:
        return Taps(taps)
    return taps[0] if taps else None


class Traces:
    """Several traces, told one after the other."""

    def __init__(self, traces: Iterable[Trace]) -> None:
        self._traces = tuple(traces)

    def connect(self, peer: Address, own: Address, portal: Address) -> Tap:
        """See `Trace`."""
        return Taps(trace.connect(peer, own, portal) for trace in self._traces)


Traced: TypeAlias = Trace | str | Path
"""A trace, or the path of a capture that is to be written."""


@contextmanager
def opened(trace: Traced | Sequence[Traced] | None) -> Iterator[Trace | None]:
    """The trace to tell of connections: for a path, a capture that is written there.

    Raises CaptureError if it cannot be.
    """
    if isinstance(trace, Sequence) and not isinstance(trace, str):
        with ExitStack() as stack:
            traces = [stack.enter_context(opened(each)) for each in trace]
            yield Traces(each for each in traces if each is not None) if traces else None
    elif trace is None or not isinstance(trace, str | Path):
        yield trace
    else:
        capture = Capture(Spool(Path(trace)))
        try:
            yield capture
        finally:
            capture.close()
