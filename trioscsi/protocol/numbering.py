"""CmdSN: the order of commands in a session, and how many may be under way.

RFC 7143 section 4.2.2.1.  StatSN, DataSN and R2TSN are plain counters where they are used.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from trioscsi.serial import MODULUS


class Arrival(enum.Enum):
    """What becomes of a request that is not immediate, by its CmdSN."""

    IN_ORDER = "it is the next one"
    EARLY = "it has to wait for those before it"
    IGNORED = "it is outside the window, or here already"


IN_ORDER, EARLY, IGNORED = Arrival
"""For those who ask with each command: to find a member in its class takes Python 3.11 long."""


@attrs.define(on_setattr=attrs.setters.NO_OP)  # checked once, not with each command
class CommandOrder:
    """The commands of one session in the order of their CmdSN.

    ``size`` commands may be under way at once: each that was delivered takes a place of the window
    until it is answered.  What MaxCmdSN has granted is never taken back, because an initiator
    ignores a MaxCmdSN that is lower than one it has seen.
    """

    expected: int = attrs.field(validator=attrs.validators.in_(range(MODULUS)))
    """ExpCmdSN."""
    size: int = attrs.field(validator=attrs.validators.ge(1))
    maximum: int = attrs.field(init=False)
    """MaxCmdSN; ``expected - 1`` closes the window."""
    early: dict[int, Callable[[], None]] = attrs.field(factory=dict, init=False)
    """What delivers the requests that came before their turn."""

    @maximum.default
    def _whole_window(self) -> int:
        return (self.expected + self.size - 1) % MODULUS

    def admit(self, cmd_sn: int) -> Arrival:
        """Where a request with this CmdSN stands; nothing changes yet."""
        room = (self.maximum - self.expected + 1) % MODULUS
        if cmd_sn == self.expected and room:
            return IN_ORDER
        if (cmd_sn - self.expected) % MODULUS < room and cmd_sn not in self.early:
            return EARLY
        return IGNORED

    def hold(self, cmd_sn: int, deliver: Callable[[], None]) -> None:
        """Keep an early request; ``deliver`` is called when its turn comes."""
        self.early[cmd_sn] = deliver

    def advance(self, deliver: Callable[[], None]) -> None:
        """The expected request has come: deliver it, and all early ones that follow it."""
        self.count()
        deliver()
        self.catch_up()

    def count(self) -> None:
        """The expected request has come: the window moves on."""
        self.expected = (self.expected + 1) % MODULUS
        self.maximum = (self.maximum + 1) % MODULUS

    def count_command(self) -> None:
        """The expected request has come, and is a command that takes a place of the window."""
        self.expected = (self.expected + 1) % MODULUS

    def occupy(self) -> None:
        """A request that was counted is a command, and takes a place of the window after all."""
        self.maximum = (self.maximum - 1) % MODULUS

    def catch_up(self) -> None:
        """Deliver the early requests that follow what was delivered."""
        while (early := self.early.pop(self.expected, None)) is not None:
            self.count()
            early()

    def fill(self, cmd_sn: int) -> None:
        """Count a CmdSN that will never come as received (section 11.6.1, case b)."""
        match self.admit(cmd_sn):
            case Arrival.IN_ORDER:
                self.advance(_nothing)
            case Arrival.EARLY:
                self.hold(cmd_sn, _nothing)
            case Arrival.IGNORED:
                pass


def _nothing() -> None:
    """What is delivered for a command that was aborted before it came."""
