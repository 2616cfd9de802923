"""What a scenario has at hand: the connections that come (`Cast`), and ways to judge them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from trioscsi.conformance.bench.cast import Cast, DriverEnded
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.scenario import LOGIN_DRIVES
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Remark, Rule
from trioscsi.pdu import LoginRequest, LogoutRequest, Pdu, ScsiCommand, TaskManagementRequest

if TYPE_CHECKING:
    from trioscsi.conformance.bench.scenario import Scenario

P = TypeVar("P", bound=Pdu)

PATTERN = 0x5C
"""What all bytes of the disk are before anything is written."""
_AT_ONCE = 3
"""Commands among which one that is done again is found."""


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


class Play(Cast):
    """One performance of a scenario: who takes part in it, and what is found."""

    def __init__(
        self, scenario: Scenario, spawn: Callable[[Link], None], patience: float = 1.0
    ) -> None:
        super().__init__(spawn, patience)
        self.scenario = scenario
        self.remarks: list[Evidence] = []
        self.notes: list[str] = []
        self.seen: Callable[[], int] = lambda: -1
        self.on_remark: Callable[[Remark], None] | None = None
        """Told of each time that a rule was put to the test."""
        self.secret = ""
        """What the initiator proves itself by, where it has to."""
        self.host = ""
        """Where the initiator reaches the stage."""

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
        Raises NotExercised for one that has said nothing, or no more than its logins although the
        scenario is about more.
        """
        before = self._last_heard()
        ending = await self.ended(within)
        heard = [pdu for link in self.links for pdu in link.heard]
        if not heard:
            raise NotExercised(f"it has sent no PDU ({ending})")
        idle = all(isinstance(pdu, LoginRequest | LogoutRequest) for pdu in heard)
        if idle and ending.how is How.DONE and self.scenario.drive not in LOGIN_DRIVES:
            raise NotExercised("it has done nothing but log in")
        if ending.how is How.UNKNOWN or (ending.how is How.DONE and self._last_heard() == before):
            self.note("the initiator has said nothing more")
            return True
        return self.check(ending.how is How.DONE, f"{breach} ({ending})")

    async def expect_no_success(
        self, link: Link, command: ScsiCommand, breach: str, within: float = 10.0
    ) -> bool:
        """The rule asks that what became of a command does not pass for its success.

        The initiator may report an error, have the command aborted, or do it again: at once, or on
        another connection. Whoever did it again at once knows of the failure, even one that hangs
        later: `iscsi-perf` loses count of what is under way when two answers come together.
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
        told = ending.how is How.FAILED or (retried and ending.how is How.HUNG)
        what = breach if ending.reported_success else "no failure is reported"
        return self.check(told or (again and ending.survived), f"{what} ({ending})")

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
