"""The bytes of a connection of a server, and where its PDUs are in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias

from trioscsi import lun
from trioscsi.machines import Transition
from trioscsi.protocol import TargetConnection
from trioscsi.teaching.live.sampling import RESUMING, Share
from trioscsi.teaching.live.talk import HEARD
from trioscsi.teaching.live.tasks import Task
from trioscsi.teaching.splitting import Splitter

if TYPE_CHECKING:
    from trioscsi.teaching.live.feed import Feed
    from trioscsi.teaching.live.talk import Talk

log = logging.getLogger("trioscsi")

Buffer: TypeAlias = bytes | bytearray | memoryview

P = ParamSpec("P")


def harmless(
    method: Callable[Concatenate[LiveTap, P], None],
) -> Callable[Concatenate[LiveTap, P], None]:
    """A fault in what looks must not end what is looked at: it is logged, and no more is seen."""

    @wraps(method)
    def guarded(self: LiveTap, /, *args: P.args, **kwargs: P.kwargs) -> None:
        if self.blind:
            return
        try:
            method(self, *args, **kwargs)
        except Exception:
            self.blind = True
            log.exception("no more is told of connection %d: a fault of ours", self.number)

    return guarded


class LiveTap:
    """Told of a connection by the server: see `trioscsi.server.tracing.Tap`.

    While a login goes on all its PDUs are looked at; later on those for which there is time, as
    long as anybody listens.  After a gap, the server's own framer and outbox know where the next
    PDU begins.
    """

    def __init__(self, feed: Feed, talk: Talk) -> None:
        self._feed, self._talk = feed, talk
        self.number = talk.number
        self.blind = False
        """Whether a fault of ours has ended the looking."""
        self._share = Share(feed.budget)
        self._connection: TargetConnection | None = None
        self._splitters: dict[bool, Splitter | None] = {
            True: Splitter(talk.digests),
            False: Splitter(talk.digests),
        }
        """Of both directions, the initiator's first; None where PDUs were passed over."""
        self._whole = True
        """Whether all that was to be sent is sent, so that a PDU is next."""
        self._looking = True
        """Whether there was time for what was received last."""
        self._passed = 0
        """Bytes that were passed over since that was told last."""
        self._how = "closed by the target"

    def follow(self, connection: TargetConnection) -> None:
        """The connection itself, which knows what has happened while nobody looked."""
        self._connection = connection
        self._talk.commands = self._commands

    def _commands(self) -> int:
        """Commands of the session so far, modulo 2**32: what its CmdSN counts."""
        connection = self._connection
        order = None if connection is None else connection.order
        return 0 if order is None else order.expected

    # What the server tells.

    @harmless
    def received(self, *buffers: Buffer) -> None:
        """Bytes have come from the peer; those before them are all taken."""
        if not self._awake:
            self._splitters[True] = None
            return
        size = sum(map(len, buffers))
        self._talk.counted.bytes_in += size
        self._looking = self._talk.in_login or self._share.admits(self._feed.now)
        if not self._looking:
            self._splitters[True] = None
            self._passed += size
            return
        start = 0
        if self._splitters[True] is None:
            rest = self._rest
            if rest is None or rest >= size:
                self._passed += size
                return
            start = rest
            self._begin(from_initiator=True)
            self.catch_up()
        self._hear(b"".join(buffers)[start:], from_initiator=True)

    @harmless
    def sent(self, buffers: Sequence[Buffer], count: int) -> None:
        """The first ``count`` bytes of these have gone to the peer."""
        aligned, self._whole = self._whole, sum(map(len, buffers)) == count
        if not self._awake:
            self._splitters[False] = None
            return
        self._talk.counted.bytes_out += count
        # Answers are looked at together with what they answer, or when there is time for more.
        if not self._looking and not self._share.has_plenty(self._feed.now):
            self._splitters[False] = None
            self._passed += count
            return
        if self._splitters[False] is None:
            if not aligned:
                self._passed += count
                return
            self._begin(from_initiator=False)
        data = b"".join(buffers)
        self._hear(data if self._whole else data[:count], from_initiator=False)

    def moved(self, transition: Transition) -> None:
        """A machine of the connection, or of its session, has taken a transition."""
        if transition.label != HEARD:  # of these there is one for each PDU
            self._moved(transition)

    @harmless
    def _moved(self, transition: Transition) -> None:
        self._talk.moved(transition)

    @harmless
    def note(self, text: str) -> None:
        """What was refused and why, or what became of the connection."""
        self._talk.note(text)

    def settle(self) -> None:
        """What the bytes that were received have led to is over."""

    @harmless
    def ended(self, *, broken: bool = False) -> None:
        """The peer has closed the connection, or has broken it off."""
        self._how = "broken off" if broken else "closed by the initiator"

    @harmless
    def close(self) -> None:
        """The connection is closed on both sides."""
        self._talk.close(self._how)

    # How it is done.

    @property
    def _awake(self) -> bool:
        """Whether anything of it is wanted."""
        return self._feed.followed or self._talk.in_login

    @property
    def _rest(self) -> int | None:
        """How many bytes come before the next PDU; None if that is not known yet."""
        return None if self._connection is None else self._connection.framer.rest

    def _begin(self, *, from_initiator: bool) -> None:
        """Look at one direction again, from the beginning of a PDU."""
        self._splitters[from_initiator] = Splitter(self._talk.digests)
        self._share.take(RESUMING, 0)
        self.tell_gap()

    def tell_gap(self) -> None:
        """Say how much was passed over, if that is so."""
        passed, self._passed = self._passed, 0
        if passed:
            self._talk.lose_track(passed)

    def _hear(self, data: bytes, *, from_initiator: bool) -> None:
        splitter = self._splitters[from_initiator]
        assert splitter is not None, "only what is followed is heard"
        before = self._talk.pdus
        for cut in splitter.receive(data):
            self._talk.hear(cut, from_initiator=from_initiator)
        self._share.take(self._talk.pdus - before, len(data))

    def catch_up(self) -> None:
        """Compare the tasks that are known with those that the session has."""
        connection, talk = self._connection, self._talk
        session = None if connection is None else connection.session
        if session is None:
            return
        real = {task.itt: task for task in session.tasks if task.connection is connection}
        for task in list(talk.tasks.values()):
            if task.itt not in real:
                talk.lost_sight_of(task)
        for itt, theirs in real.items():
            known = talk.tasks.get(itt)
            if known is None or known.cdb != bytes(theirs.cdb):
                talk.found(
                    Task(
                        itt,
                        bytes(theirs.cdb),
                        lun.decode(session.view.outward(theirs.lun)),
                        theirs.attributes,
                        theirs.expected_in,
                        theirs.expected_out,
                        None,
                        theirs.machine.state,
                    )
                )
