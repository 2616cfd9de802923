"""What is lost at error recovery level 1 or above, and how it is asked for (section 11.16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.readings import Reading
from trioscsi.conformance.bench.scenario import Ability
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import NO_TASK, SnackRequest, SnackType, TaskManagementRequest

LOSS = frozenset(
    {
        "7143-4.2.2.2-2",
        "7143-4.2.2.4-2",
        "7143-4.2.5.1-2",
        "7143-11.4.5.2-1",
        "7143-11.4.8-1",
        "7143-11.8-6",
        "7143-13.19-1",
    }
)
"""What a target seems to break whose PDUs are lost, and come later."""
LEVEL_1: dict[str, Any] = {"needs": {Ability.LEVEL_1}, "initiator": {"error_recovery_level": 1}}
"""What a scenario needs in which something is asked for again."""
ASKED_FOR = Rule("7143-7.8-3")


def is_snack(kind: SnackType) -> Callable[[Any], bool]:
    """For `Link.take`: of SNACKs, those of one type."""
    return lambda pdu: not isinstance(pdu, SnackRequest) or pdu.type == kind


def covers(snack: SnackRequest, number: int) -> bool:
    """Whether a SNACK asks for a PDU with this number; a length of 0 means all that follow."""
    behind = number - snack.beg_run
    return behind >= 0 and (not snack.run_length or behind < snack.run_length)


async def expect_snack(
    play: Play,
    found: Reading,
    *,
    breach: str = "the missing data are not asked for",
    kind: SnackType | None = None,
    rule: Rule | None = None,
) -> SnackRequest:
    """The rule asks for a SNACK, of one type or of any; who logs out instead has broken it."""
    return await play.expect(
        found.link,
        SnackRequest,
        where=None if kind is None else is_snack(kind),
        breach=breach,
        rule=rule,
        despite_logout=True,
    )


async def expect_asked(play: Play, found: Reading, number: int) -> bool:
    """The Data-In that is missing is asked for; False if its task is aborted instead."""
    pdu = await play.expect(
        found.link,
        SnackRequest,
        TaskManagementRequest,
        where=is_snack(SnackType.DATA_OR_R2T),
        breach="the missing data are neither asked for nor given up",
        despite_logout=True,
    )
    if not isinstance(pdu, SnackRequest):
        play.check(True, "")
        await found.link.answer(pdu)
        return False
    play.check(pdu.itt == found.command.itt, "another task is asked for")
    play.check(pdu.ttt == NO_TASK, "the SNACK has a transfer tag")
    play.check(covers(pdu, number), f"DataSN {number} is not asked for")
    return True
