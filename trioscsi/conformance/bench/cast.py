"""Who takes part in a scenario: the connections that come, and the end of what the initiator does.

`Cast` is what `Play` is built on: it judges nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf

import trio

from trioscsi.conformance.bench.link import Link, Silence
from trioscsi.conformance.drivers.driver import Ending, How


class DriverEnded(Exception):
    """The initiator was done while a scenario waited for one more connection."""


class Cast:
    """See above.  ``spawn`` lets a connection go on by itself.

    What is waited for is waited for ``patience`` times as long as is said.
    """

    def __init__(self, spawn: Callable[[Link], None], patience: float) -> None:
        self._spawn, self._patience = spawn, patience
        self.links: list[Link] = []
        """All connections so far, in their order."""
        self.on_link: Callable[[Link], None] | None = None
        """Told of each connection before anything has gone over it."""
        self.listen: Callable[[str, int], Awaitable[int]] | None = None
        """Opens one more door of the stage, and gives its port."""
        self.begin_again: Callable[[], Awaitable[None]] | None = None
        """Ends what the initiator does, and has it begin anew; raises DriverError."""
        self._come: list[Link] = []
        self._left: list[Link] = []
        self._stirred = trio.Event()
        self._ending: Ending | None = None
        self.is_hung = False
        """Whether the initiator was waited for long enough, in vain."""
        self.over = False
        """Whether the scenario has ended: what comes now goes through."""

    # Connections.

    async def connection(self, within: float | None = None) -> Link:
        """The next connection of the initiator, before anything has gone over it.

        Those that there are go on meanwhile.  Raises DriverEnded if there will be none, and
        Silence after ``within`` seconds.
        """
        until = inf if within is None else trio.current_time() + within * self._patience
        await self._wait(lambda: bool(self._come) or self._ending is not None, until)
        if self._come:
            return self._come.pop(0)
        if self._ending is None:
            raise Silence(f"no connection within {within or 0:g} seconds")
        raise DriverEnded(f"the initiator was done: {self._ending}")

    async def session(self, within: float | None = None) -> Link:
        """The next connection that has logged in to the target; discoveries go through.

        Raises Left if the initiator gives the login up.
        """
        while True:
            link = await self.connection(within)
            await link.login()
            session = link.known.session
            if session is None or not session.discovery:
                return link
            self.leave(link)

    async def pause(self, seconds: float) -> None:
        """Do nothing for some time; whatever comes has to wait."""
        await trio.sleep(seconds)

    async def has_no_other(self, within: float) -> bool:
        """Whether no further connection comes for some time; one that comes is kept."""
        until = trio.current_time() + within
        await self._wait(lambda: bool(self._come) or self._ending is not None, until)
        return not self._come

    async def another_portal(self, address: str = "127.0.0.1", port: int = 0) -> int:
        """One more TCP port under which the stage is reached; raises OSError if that is taken."""
        assert self.listen is not None, "the stage is open"
        return await self.listen(address, port)

    def leave(self, link: Link) -> None:
        """Let everything through on a connection from here on."""
        if link not in self._left:
            self._left.append(link)
            self._spawn(link)

    async def ending(self, within: float | None = None) -> Ending:
        """Wait until the initiator is done; all connections go on meanwhile.

        Raises Silence if that takes longer than ``within`` seconds.
        """
        self.let_go()
        with trio.move_on_after(inf if within is None else within * self._patience):
            while self._ending is None:
                await self._stirred.wait()
        if self._ending is None:
            raise Silence(f"the initiator was not done within {within or 0:g} seconds")
        return self._ending

    async def ended(self, seconds: float = 10.0) -> Ending:
        """As `ending`; one that is not done in time is HUNG, and its connections are broken off."""
        try:
            return await self.ending(seconds)
        except Silence:
            for link in self.links:
                if link.is_open:
                    await link.reset()
            self.is_hung = True
            return Ending(How.HUNG)

    async def once_more(self) -> None:
        """Have the initiator do the same again, from its beginning; what it still does is ended.

        Raises DriverError if it cannot be started.
        """
        assert self.begin_again is not None, "the stage is open"
        await self.begin_again()
        self._ending, self.is_hung = None, False

    def let_go(self) -> None:
        """All connections go on by themselves, those that come later as well."""
        self.over = True
        for link in self._come:
            self.leave(link)
        self._come.clear()
        for link in self.links:
            self.leave(link)

    # What the run tells.

    def came(self, link: Link) -> None:
        """A connection has come in."""
        link.patience = self._patience
        self.links.append(link)
        if self.on_link is not None:
            self.on_link(link)
        if self.over:
            self.leave(link)
        else:
            self._come.append(link)
            self._wake()

    def driver_ended(self, ending: Ending) -> None:
        """The initiator is done."""
        self._ending = ending
        self._wake()

    @property
    def driver_is_done(self) -> bool:
        return self._ending is not None

    def _wake(self) -> None:
        self._stirred.set()
        self._stirred = trio.Event()

    async def _wait(self, happened: Callable[[], bool], until: float) -> None:
        """Wait for something to happen, while all connections go on."""
        held = [link for link in self.links if link not in self._come and link not in self._left]
        async with trio.open_nursery() as nursery:
            for link in held:
                nursery.start_soon(link.rest)
            with trio.move_on_at(until):
                while not happened():
                    await self._stirred.wait()
            for link in held:
                link.interrupt()
