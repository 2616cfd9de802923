"""One TCP connection, made up around the bytes that a socket carried.

The socket does not tell how its bytes were cut and acknowledged.  So the handshake, the
acknowledgements and the end are as they would be on a network that loses nothing: each side has
received at once whatever the other has sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from trioscsi.capture.packets import ACK, FIN, MAXIMUM_PAYLOAD, PSH, RST, SYN, Address, Buffer, Ends

_MODULUS = 2**32


class Stream:
    """The segments of a connection: pairs of headers and payload, to be written in this order."""

    def __init__(self, peer: Address, own: Address) -> None:
        self._ends = {True: Ends(peer, own), False: Ends(own, peer)}
        self._next = {True: 0, False: 0}
        """The next sequence number of each side; the key is whether it is the peer's."""

    def handshake(self) -> Iterator[tuple[bool, bytes]]:
        """The three segments that a connection begins with, and whether they are the peer's."""
        yield True, self._segment(True, SYN, consumes=1)
        yield False, self._segment(False, SYN | ACK, consumes=1)
        yield True, self._segment(True, ACK)

    def segments(self, data: Buffer, *, inbound: bool) -> Iterator[tuple[bytes, Buffer]]:
        """Data from one side, as many segments as it takes; the last one is pushed."""
        view = memoryview(data)
        for start in range(0, len(view), MAXIMUM_PAYLOAD):
            payload = view[start : start + MAXIMUM_PAYLOAD]
            push = PSH if start + len(payload) == len(view) else 0
            yield self._segment(inbound, ACK | push, payload, len(payload)), payload

    def finish(self, *, inbound: bool) -> bytes:
        """One side says that it will send no more."""
        return self._segment(inbound, FIN | ACK, consumes=1)

    def acknowledge(self, *, inbound: bool) -> bytes:
        """One side has received all, and has nothing to say."""
        return self._segment(inbound, ACK)

    def reset(self, *, inbound: bool) -> bytes:
        """One side breaks the connection off."""
        return self._segment(inbound, RST | ACK)

    def _segment(
        self, inbound: bool, flags: int, payload: Buffer = b"", consumes: int = 0
    ) -> bytes:
        sequence = self._next[inbound]
        acknowledged = self._next[not inbound] if flags & ACK else 0
        headers = self._ends[inbound].headers(sequence, acknowledged, flags, payload)
        self._next[inbound] = (sequence + consumes) % _MODULUS
        return headers
