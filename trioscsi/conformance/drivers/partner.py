"""Our own initiator as drives use it: sessions with the stage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from trioscsi.conformance.drivers.driver import Where
from trioscsi.initiator.client import Session, connect, discover
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.results import Found
from trioscsi.initiator.url import Url
from trioscsi.limits import Limits

WITHOUT_PINGS = Limits(ping_interval=0)


class Partner:
    """Logs in to the stage; ``deviation`` is its fault, if it has one."""

    def __init__(self, deviation: Deviation | None = None) -> None:
        self._deviation = deviation

    @asynccontextmanager
    async def connect(
        self, where: Where, limits: Limits = WITHOUT_PINGS, **more: Any
    ) -> AsyncIterator[Session]:
        """A session, that is logged out of when something has failed as well."""
        failure: Exception | None = None
        options = {"deviation": self._deviation, "limits": limits, **where.offer, **more}
        async with connect(url_of(where), **options) as session:
            try:
                yield session
            except Exception as error:  # noqa: BLE001 - it goes on below
                failure = error
        if failure is not None:
            raise failure

    async def discover(self, where: Where) -> list[Found]:
        """The targets of the stage."""
        return await discover(url_of(where), deviation=self._deviation, **where.offer)


def url_of(where: Where) -> Url:
    """Where to connect to, with the credentials."""
    return Url(
        host=where.host,
        port=where.port,
        target=where.iqn,
        lun=where.lun,
        user=where.user,
        secret=where.secret,
        target_user=where.target_user,
        target_secret=where.target_secret,
    )
