"""What a scenario is, and the words in which one is declared.

::

    @scenario("NP-01", "A ping is answered, once, with its tag and its unit.",
              Rule("7143-11.18-1"), Drive.IDLE)
    async def ping_is_answered(play: Play) -> None:
        link = await play.session()
        await link.say(ping(ttt=7))
        answer = await link.take(NopOut, within=5)
        play.check(answer.ttt == 7, "another Target Transfer Tag")
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from trioscsi.conformance.verdicts import Level, Rule

if TYPE_CHECKING:
    from trioscsi.conformance.bench.play import Play

Act: TypeAlias = Callable[["Play"], Awaitable[None]]

LIMIT = 60.0
"""Seconds that a scenario may take, unless it says otherwise."""


class Stimulus(enum.Enum):
    """Whether what the target does is right."""

    LEGAL = "V"
    """The target keeps the rules: every initiator has to cope."""
    FAULT = "F"
    """Something breaks that can break for a target that keeps the rules."""
    BREACH = "X"
    """The target breaks a rule itself."""


class Drive(enum.StrEnum):
    """What the initiator is made to do."""

    LOGIN = "log in, and out again"
    RELOGIN = "log in and out, and a second time"
    LOGINS = "log in and out twenty times, whatever comes of it"
    TWO_SESSIONS = "log in twice at the same time"
    DISCOVERY = "ask which targets there are"
    DISCOVERY_LOGIN = "ask which targets there are, and log in to one"
    READ = "read, and look at what was read"
    SMALL_WRITE = "write one block, and read it again"
    WRITE = "write much, and read it again"
    MIXED = "read and write for some seconds"
    PARALLEL_READ = "read with eight commands at a time"
    PARALLEL_WRITE = "write with eight commands at a time"
    IDLE = "stay logged in for some seconds, then read"
    PING = "ping the target while there is nothing to do"
    ABORT = "give up a command that is not answered"
    ABORT_IMMEDIATE = "give up an immediate command that is not answered"
    QUERY = "ask whether a task is there"
    RESET = "reset the unit while a command is not answered"
    ABORT_SET = "have all commands aborted while data are written"
    TARGET_RESET = "reset the target"
    RENEGOTIATE = "agree to shorter segments while it reads"
    TEXT = "negotiate during the session, then write and read"
    RECOVER = "use the disk for some seconds, and come back after faults"
    SHORT_READ = "ask for more data than there are"
    SCAN = "look which units there are"
    BIDIRECTIONAL = "write and read with one command"
    LONG_CDB = "send a command of 32 bytes"
    CONNECTIONS = "use several connections in one session"


LOGIN_DRIVES = frozenset({Drive.LOGIN, Drive.RELOGIN, Drive.LOGINS, Drive.TWO_SESSIONS})
"""Those in which logins are what matters."""


class Ability(enum.StrEnum):
    """What an initiator may be able to do besides."""

    CHAP = "prove who it is by CHAP"
    MUTUAL_CHAP = "have the target prove itself by CHAP"
    DIGESTS = "agree to digests"
    LEVEL_1 = "negotiate error recovery level 1"
    LEVEL_2 = "negotiate error recovery level 2"
    CONNECTIONS = "have several connections in a session"
    FAST_ABORT = "negotiate TaskReporting=FastAbort"
    PROTOCOL_LEVEL_2 = "negotiate iSCSIProtocolLevel=2"
    ONE_NODE = "remember one session in another"
    LONG_ITEMS = "authenticate itself by a method with long items"
    OFFERS = "be told what to offer in negotiations"
    RECOVERS = "come back after its connection was lost"
    CHECKS_DATA = "notice that what it reads is wrong"
    TIMES_OUT = "give up commands that are not answered for some seconds"


@attrs.frozen(kw_only=True)
class Scenario:
    """One thing that may happen to an initiator, and how it is judged."""

    id: str
    says: str
    """What is expected of the initiator, in a sentence."""
    rule: Rule
    drive: Drive
    act: Act
    stimulus: Stimulus = Stimulus.LEGAL
    needs: frozenset[Ability] = frozenset()
    target: Mapping[str, Any] = attrs.field(factory=dict)
    """Settings of the target: keywords of `trioscsi.Target`."""
    limits: Mapping[str, Any] = attrs.field(factory=dict)
    """Fields of `trioscsi.limits.Limits` for it."""
    initiator: Mapping[str, Any] = attrs.field(factory=dict)
    """What an initiator that can be told what to offer is told: fields of `Offer`."""
    breaches: frozenset[str] = frozenset()
    """Rules of the target that its stimulus breaks."""
    mutants: tuple[str, ...] = ()
    """Initiators with one fault each that have to fail here (`trioscsi.initiator.mutants`)."""
    also: tuple[Rule, ...] = ()
    """Other rules that these mutants break here."""
    unh: tuple[str, ...] = ()
    """The tests of UNH-IOL that it covers, as ``FFP 1.1``."""
    limit: float = LIMIT
    """Seconds it may take."""

    @property
    def group(self) -> str:
        """The letters before the number."""
        return self.id.partition("-")[0]

    @property
    def level(self) -> Level:
        """What a breach of its rule is."""
        return self.rule.level

    @property
    def section(self) -> str:
        """The section of the RFC."""
        return self.rule.section


class Scenarios(list[Scenario]):
    """The scenarios of one module."""

    def scenario(
        self,
        id: str,  # noqa: A002 - as the catalogue calls it
        says: str,
        rule: Rule,
        drive: Drive,
        *,
        needs: Iterable[Ability] = (),
        breaches: Iterable[str] = (),
        **details: Any,
    ) -> Callable[[Act], Act]:
        """Make a scenario of a function."""

        def add(act: Act) -> Act:
            self.append(
                Scenario(
                    id=id,
                    says=says,
                    rule=rule,
                    drive=drive,
                    act=act,
                    needs=frozenset(needs),
                    breaches=frozenset(breaches),
                    **details,
                )
            )
            return act

        return add
