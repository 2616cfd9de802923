"""What a driver is."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import attrs

from trioscsi.conformance.bench.scenario import Ability, Drive


class How(enum.Enum):
    """How what an initiator was made to do has ended."""

    DONE = "did all that it was asked to"
    FAILED = "reported an error"
    WRONG_DATA = "took wrong data for right"
    HUNG = "was not done in time"
    CRASHED = "crashed"
    """Ended by a signal, or by a fault of its own."""
    UNKNOWN = "ended, which says nothing"


@attrs.frozen
class Ending:
    """How a drive has ended, and what the initiator said."""

    how: How
    says: str = ""
    output: str = ""
    """All that it printed, or the beginning of it: for what has to be listed."""

    @property
    def reported_success(self) -> bool:
        return self.how in (How.DONE, How.WRONG_DATA)

    @property
    def survived(self) -> bool:
        """Whether it neither hung, nor crashed, nor took wrong data for right."""
        return self.how not in (How.HUNG, How.CRASHED, How.WRONG_DATA)

    def __str__(self) -> str:
        return self.how.value + (f": {self.says}" if self.says else "")


@attrs.frozen(kw_only=True)
class Where:
    """What an initiator is told: where the stage is, whom to talk to, and how."""

    host: str
    port: int
    iqn: str
    lun: int = 0
    user: str | None = None
    secret: str | None = None
    target_user: str | None = None
    """Who the target has to prove to be."""
    target_secret: str | None = None
    offer: Mapping[str, Any] = attrs.field(factory=dict)
    """What to offer, as far as the initiator can be told: fields of `Offer`."""

    @property
    def portal(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """As libiscsi and QEMU take it."""
        login = f"{quote(self.user)}%{quote(self.secret or '')}@" if self.user else ""
        query = {"target_user": self.target_user, "target_password": self.target_secret}
        more = f"?{urlencode(query)}" if self.target_user else ""
        return f"iscsi://{login}{self.portal}/{self.iqn}/{self.lun}{more}"


class Driver(Protocol):
    """One kind of initiator."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    @property
    def drives(self) -> frozenset[Drive]:
        """What it can be made to do."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do besides."""

    @property
    def reaches_us_at(self) -> str:
        """The host under which it finds the stage, and what is told to it of addresses."""

    @property
    def at_once(self) -> int:
        """How many drives it takes at the same time."""

    def open(self) -> None:
        """Called before the first drive; raises DriverError if it cannot be driven here."""

    def close(self) -> None:
        """Called after the last drive: what was started for several of them ends."""

    async def prepare(self) -> None:
        """Called before each drive, and not counted to its time: what is slow to start is started.

        Raises DriverError if that cannot be done.
        """

    async def drive(self, drive: Drive, where: Where) -> Ending:
        """Make the initiator do something, and wait until it is done; cancelled if too slow."""
