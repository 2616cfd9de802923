"""SN: recovery within a command and within a connection (RFC 7143 sections 7.1.4, 7.8, 11.16)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.faults import bad_data_digest, damaging_once
from trioscsi.conformance.bench.levels import session_at
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import Reading, next_reading
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import ping, r2t, reject
from trioscsi.conformance.bench.writings import writes_blocks
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    DataOut,
    LogoutRequest,
    NopOut,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.serial import less

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_ACKNOWLEDGED = Rule("7143-11.7.2-2")
_COPIES = Rule("7143-11.16.5-1")
_RESERVED_TAG = Rule("7143-11.16.4-1")
_NO_LENGTH = Rule("7143-11.16.7-1")
_FROM_ZERO = Rule("7143-11.16.6-1")
_ASKED_FOR = Rule("7143-7.8-3")
_STATUS_HELD = Rule("7143-7.9-4")
_POSTPONED = Rule("7143-11.7.2-4")
_NOT_AGAIN = Rule("7143-11.16.2-1")
_CUT_ANEW = Rule("7143-11.16.3-1")
_RETRIED = Rule("7143-7.2.1-1")

_LOSS = {
    "7143-4.2.2.2-2",
    "7143-4.2.2.4-2",
    "7143-4.2.5.1-2",
    "7143-11.4.5.2-1",
    "7143-11.4.8-1",
    "7143-11.8-6",
    "7143-13.19-1",
}
"""What a target seems to break whose PDUs are lost, and come later."""
_LEVEL_1: dict[str, Any] = {"needs": {Ability.LEVEL_1}, "initiator": {"error_recovery_level": 1}}
_TTT = 0x51
_MUCH = 8192


async def _reading(play: Play) -> Reading:
    """A read at level 1, and all of what the target has answered to it."""
    return await next_reading(await session_at(play, 1), _MUCH)


def _is(kind: SnackType) -> Any:
    return lambda pdu: not isinstance(pdu, SnackRequest) or pdu.type == kind


def _covers(snack: SnackRequest, number: int) -> bool:
    """Whether a SNACK asks for a PDU with this number; a length of 0 means all that follow."""
    behind = number - snack.beg_run
    return behind >= 0 and (not snack.run_length or behind < snack.run_length)


async def _expect_asked(play: Play, found: Reading, number: int) -> bool:
    """The Data-In that is missing is asked for; False if its task is aborted instead."""
    pdu = await play.expect(
        found.link,
        SnackRequest,
        TaskManagementRequest,
        where=_is(SnackType.DATA_OR_R2T),
        breach="the missing data are neither asked for nor given up",
        despite_logout=True,
    )
    if not isinstance(pdu, SnackRequest):
        play.check(True, "")
        await found.link.answer(pdu)
        return False
    play.check(pdu.itt == found.command.itt, "another task is asked for")
    play.check(pdu.ttt == NO_TASK, "the SNACK has a transfer tag")
    play.check(_covers(pdu, number), f"DataSN {number} is not asked for")
    return True


@scenario(
    "SN-01",
    "Data that ask for it (A) are acknowledged, with their tag, up to the next DataSN.",
    _ACKNOWLEDGED,
    Drive.READ,
    mutants=("data-unacknowledged",),
    unh=("FFP 10.2", "FFP 13.2"),
    **_LEVEL_1,
)
async def data_ack(play: Play) -> None:
    found = await _reading(play)
    first, *rest = found.cut_into(4)
    lun = found.command.lun
    first.acknowledge, first.ttt, first.lun = True, _TTT, lun
    await found.link.say(first)
    snack = await play.expect(
        found.link, SnackRequest, breach="the A bit is not answered", despite_logout=True
    )
    play.check(snack.type == SnackType.DATA_ACK, "the SNACK is of another type")
    play.check(snack.itt == NO_TASK, "the SNACK has a task tag", _RESERVED_TAG)
    play.check((snack.ttt, snack.lun) == (_TTT, lun), "it has another tag or LUN", _COPIES)
    play.check(snack.beg_run == 1, f"BegRun is {snack.beg_run}")
    play.check(not snack.run_length, "RunLength is not 0", _NO_LENGTH)
    await found.link.say(*rest, found.status(4))
    await play.expect_success("the read fails")


@scenario(
    "SN-02",
    "Data that are missing are asked for with a SNACK, or their task is aborted.",
    _ASKED_FOR,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    mutants=("data-forgone", "status-hasty"),
    also=(_STATUS_HELD,),
    breaches=_LOSS,
    unh=("FFP 13.1",),
    **_LEVEL_1,
)
async def data_are_lost(play: Play) -> None:
    found = await _reading(play)
    link, pdus, status = found.link, found.cut_into(5), found.status(5)
    await link.say(*pdus[:2], *pdus[3:], status)
    if await _expect_asked(play, found, 2):
        await link.say(ping(ttt=_TTT))
        answer = await link.take(NopOut)
        held = not less(status.stat_sn, answer.exp_stat_sn)
        play.check(held, "the status is acknowledged, and its data are missing", _STATUS_HELD)
        await link.say(pdus[2])
        await play.expect_success("the read fails")


@scenario(
    "SN-03",
    "Data that are damaged are asked for with a SNACK, or their task is aborted.",
    _ASKED_FOR,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    target={"data_digests": ("CRC32C",)},
    needs={Ability.LEVEL_1, Ability.DIGESTS},
    initiator={"error_recovery_level": 1, "data_digests": ("CRC32C", "None")},
    breaches={"7143-13.1-1", *_LOSS},
    mutants=("data-forgone", "data-damaged"),
)
async def data_are_damaged(play: Play) -> None:
    found = await _reading(play)
    if not found.link.parameters.data_digest:
        raise NotExercised("no data digest was agreed")
    pdus = found.cut_into(4)
    await found.link.say(pdus[0])
    found.link.damage(damaging_once(bad_data_digest(DataIn)))
    await found.link.say(pdus[1])
    found.link.heal()
    await found.link.say(*pdus[2:], found.status(4))
    if await _expect_asked(play, found, 1):
        await found.link.say(pdus[1])
        await play.expect_success("the read fails")


@scenario(
    "SN-04",
    "An R2T that is missing is asked for, or waited for; none behind it is answered before.",
    _ASKED_FOR,
    Drive.WRITE,
    stimulus=Stimulus.FAULT,
    target={"initial_r2t": True, "immediate_data": False},
    breaches=_LOSS,
    **_LEVEL_1,
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
        play.check(_covers(pdu, 0), "R2TSN 0 is not asked for")
    await link.say(r2t(command, 0, 512, ttt=1, r2t_sn=0))
    await play.expect(
        link, DataOut, where=lambda pdu: pdu.ttt == 1, breach="the R2T is not answered then"
    )
    play.check(True, "")


@scenario(
    "SN-05",
    "A status that is missing is asked for with a SNACK, or the connection is logged out.",
    _ASKED_FOR,
    Drive.MIXED,
    stimulus=Stimulus.FAULT,
    breaches=_LOSS,
    mutants=("statuses-forgone",),
    **_LEVEL_1,
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
        where=_is(SnackType.STATUS),
        breach="the status is not asked for",
    )
    if not isinstance(pdu, SnackRequest):
        play.check(True, "")
        await link.answer(pdu)
        return
    play.check(pdu.itt == NO_TASK, "the SNACK has a task tag", _RESERVED_TAG)
    play.check(_covers(pdu, lost[0].stat_sn), "another status is asked for")
    lost[0].exp_cmd_sn, lost[0].max_cmd_sn = link.numbers.exp_cmd_sn, link.numbers.window_end
    await link.say(lost[0], number=False)
    await play.expect_survival("it is not content")


@scenario(
    "SN-06",
    "While data are missing, those behind them are not acknowledged.",
    _POSTPONED,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches=_LOSS,
    mutants=("acknowledgment-hasty",),
    **_LEVEL_1,
)
async def data_ack_waits(play: Play) -> None:
    found = await _reading(play)
    pdus = found.cut_into(4)
    pdus[2].acknowledge, pdus[2].ttt, pdus[2].lun = True, _TTT, found.command.lun
    await found.link.say(pdus[0], pdus[2])
    first = await play.expect(
        found.link, SnackRequest, breach="the missing data are not asked for", despite_logout=True
    )
    play.check(first.type != SnackType.DATA_ACK, "data behind a hole are acknowledged")
    await found.link.say(pdus[1])
    second = await play.expect(
        found.link,
        SnackRequest,
        where=_is(SnackType.DATA_ACK),
        breach="the data are never acknowledged",
        rule=_ACKNOWLEDGED,
    )
    play.check(second.beg_run == 3, f"BegRun is {second.beg_run}")
    await found.link.say(pdus[3], found.status(4))
    await play.expect_success("the read fails")


@scenario(
    "SN-07",
    "A command whose data cannot be had again has failed.",
    _ASKED_FOR,
    Drive.READ,
    breaches=_LOSS,
    stimulus=Stimulus.FAULT,
    mutants=("data-forgone", "data-not-missed"),
    **_LEVEL_1,
)
async def snack_is_rejected(play: Play) -> None:
    found = await _reading(play)
    link, pdus = found.link, found.cut_into(4)
    await link.say(pdus[0], *pdus[2:], found.status(4))
    snack = await play.expect(
        link, SnackRequest, breach="the missing data are not asked for", despite_logout=True
    )
    await link.say(reject(snack, RejectReason.SNACK_REJECT))
    ending = await play.ending()
    play.check(ending.how is not How.WRONG_DATA, str(ending))


@scenario(
    "SN-08",
    "Where the length of segments has changed meanwhile, data are asked for by an R-Data SNACK.",
    _CUT_ANEW,
    Drive.RENEGOTIATE,
    stimulus=Stimulus.FAULT,
    breaches={"7143-11.7.1-1", *_LOSS},
    mutants=("snack-old-length",),
    **_LEVEL_1,
)
async def cut_anew(play: Play) -> None:
    found = await _reading(play)
    link, pdus = found.link, found.cut_into(4)
    await link.say(pdus[0])
    try:
        await link.see(TextRequest, within=5)
    except Silence:
        raise NotExercised("nothing is negotiated while a read is under way") from None
    await link.run_for(0.5)
    await link.say(pdus[2], pdus[3], found.status(4))
    snack = await play.expect(
        link, SnackRequest, breach="the missing data are not asked for", despite_logout=True
    )
    play.check(snack.type == SnackType.R_DATA, "it is no R-Data SNACK")
    play.check(snack.snack_tag not in (0, NO_TASK), "it has no SNACK tag")
    play.check(not snack.beg_run, "BegRun is not 0", _FROM_ZERO)
    play.check(not snack.run_length, "RunLength is not 0", _NO_LENGTH)


@scenario(
    "SN-09",
    "Data that were acknowledged are not asked for again.",
    _NOT_AGAIN,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches=_LOSS,
    mutants=("snack-from-zero",),
    **_LEVEL_1,
)
async def acknowledged_data(play: Play) -> None:
    found = await _reading(play)
    link, pdus = found.link, found.cut_into(5)
    pdus[1].acknowledge, pdus[1].ttt, pdus[1].lun = True, _TTT, found.command.lun
    await link.say(pdus[0], pdus[1])
    await link.take(SnackRequest, where=_is(SnackType.DATA_ACK), within=5)
    await link.say(pdus[2], pdus[4], found.status(5))
    snack = await play.expect(
        link,
        SnackRequest,
        where=_is(SnackType.DATA_OR_R2T),
        breach="the missing data are not asked for",
        rule=_ASKED_FOR,
        despite_logout=True,
    )
    play.check(snack.beg_run >= 2, f"data from DataSN {snack.beg_run} on are asked for")
    await link.say(pdus[3])


@scenario(
    "SN-10",
    "A command that is sent again because it was lost is the same as before.",
    _RETRIED,
    Drive.MIXED,
    stimulus=Stimulus.FAULT,
    mutants=("retry-other-tag",),
    unh=("FFP 4.1",),
    **_LEVEL_1,
)
async def command_is_lost(play: Play) -> None:
    link = await session_at(play, 1)
    for _ in range(3):
        await link.see(ScsiCommand)
    command = await link.take(ScsiCommand)
    link.numbers.unheard(command)
    again = await _retry(link, command)
    play.check(again.itt == command.itt, "it has another task tag")
    play.check(again.cdb == command.cdb, "it has another CDB")
    same = all(
        getattr(again, name) == getattr(command, name)
        for name in ("read", "write", "final", "attributes", "lun")
    )
    play.check(same, "it has other flags, or another unit")
    await link.forward(again)


async def _retry(link: Link, command: ScsiCommand) -> ScsiCommand:
    """The same CmdSN once more; raises NotExercised if it never comes."""
    for _ in range(10):
        await link.say(ping(ttt=NO_TASK))
        try:
            return await link.take(
                ScsiCommand, where=lambda pdu: pdu.cmd_sn == command.cmd_sn, within=2
            )
        except Silence:
            continue
        except Left:
            break
    raise NotExercised("a command that is not acknowledged is not sent again")
