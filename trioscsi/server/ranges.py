"""Which blocks of a disk are in use by commands that take a while."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import islice

import attrs
import trio

from trioscsi.backends.base import Then
from trioscsi.errors import BackendError


@attrs.define(eq=False)
class Claim:
    """Blocks that are held for as long as an ``async with`` lasts: see `Ranges.hold`."""

    ranges: Ranges
    start: int
    end: int
    exclusive: bool
    owner: object = None
    before: int = attrs.field(default=0, init=False)
    """How many others it waits for: those that were there first and have some of the blocks."""
    turn: trio.Event | None = attrs.field(default=None, init=False)
    """Set when there are none any more."""
    watches: tuple[_Watch, ...] = attrs.field(default=(), init=False)
    """Who has begun to watch blocks while this one was writing them."""

    def conflicts(self, other: Claim) -> bool:
        """Whether the two cannot have their blocks at the same time."""
        return (
            (self.exclusive or other.exclusive)
            and self.start < other.end
            and other.start < self.end
        )

    def until(self, then: Then) -> Then:
        """Let go of the blocks when something has ended, then call ``then``."""

        def ended(error: BackendError | None) -> None:
            self.ranges.leave(self)
            then(error)

        return ended

    async def __aenter__(self) -> None:
        """This is a checkpoint only if somebody has to be waited for."""
        self.ranges.enter(self)
        if self.turn is not None:
            try:
                await self.turn.wait()
            except BaseException:
                self.ranges.leave(self)
                raise

    async def __aexit__(self, *_exception: object) -> None:
        self.ranges.leave(self)


@attrs.define(eq=False)
class _Watch:
    start: int
    end: int
    changing: Callable[[], None]


class Ranges:
    """Blocks that are held, by many at once or by one for itself, in the order of their claims.

    Nobody overtakes a claim that conflicts with his own, so that each gets its turn.  A command
    that needs no time needs no claim: it asks ``taken`` and is done before anything else happens.
    """

    def __init__(self) -> None:
        self._claims: list[Claim] = []
        self._watches: dict[_Watch, None] = {}
        self.exclusive = 0
        """How many there are that want blocks for themselves, or to know of changes."""

    def taken(self, lba: int, blocks: int, *, writing: bool = False) -> bool:
        """Whether somebody has, or waits to have, some of these blocks for himself.

        Or, if they are to be written, whether somebody wants to know.
        """
        wanted = Claim(self, lba, lba + blocks, exclusive=False)
        if writing and any(self._watching(lba, blocks)):
            return True
        return any(claim.conflicts(wanted) for claim in self._claims)

    def watch(self, lba: int, blocks: int, changing: Callable[[], None]) -> Callable[[], None]:
        """Call ``changing`` before any of these blocks changes; what is returned ends that.

        Of those whom somebody is writing already it is called when he lets go of them.
        """
        watch = _Watch(lba, lba + blocks, changing)
        self._watches[watch] = None
        self.exclusive += 1
        for claim in self._claims:
            writes = claim.exclusive or claim.owner is not None
            if writes and not claim.before and claim.start < watch.end and lba < claim.end:
                claim.watches += (watch,)

        def end() -> None:
            if watch in self._watches:
                del self._watches[watch]
                self.exclusive -= 1

        return end

    def changing(self, lba: int, blocks: int) -> None:
        """These blocks are about to change: tell those who watch some of them."""
        for watch in list(self._watching(lba, blocks)):
            watch.changing()

    def _watching(self, lba: int, blocks: int) -> Iterator[_Watch]:
        return (each for each in self._watches if each.start < lba + blocks and lba < each.end)

    def hold(
        self, lba: int, blocks: int, *, exclusive: bool = False, owner: object = None
    ) -> Claim:
        """Wait for these blocks, and have them until the block ends; ``owner``: see `isolate`."""
        return Claim(self, lba, lba + blocks, exclusive, owner)

    def enter(self, claim: Claim) -> None:
        """Put a claim behind all others: it has its blocks unless it has to wait for its turn."""
        self.exclusive += claim.exclusive
        if self.exclusive:
            claim.before = sum(earlier.conflicts(claim) for earlier in self._claims)
            claim.turn = trio.Event() if claim.before else None
        self._claims.append(claim)

    def leave(self, claim: Claim) -> None:
        """Take a claim back: those who waited for no other may go on."""
        if not self.exclusive:  # all that is claimed is shared, and nobody waits
            self._claims.remove(claim)
            return
        self.exclusive -= claim.exclusive
        place = self._claims.index(claim)
        del self._claims[place]
        for later in islice(self._claims, place, None):
            if later.before and claim.conflicts(later):
                later.before -= 1
                if not later.before and later.turn is not None:
                    later.turn.set()
        for watch in claim.watches:
            if watch in self._watches:
                watch.changing()

    def isolate(self, owners: Collection[object]) -> None:
        """Nobody else is to have the blocks that ``owners`` have, from now on until they let go.

        They are those of commands that were given up: whatever their storage still does to them, it
        does before anything that comes later.
        """
        for place, claim in enumerate(self._claims):
            if claim.owner in owners and not claim.before and not claim.exclusive:
                claim.exclusive = True
                self.exclusive += 1
                for later in islice(self._claims, place + 1, None):
                    if later.before and not later.exclusive:  # which did not wait for it yet
                        later.before += claim.conflicts(later)
