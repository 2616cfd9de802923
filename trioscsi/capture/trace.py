"""What is told of connections, as packets: a `Trace` of all of them, a `Tap` on each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import time_ns
from typing import Protocol, TypeAlias

import attrs

from trioscsi.capture import pcapng
from trioscsi.capture.packets import Address
from trioscsi.capture.secrets import LoginVeil
from trioscsi.capture.stream import Stream
from trioscsi.machines import MACHINES, Transition

Buffer: TypeAlias = bytes | bytearray | memoryview

_MOST_COMMENTS = 64
"""Comments on one packet."""

_HEARD = "hear"
"""The label that the machine of full feature phase has for every PDU that is as it should be."""

_ABOUT = (
    "Bytes as the sockets carried them; handshakes, acknowledgements and ends of connections are"
    " made up. Of authentication, the digits of binary values are replaced by 0."
)


class Sink(Protocol):
    """Where the blocks of a trace go."""

    def put(self, pieces: Iterable[bytes | memoryview], /) -> bool:
        """Take bytes that belong together; False if they are not taken."""

    def close(self) -> None:
        """No more will come."""


@attrs.define
class _Portal:
    """An interface of the capture, and what went through it."""

    number: int
    packets: int = 0
    dropped: int = 0


class Trace:
    """Connections as a pcapng capture.

    Each portal is an interface.  ``clock`` tells the time in nanoseconds since 1970.
    """

    def __init__(self, sink: Sink, clock: Callable[[], int] = time_ns) -> None:
        self.sink = sink
        self.clock = clock
        self._portals: dict[Address, _Portal] = {}
        sink.put([pcapng.section_header(_ABOUT, "trioscsi")])

    def connect(self, peer: Address, own: Address, portal: Address) -> Tap:
        """A connection has come in through a portal."""
        known = self._portals.get(portal)
        if known is None:
            known = self._portals[portal] = _Portal(len(self._portals))
            host, port = portal
            name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self.sink.put([pcapng.interface(name, "portal of an iSCSI target")])
        return Tap(self, known, peer, own)

    def close(self) -> None:
        """Say how many packets there were, and end the capture."""
        for portal in self._portals.values():
            block = pcapng.statistics(portal.number, self.clock(), portal.packets, portal.dropped)
            self.sink.put([block])
        self.sink.close()


class Tap:
    """One connection on its way into a trace.

    What its bytes lead to comes after them: so bytes that were received are held until the next
    ones come, or until `settle`, and what was noted in between is said of them.
    """

    def __init__(self, trace: Trace, portal: _Portal, peer: Address, own: Address) -> None:
        self._trace, self._portal = trace, portal
        self._stream = Stream(peer, own)
        self._veil: LoginVeil | None = LoginVeil()
        self._held: tuple[int, bytes] | None = None
        self._comments: list[str] = []
        self._more_comments = 0
        self._missing = [0, 0]
        """Packets and bytes that could not be written since the last one that could."""
        self._ended = {True: False, False: False}
        for inbound, headers in self._stream.handshake():
            self._put(trace.clock(), headers, inbound=inbound)

    def received(self, *buffers: Buffer) -> None:
        """Bytes have come from the peer."""
        self.settle()
        self._held = self._trace.clock(), self._open(b"".join(buffers), inbound=True)

    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        """The first ``count`` bytes of these have gone to the peer."""
        self.settle()
        data = b"".join(buffers)
        if len(data) > count:
            data = data[:count]
        self._write(self._trace.clock(), self._open(data, inbound=False), inbound=False)

    def moved(self, transition: Transition) -> None:
        """A machine of this connection, or of its session, has taken a transition."""
        if transition.label == _HEARD:
            return
        machine = MACHINES[transition.machine]
        self.note(
            f"{transition.machine} {transition.label}: {transition.source} -> {transition.target}"
            f" upon {transition.cause} (RFC 7143 section {machine.section})."
            f" {machine.inputs[transition.cause]}"
        )

    def note(self, text: str) -> None:
        """Say something of the packet that has just come, or else of the next one."""
        if len(self._comments) < _MOST_COMMENTS:
            self._comments.append(text)
        else:
            self._more_comments += 1

    def settle(self) -> None:
        """What the bytes that were received have led to is over."""
        if self._held is not None:
            (time, data), self._held = self._held, None
            self._write(time, data, inbound=True)

    def ended(self, *, broken: bool = False) -> None:
        """The peer has closed the connection, or has broken it off."""
        self.settle()
        if not self._ended[True]:
            self._ended[True] = True
            stream = self._stream
            headers = stream.reset(inbound=True) if broken else stream.finish(inbound=True)
            self._ended[False] |= broken
            self._put(self._trace.clock(), headers, inbound=True, comments=self._take_comments())

    def close(self) -> None:
        """The connection is closed on both sides; nothing more is heard of it."""
        self.settle()
        now, stream = self._trace.clock(), self._stream
        if self._ended[False]:
            return
        self._ended[False] = True
        headers = stream.finish(inbound=False)
        self._put(now, headers, inbound=False, comments=self._take_comments())
        if self._ended[True]:
            self._put(now, stream.acknowledge(inbound=True), inbound=True)
        else:
            self._ended[True] = True
            self._put(now, stream.finish(inbound=True), inbound=True)
            self._put(now, stream.acknowledge(inbound=False), inbound=False)

    def _open(self, data: bytes, *, inbound: bool) -> bytes:
        """The bytes without secrets."""
        veil = self._veil
        if veil is None:
            return data
        before = veil.veiled
        data = veil.veil(data, inbound=inbound)
        if veil.veiled != before:
            self.note("trace: the digits of authentication values are replaced by 0")
        if veil.done:
            self._veil = None
        return data

    def _write(self, time: int, data: bytes, *, inbound: bool) -> None:
        """Data of one side; what was noted is said of its last segment."""
        segments = list(self._stream.segments(data, inbound=inbound))
        for place, (headers, payload) in enumerate(segments, start=1):
            comments = self._take_comments() if place == len(segments) else []
            self._put(time, headers, payload, inbound=inbound, comments=comments)

    def _put(
        self,
        time: int,
        headers: bytes,
        payload: bytes | memoryview = b"",
        *,
        inbound: bool,
        comments: Sequence[str] = (),
    ) -> None:
        portal, missing = self._portal, self._missing
        portal.packets += 1
        if missing[0]:
            lost = f"trace: {missing[0]} packets with {missing[1]} bytes are missing before this"
            comments = [f"{lost}: the disk was too slow", *comments]
        block = pcapng.packet(
            portal.number, time, headers, payload, inbound=inbound, comments=comments
        )
        if self._trace.sink.put(block):
            self._missing = [0, 0]
        else:
            portal.dropped += 1
            self._missing = [missing[0] + 1, missing[1] + len(payload)]

    def _take_comments(self) -> list[str]:
        comments, self._comments = self._comments, []
        if self._more_comments:
            comments.append(f"and {self._more_comments} more")
            self._more_comments = 0
        return comments
