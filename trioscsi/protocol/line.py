"""What both sides of a connection use to hear and to speak: PDUs, parameters, timers.

`trioscsi.protocol.channel` adds what targets say, `trioscsi.initiator` what initiators do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from trioscsi.errors import PeerError
from trioscsi.limits import LOGIN_SEGMENT, Limits
from trioscsi.pdu import Buffer, Framer, Pdu, Received
from trioscsi.pdu.framing import append
from trioscsi.protocol.deadlines import Deadlines
from trioscsi.text import Parameters

_SMALL = 16_384
"""Bytes up to which fresh memory costs less than to look for a buffer that was used before."""

Remark: TypeAlias = PeerError | str
"""Something for the log: what was refused and why, or what became of the connection."""


def nobody() -> None:
    """What happens when nobody wants to be woken."""


class Line:
    """One connection's way to its peer, and what was agreed about it.

    ``wake`` is called when there is something new to send or to do, perhaps from outside a call of
    the driver: another connection took this one's place, or a command was answered.
    """

    def __init__(self, limits: Limits, *, now: float, wake: Callable[[], None]) -> None:
        self.limits = limits
        self.now = now
        self.wake = wake
        self.framer = Framer(LOGIN_SEGMENT, max_ahs_length=limits.ahs)
        self.deadlines = Deadlines()
        self.remarks: list[Remark] = []
        self.parameters = Parameters()
        """What the login has settled; some values are this connection's, others its session's."""
        self.closed = False
        """Whether the transport is to be closed once the output is sent."""
        self._output: list[bytes | bytearray | memoryview] = []

    _hear: Callable[[Received], None]
    """What is done with each PDU that has come; it may be another one after each."""

    def broken(self, error: PeerError) -> None:
        """The stream cannot be understood any more; each side has more to do then."""
        self.remarks.append(error)
        self.closed = True

    def receive(self, data: Buffer) -> None:
        """Bytes have arrived.  They must stay as they are until ``pump`` has taken all."""
        self.framer.receive(data)

    def keep(self, data: Buffer) -> Buffer:
        """A copy of bytes that would not last: received ones, or those of a store."""
        if len(data) <= _SMALL:
            return bytes(data)
        copy = self.framer.lend(len(data))
        copy[:] = data
        return copy

    def pump(self, now: float, pdus: int) -> bool:
        """Handle at most so many of the PDUs that have arrived; returns whether bytes are left.

        They are left after ``pdus`` PDUs, or because the framer pauses.
        """
        self.now = now
        for _ in range(pdus):
            if self.closed:
                return False
            try:
                received = self.framer.next_pdu()
            except PeerError as error:
                self.broken(error)
                return False
            if received is None:
                break
            hear = self._hear  # a login that ends changes it
            hear(received)
        return self.framer.left > 0

    def take_output(self) -> list[bytes | bytearray | memoryview]:
        """What is to be sent, in order; it counts as sent from here on."""
        output, self._output = self._output, []
        return output

    @property
    def output_size(self) -> int:
        """How many bytes are to be sent."""
        return sum(map(len, self._output))

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` is to be called at the latest, or None."""
        return self.deadlines.next()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self.now = now
        self.deadlines.run(now)

    def send(self, pdu: Pdu) -> None:
        """Append a PDU to the output, if there is still somebody to send it to."""
        if self.closed:
            return
        framer, output = self.framer, self._output
        if not output:
            self.wake()
        append(output, pdu, framer.header_digest, framer.data_digest)
