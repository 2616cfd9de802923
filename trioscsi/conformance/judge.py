"""The judge: bytes of both directions in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from trioscsi.conformance import notes
from trioscsi.conformance.monitors import MONITORS, Monitor, Scene
from trioscsi.conformance.record import Connection, Phase, Record
from trioscsi.conformance.stream import Seen, Tap, Thing
from trioscsi.conformance.verdicts import Finding, Level, Result
from trioscsi.pdu import BadDigest, Buffer, LoginResponse, UnknownPdu
from trioscsi.text import Side

_EITHER = tuple(Side)


def ignore(_: Finding) -> None:
    """What is told of findings that nobody waits for."""


class Judge:
    """Watches the connections of an initiator and a target, and judges both.

    Bytes are handed over in the order of the wire as well as it is known; times are only noted.
    ``tell`` is called with each finding as it is made.
    """

    def __init__(
        self,
        monitors: Iterable[Monitor] = tuple(MONITORS.values()),
        *,
        tell: Callable[[Finding], None] = ignore,
    ) -> None:
        self.record = Record()
        self.results: Mapping[str, Result] = {
            monitor.id: Result(monitor.id) for monitor in monitors
        }
        self._tell = tell
        self._monitors = {
            side: [monitor for monitor in monitors if monitor.sender in (side, None)]
            for side in _EITHER
        }
        self._hearing: dict[tuple[Side, type], list[Monitor]] = {}
        """Who looks at a class of what a side sends, for each that has come so far."""
        self._taps: dict[tuple[int, Side], Tap] = {}
        self.seen = 0
        """How many PDUs, and ends of connections, there were."""
        self._opened = 0

    def open(self, number: int | None = None) -> int:
        """A transport connection was made; its number, which is the next one or a given one."""
        if number is None:
            number = self._opened
        self._opened = number + 1
        self.record.connections[number] = Connection(number)
        for side in _EITHER:
            self._taps[number, side] = Tap()
        return number

    def receive(self, connection: int, sender: Side, data: Buffer, now: float = 0.0) -> None:
        """A side has sent these bytes."""
        if (connection, sender) in self._taps:
            for found in self._taps[connection, sender].receive(data):
                self._see(connection, sender, *found, now)

    def take(
        self, connection: int, sender: Side, thing: Thing, header: bytes, now: float = 0.0
    ) -> None:
        """A side has sent this PDU: for those who have taken the stream apart themselves."""
        if (connection, sender) in self._taps:
            self._see(connection, sender, thing, header, b"", now)

    def glance(
        self, connection: int, sender: Side, thing: Thing, header: bytes, now: float = 0.0
    ) -> None:
        """A side has sent this PDU after some that are not known: it is judged by itself.

        ``connection`` is a number that `open` has given, be it abandoned or not.
        """
        seen = Seen(self.seen, now, connection, sender, thing, header)
        self.seen += 1
        scene = Scene(self.record, Connection(connection), seen)
        self._ask(scene, alone=True)

    def abandon(self, connection: int) -> None:
        """Nothing more can be known of a connection; that it ends is no finding."""
        for side in _EITHER:
            self._taps.pop((connection, side), None)
        self.record.connections.pop(connection, None)

    def close(self, connection: int, sender: Side, now: float = 0.0) -> None:
        """A side has closed the connection, which is over then; further calls change nothing."""
        if (connection, sender) in self._taps:
            for found in self._taps[connection, sender].close():
                self._see(connection, sender, *found, now)
            for side in _EITHER:
                del self._taps[connection, side]
            del self.record.connections[connection]

    def end(self) -> Mapping[str, Result]:
        """The record ends here: what became of each monitor."""
        for monitor in {id(m): m for side in _EITHER for m in self._monitors[side]}.values():
            if monitor.unfinished is not None:
                self.results[monitor.id].unfinished = monitor.unfinished(self.record)
        return self.results

    def _see(
        self, number: int, sender: Side, thing: Thing, header: bytes, padding: bytes, now: float
    ) -> None:
        connection = self.record.connections[number]
        seen = Seen(self.seen, now, number, sender, thing, header, padding)
        self.seen += 1
        notes.read(connection, seen)
        scene = Scene(self.record, connection, seen)
        self._ask(scene)
        before = connection.phase
        notes.note(self.record, connection, seen)
        if before is not connection.phase is Phase.FULL_FEATURE and isinstance(
            thing, LoginResponse
        ):
            self._use_digests(connection)

    def _ask(self, scene: Scene, *, alone: bool = False) -> None:
        """Ask the monitors; if ``alone``, only those that need not know what was before."""
        seen, session = scene.seen, scene.session
        thing = seen.thing.pdu if isinstance(seen.thing, BadDigest) else seen.thing
        own, pdu = seen.has_own_opcode, seen.pdu
        uncertain = scene.connection.hasty or (session is not None and session.doubtful)
        if own and pdu is not None and seen.sender is Side.TARGET:
            uncertain = uncertain or notes.is_repeated(scene.connection, pdu)
        for monitor in self._who_hears(seen.sender, type(thing)):
            if alone and not monitor.alone:
                continue
            if not own and UnknownPdu not in monitor.hears:
                continue  # it has not the fields of a PDU of its sender
            if monitor.relies and uncertain:
                continue
            for remark in monitor.check(scene, thing):
                finding = self.results[monitor.id].note(remark, seen)
                if finding is None:
                    continue
                self._tell(finding)
                if monitor.founds and session is not None and remark.rule.level is Level.MUST:
                    session.doubtful = True

    def _who_hears(self, sender: Side, cls: type) -> list[Monitor]:
        if (sender, cls) not in self._hearing:
            self._hearing[sender, cls] = [
                monitor for monitor in self._monitors[sender] if issubclass(cls, monitor.hears)
            ]
        return self._hearing[sender, cls]

    def _use_digests(self, connection: Connection) -> None:
        """Digests count from the first PDU after the login (section 13.1)."""
        for side in _EITHER:
            framer = self._taps[connection.number, side].framer
            framer.header_digest = connection.parameters.header_digest
            framer.data_digest = connection.parameters.data_digest
