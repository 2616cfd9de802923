"""SN, what is no data: R2Ts, statuses and commands that are lost (sections 7.1.4, 7.2.1, 7.9)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.levels import session_at
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.losses import ASKED_FOR, LEVEL_1, LOSS, covers, is_snack
from trioscsi.conformance.bench.play import NotExercised, Play, Stop
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import ping, r2t
from trioscsi.conformance.bench.writings import writes_blocks
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    LogoutRequest,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
)

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_RESERVED_TAG = Rule("7143-11.16.4-1")
_RETRIED = Rule("7143-7.2.1-1")


@scenario(
    "SN-04",
    "An R2T that is missing is asked for, or waited for; none behind it is answered before.",
    ASKED_FOR,
    Drive.WRITE,
    stimulus=Stimulus.FAULT,
    target={"initial_r2t": True, "immediate_data": False},
    breaches=LOSS,
    mutants=("data-forgone",),
    **LEVEL_1,
)
async def r2t_is_lost(play: Play) -> None:
    link = await session_at(play, 1)
    command = await link.take(ScsiCommand, where=writes_blocks)
    await link.say(r2t(command, 512, 512, ttt=2, r2t_sn=1))
    try:
        pdu = await link.take(SnackRequest, DataOut, TaskManagementRequest, within=5)
    except Silence:
        pdu = None
    if isinstance(pdu, DataOut):
        play.check(False, "the R2T behind the missing one is answered")
        return
    if isinstance(pdu, SnackRequest):
        play.check(pdu.type == SnackType.DATA_OR_R2T, "the SNACK is of another type")
        play.check(pdu.itt == command.itt, "another task is asked for")
        play.check(covers(pdu, 0), "R2TSN 0 is not asked for")
    await link.say(r2t(command, 0, 512, ttt=1, r2t_sn=0))
    await play.expect(
        link, DataOut, where=lambda pdu: pdu.ttt == 1, breach="the R2T is not answered then"
    )
    play.check(True, "")


@scenario(
    "SN-05",
    "A status that is missing is asked for with a SNACK, or the connection is logged out.",
    ASKED_FOR,
    Drive.MIXED,
    stimulus=Stimulus.FAULT,
    breaches=LOSS,
    mutants=("statuses-forgone",),
    **LEVEL_1,
)
async def status_is_lost(play: Play) -> None:
    link = await session_at(play, 1)
    for _ in range(6):
        await link.see(ScsiCommand)
    lost: list[ScsiResponse] = []

    def lose(pdu: Any) -> Any:
        if isinstance(pdu, ScsiResponse) and not lost:
            lost.append(pdu)
            return ()
        return (pdu,)

    link.spoil(lose)
    pdu = await play.expect(
        link,
        SnackRequest,
        LogoutRequest,
        where=is_snack(SnackType.STATUS),
        breach="the status is not asked for",
    )
    if not isinstance(pdu, SnackRequest):
        play.check(True, "")
        await link.answer(pdu)
        return
    play.check(pdu.itt == NO_TASK, "the SNACK has a task tag", _RESERVED_TAG)
    play.check(covers(pdu, lost[0].stat_sn), "another status is asked for")
    lost[0].exp_cmd_sn, lost[0].max_cmd_sn = link.numbers.exp_cmd_sn, link.numbers.window_end
    await link.say(lost[0], number=False)
    await play.expect_survival("it is not content")


@scenario(
    "SN-10",
    "A command that is sent again because it was lost is the same as before.",
    _RETRIED,
    Drive.MIXED,
    stimulus=Stimulus.FAULT,
    mutants=("retry-other-tag", "command-not-missed"),
    unh=("FFP 4.1",),
    **LEVEL_1,
)
async def command_is_lost(play: Play) -> None:
    link = await session_at(play, 1)
    for _ in range(3):
        await link.see(ScsiCommand)
    command = await link.take(ScsiCommand)
    link.numbers.unheard(command)
    again = await _retry(play, link, command)
    play.check(again.itt == command.itt, "it has another task tag")
    play.check(again.cdb == command.cdb, "it has another CDB")
    same = all(
        getattr(again, name) == getattr(command, name)
        for name in ("read", "write", "final", "attributes", "lun")
    )
    play.check(same, "it has other flags, or another unit")
    await link.forward(again)


async def _retry(play: Play, link: Link, command: ScsiCommand) -> ScsiCommand:
    """The same CmdSN once more; raises NotExercised if the connection is given up instead."""
    for _ in range(10):
        await link.say(ping(ttt=NO_TASK))
        try:
            return await link.take(
                ScsiCommand, where=lambda pdu: pdu.cmd_sn == command.cmd_sn, within=2
            )
        except Silence:
            continue
        except Left:
            raise NotExercised("the connection of the command that was lost is given up") from None
    play.inform(False, "a command that is not acknowledged is neither sent again nor given up")
    raise Stop
