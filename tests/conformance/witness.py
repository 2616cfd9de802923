"""The judge in the gallery: every test that talks to a target has its answers judged.

What initiators do in tests is often wrong on purpose, so that only findings about the target count
unless a test says otherwise.
"""

from __future__ import annotations

import attrs

from trioscsi.conformance import Finding, Judge, Level
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.record import Connection
from trioscsi.pdu import Buffer
from trioscsi.protocol import TargetConnection
from trioscsi.text import Side


@attrs.frozen
class Wire:
    """One connection, as the judge has it."""

    judge: Judge
    number: int

    def sent(self, data: Buffer) -> None:
        """The initiator has sent these bytes."""
        self.judge.receive(self.number, Side.INITIATOR, data)

    def received(self, data: Buffer) -> None:
        """The initiator has received these bytes."""
        self.judge.receive(self.number, Side.TARGET, data)

    @property
    def known(self) -> Connection:
        return self.judge.record.connections[self.number]


class Witness:
    """Raises AssertionError as soon as a target breaks a rule; or an initiator, if it is judged."""

    def __init__(self, *, initiators: bool = False) -> None:
        self.judge = Judge(tell=self._tell)
        self._judged = frozenset(Side) if initiators else frozenset({Side.TARGET})

    def _tell(self, finding: Finding) -> None:
        about = MONITORS[finding.monitor].sender
        assert about not in self._judged or finding.rule.level is Level.NOTE, finding

    def open(self) -> Wire:
        """A connection was made."""
        return Wire(self.judge, self.judge.open())

    def watch(self, connection: TargetConnection) -> Wire:
        """Look at what goes into a connection without a socket, and at what comes out of it."""
        wire, receive, take_output = self.open(), connection.receive, connection.take_output

        def watched_receive(data: Buffer) -> None:
            wire.sent(data)
            receive(data)

        def watched_output() -> list[bytes | bytearray | memoryview]:
            output = take_output()
            wire.received(b"".join(map(bytes, output)))
            return output

        vars(connection).update(receive=watched_receive, take_output=watched_output)
        return wire
