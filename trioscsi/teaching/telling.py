"""A trace that tells what passes as it passes, in lines: for lessons, and for whoever looks on.

::

    target = Target(NAME, MemoryDisk("1MiB"), trace=Teller(print))

What an initiator says is told with ``-->``, what the target says with ``<--``; below it, which
transitions it has led to, with label, sentence and section.  Values of authentication are zeroes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from time import time_ns
from typing import TypeAlias

from trioscsi.capture.packets import Address
from trioscsi.capture.secrets import LoginVeil
from trioscsi.machines import MACHINES, Transition
from trioscsi.teaching.explanation import printable, table
from trioscsi.teaching.onlooker import Connection, Said
from trioscsi.teaching.splitting import Splitter
from trioscsi.teaching.story import Event, Settled, Spoke, Talk

Buffer: TypeAlias = bytes | bytearray | memoryview
Tell: TypeAlias = Callable[[str], None]

_INDENT = "       "
_SILENT = frozenset({("full_feature", "hear")})
"""The machine and the label of transitions that every PDU leads to: nothing is learnt from them."""


class Teller:
    """Tells of all connections; see `trioscsi.server.tracing.Trace`.

    ``tell`` is called with each line.  Of transitions, those of ``machines`` are told.  Without
    ``logins``, each connection is told of from full feature phase on; with ``keys``, what a login
    has settled is a table.
    """

    def __init__(
        self,
        tell: Tell,
        *,
        machines: Collection[str] = tuple(MACHINES),
        logins: bool = True,
        keys: bool = False,
    ) -> None:
        self.tell = tell
        self.machines = machines
        self.logins = logins
        self.keys = keys
        self._count = 0

    def say(self, line: str) -> None:
        """Tell a line."""
        self.tell(printable(line))

    def connect(self, peer: Address, own: Address, portal: Address) -> Told:
        """A connection has come in."""
        self._count += 1
        return Told(self, Connection(self._count, peer, own))


class Told:
    """One connection that is told of; see `trioscsi.server.tracing.Tap`."""

    def __init__(self, teller: Teller, connection: Connection) -> None:
        self._teller, self._connection = teller, connection
        self._talk = Talk()
        self._splitters = {True: Splitter(connection.digests), False: Splitter(connection.digests)}
        """The two directions; the key is whether it comes from the initiator."""
        self._veil = LoginVeil()
        self._quiet = not teller.logins
        self._ended = False
        self._several = f"({connection.number}) " if connection.number > 1 else ""

    def received(self, *buffers: Buffer) -> None:
        """Bytes have come from the initiator."""
        for buffer in buffers:
            self._hear(bytes(buffer), from_initiator=True)

    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        """The first ``count`` bytes of these have gone to the initiator."""
        self._hear(b"".join(buffers)[:count], from_initiator=False)

    def moved(self, transition: Transition) -> None:
        """A machine of the connection, or of its session, has taken a transition."""
        wanted = transition.machine in self._teller.machines and not self._quiet
        if wanted and (transition.machine, transition.label) not in _SILENT:
            what, why = transition_lines(transition)
            self._teller.say(f"{_INDENT}{self._several}{what}")
            self._teller.say(f"{_INDENT}    {why}")

    def note(self, text: str) -> None:
        """What was refused and why, or what became of the connection."""
        self._teller.say(f"{_INDENT}{self._several}({text})")

    def settle(self) -> None:
        """All is told already."""

    def ended(self, *, broken: bool = False) -> None:
        """The initiator has closed the connection, or has broken it off."""
        if self._ended:
            return
        self._ended = True
        how = "broken the connection off" if broken else "closed the connection"
        self._teller.say(f"  -->  {self._several}the initiator has {how}")

    def close(self) -> None:
        """The connection is closed on both sides."""

    def _hear(self, data: bytes, *, from_initiator: bool) -> None:
        for cut in self._splitters[from_initiator].receive(self._open(data, from_initiator)):
            self._take(Said(time_ns(), from_initiator, cut))

    def _open(self, data: bytes, from_initiator: bool) -> bytes:
        """The bytes without what would give secrets of a login away."""
        return data if self._veil.done else self._veil.veil(data, inbound=from_initiator)

    def _take(self, said: Said) -> None:
        """A PDU of either side is told."""
        for event in self._talk.hear(self._connection, said):
            self._understood(event)

    def _understood(self, event: Event) -> None:
        teller = self._teller
        if isinstance(event, Settled) and self._quiet:
            self._quiet = False
            teller.say(f"  <->  {self._several}a login")
        elif isinstance(event, Settled) and teller.keys:
            self._tell(("", *table(event.rows, indent=_INDENT), ""))
        elif isinstance(event, Spoke) and not self._quiet:
            self._tell(spoken_lines(event, self._several))

    def _tell(self, lines: Iterator[str] | Sequence[str]) -> None:
        for line in lines:
            self._teller.say(line)


def spoken_lines(event: Spoke, before: str = "") -> Iterator[str]:
    """A PDU in a line, and what is wrong with it below."""
    arrow = "-->" if event.from_initiator else "<--"
    yield f"  {arrow}  {before}{event.line}"
    for wrong in event.wrong:
        yield f"{_INDENT}wrong: {wrong}"


def transition_lines(transition: Transition) -> tuple[str, str]:
    """A transition: its label and where it leads, and what has caused it."""
    machine = MACHINES[transition.machine]
    what = f"{machine.name} {transition.label}: {transition.source} -> {transition.target}"
    return f"{what} (RFC 7143 section {machine.section})", machine.inputs[transition.cause]
