"""What a scenario has at hand: the connections that come, and ways to judge what comes by them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.drivers.driver import Ending, How
from trioscsi.conformance.verdicts import Level, Remark, Rule
from trioscsi.pdu import Pdu, ScsiCommand, TaskManagementRequest

if TYPE_CHECKING:
    from trioscsi.conformance.bench.scenario import Scenario

P = TypeVar("P", bound=Pdu)

PATTERN = 0x5C
"""What all bytes of the disk are before anything is written."""


_AT_ONCE = 3
"""Commands among which one that is done again is found."""


class DriverEnded(Exception):
    """The initiator was done while a scenario waited for one more connection."""


class NotExercised(Exception):
    """This initiator cannot be brought to what a scenario is about."""


class Stop(Exception):
    """A check has failed, and nothing that comes after it would mean anything."""


@attrs.frozen
class Evidence:
    """A remark, and up to which PDU of the ladder it was made."""

    remark: Remark
    line: int
    """The number of the last PDU that was seen before, -1 if there was none."""


class Play:
    """One performance of a scenario."""

    def __init__(
        self, scenario: Scenario, spawn: Callable[[Link], None], patience: float = 1.0
    ) -> None:
        self.scenario = scenario
        self._patience = patience
        self.links: list[Link] = []
        """All connections so far, in their order."""
        self.remarks: list[Evidence] = []
        self.notes: list[str] = []
        self.seen: Callable[[], int] = lambda: -1
        self.on_remark: Callable[[Remark], None] | None = None
        """Told of each time that a rule was put to the test."""
        self.on_link: Callable[[Link], None] | None = None
        """Told of each connection before anything has gone over it."""
        self.secret = ""
        """What the initiator proves itself by, where it has to."""
        self.host = ""
        """Where the initiator reaches the stage."""
        self.listen: Callable[[str, int], Awaitable[int]] | None = None
        """Opens one more door of the stage, and gives its port."""
        self._spawn = spawn
        """Lets a connection go on by itself."""
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

    def let_go(self) -> None:
        """All connections go on by themselves, those that come later as well."""
        self.over = True
        for link in self._come:
            self.leave(link)
        self._come.clear()
        for link in self.links:
            self.leave(link)

    # Verdicts.

    def check(self, kept: object, breach: str, rule: Rule | None = None) -> bool:
        """The rule (by default that of the scenario) was put to the test here.

        ``breach`` says what is wrong if it was not kept; returns whether it was.
        """
        remark = (rule or self.scenario.rule).holds(kept, breach)
        self.remarks.append(Evidence(remark, self.seen()))
        if self.on_remark is not None:
            self.on_remark(remark)
        return remark.kept

    def note(self, text: str) -> None:
        """Something worth knowing that no rule is about."""
        self.notes.append(text)

    async def expect(
        self,
        link: Link,
        *classes: type[P],
        breach: str,
        where: Callable[[Any], bool] | None = None,
        within: float = 10.0,
        rule: Rule | None = None,
        despite_logout: bool = False,
    ) -> P:
        """The rule asks for one of these PDUs; it is taken as by `Link.take`.

        If it does not come, the rule is broken and the scenario over (Stop); unless the initiator
        had logged out (Left), if that is no breach as well (``despite_logout``).
        """
        try:
            return await link.take(*classes, where=where, within=within)
        except (Left, Silence) as what:
            if isinstance(what, Left) and link.has_logged_out and not despite_logout:
                raise
            self.check(False, f"{breach} ({what})", rule)
            raise Stop from None

    async def expect_connection(
        self, breach: str, within: float = 10.0, rule: Rule | None = None
    ) -> Link:
        """The rule asks for one more connection.  Without it the scenario is over (Stop)."""
        try:
            link = await self.connection(within)
        except (DriverEnded, Silence) as what:
            self.check(False, f"{breach} ({what})", rule)
            raise Stop from None
        self.check(True, breach, rule)
        return link

    def inform(self, kept: object, breach: str) -> bool:
        """As `check`, where no rule binds the initiator: it is noted, not held against it."""
        return self.check(kept, breach, attrs.evolve(self.scenario.rule, level=Level.NOTE))

    async def expect_success(self, breach: str, within: float = 10.0) -> bool:
        """The rule asks that the initiator does what it was made to do, and with the right data.

        One that says nothing more, and is content, may have waited in vain until it was stopped.
        """
        before = self._last_heard()
        ending = await self.ended(within)
        if ending.how is How.UNKNOWN or (ending.how is How.DONE and self._last_heard() == before):
            self.note("the initiator has said nothing more")
            return True
        return self.check(ending.how is How.DONE, f"{breach} ({ending})")

    async def expect_no_success(
        self, link: Link, command: ScsiCommand, breach: str, within: float = 10.0
    ) -> bool:
        """The rule asks that what became of a command does not pass for its success.

        The initiator may report an error, have the command aborted, or do it again: at once, or on
        another connection.
        """
        connections, after, aborts = len(self.links), 0, False
        retried = False

        def hear(pdu: Any) -> None:
            nonlocal after, aborts, retried
            aborts = aborts or isinstance(pdu, TaskManagementRequest)
            if isinstance(pdu, ScsiCommand):
                after += 1
                retried = retried or (after <= _AT_ONCE and pdu.cdb == command.cdb)

        link.on_request = hear
        ending = await self.ended(within)
        again = aborts or retried or len(self.links) > connections
        if ending.how is How.UNKNOWN and not again:
            return True
        good = ending.how is How.FAILED or (again and ending.survived)
        return self.check(good, f"{breach} ({ending})")

    async def expect_survival(self, breach: str, within: float = 10.0) -> bool:
        """The rule asks that the initiator neither hangs, nor crashes, nor takes wrong data."""
        ending = await self.ended(within)
        return self.check(ending.survived, f"{breach} ({ending})")

    def _last_heard(self) -> list[int]:
        return [id(link.heard[-1]) if link.heard else 0 for link in self.links]

    async def expect_end(self, link: Link, breach: str, within: float = 10.0) -> bool:
        """The rule asks that the initiator ends the connection with no PDU more on it."""
        return self.check(await link.is_ended(within), breach)

    async def expect_drop(self, link: Link, breach: str, within: float = 10.0) -> bool:
        """The rule asks that the initiator closes the connection at once, not by a logout."""
        return self.check(await link.is_dropped(within), breach)

    async def expect_recovery(self, link: Link, breach: str, within: float = 30.0) -> bool:
        """The rule asks that the initiator gives the connection up: it closes it or logs out."""
        return self.check(await link.is_given_up(within), breach)

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
