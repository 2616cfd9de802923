"""Our own initiator, in the same process: it can do everything, and can be given a fault."""

from __future__ import annotations

from trioscsi.conformance.bench.scenario import Ability, Drive
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.drives import DRIVES, WrongData
from trioscsi.conformance.drivers.partner import Partner
from trioscsi.errors import CommandFailed, LoginFailure, SessionLost, ShortTransfer, leaves
from trioscsi.initiator.deviations import Deviation


class InHouse:
    """Our initiator; ``deviation`` is its fault, if it has one."""

    name = "in-house"
    drives: frozenset[Drive]
    abilities = frozenset(Ability) - {Ability.LONG_ITEMS}
    reaches_us_at = "127.0.0.1"
    at_once = 1

    def __init__(self, deviation: Deviation | None = None) -> None:
        self._partner = Partner(deviation)
        self.drives = frozenset(DRIVES)

    def open(self) -> None:
        """See `Driver`."""

    def close(self) -> None:
        """See `Driver`."""

    async def prepare(self) -> None:
        """See `Driver`."""

    async def drive(self, drive: Drive, where: Where) -> Ending:
        """See `Driver`."""
        ending = Ending(How.UNKNOWN)
        try:
            listed = await DRIVES[drive](self._partner, where)
            ending = Ending(How.DONE, output=listed or "")
        except* Exception as group:  # noqa: BLE001 - what it is shows how the drive has ended
            ending = _ending(group)
        return ending


_REPORTED = (LoginFailure, SessionLost, CommandFailed, ShortTransfer)


def _ending(group: ExceptionGroup[Exception]) -> Ending:
    """How a drive has ended that ended like this; several commands may have failed at once."""
    errors = list(leaves(group))
    for each in errors:
        if isinstance(each, WrongData):
            return Ending(How.WRONG_DATA, str(each))
    for each in errors:
        if not isinstance(each, _REPORTED):
            raise each
    return Ending(How.FAILED, str(errors[0]))
