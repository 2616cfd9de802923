"""SN, data: acknowledged, or lost and asked for again (RFC 7143 sections 7.1.4, 7.8, 11.16)."""

from __future__ import annotations

from trioscsi.conformance.bench.faults import bad_data_digest, damaging_once
from trioscsi.conformance.bench.levels import session_at
from trioscsi.conformance.bench.link import Silence
from trioscsi.conformance.bench.losses import (
    ASKED_FOR,
    LEVEL_1,
    LOSS,
    expect_asked,
    expect_snack,
    is_snack,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import Reading, next_reading
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import ping, reject
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    NO_TASK,
    DataIn,
    NopOut,
    RejectReason,
    ScsiResponse,
    SnackRequest,
    SnackType,
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
_STATUS_HELD = Rule("7143-7.9-4")
_POSTPONED = Rule("7143-11.7.2-4")
_NOT_AGAIN = Rule("7143-11.16.2-1")
_CUT_ANEW = Rule("7143-11.16.3-1")
_TAGGED = Rule("7143-11.4.4-1", Level.NOTE)

_TTT = 0x51
_MUCH = 8192


async def _reading(play: Play) -> Reading:
    """A read at level 1, and all of what the target has answered to it."""
    return await next_reading(await session_at(play, 1), _MUCH)


@scenario(
    "SN-01",
    "Data that ask for it (A) are acknowledged, with their tag, up to the next DataSN.",
    _ACKNOWLEDGED,
    Drive.READ,
    mutants=("data-unacknowledged",),
    unh=("FFP 10.2", "FFP 13.2"),
    **LEVEL_1,
)
async def data_ack(play: Play) -> None:
    found = await _reading(play)
    first, *rest = found.cut_into(4)
    lun = found.command.lun
    found.ask(first, _TTT)
    await found.link.say(first)
    snack = await expect_snack(play, found, breach="the A bit is not answered")
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
    ASKED_FOR,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    mutants=("data-forgone", "status-hasty"),
    also=(_STATUS_HELD,),
    breaches=LOSS,
    unh=("FFP 13.1",),
    **LEVEL_1,
)
async def data_are_lost(play: Play) -> None:
    found = await _reading(play)
    link, pdus, status = found.link, found.cut_into(5), found.status(5)
    await link.say(*pdus[:2], *pdus[3:], status)
    if await expect_asked(play, found, 2):
        await link.say(ping(ttt=_TTT))
        answer = await link.take(NopOut)
        held = not less(status.stat_sn, answer.exp_stat_sn)
        play.check(held, "the status is acknowledged, and its data are missing", _STATUS_HELD)
        await link.say(pdus[2])
        await play.expect_success("the read fails")


@scenario(
    "SN-03",
    "Data that are damaged are asked for with a SNACK, or their task is aborted.",
    ASKED_FOR,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    target={"data_digests": ("CRC32C",)},
    needs={Ability.LEVEL_1, Ability.DIGESTS},
    initiator={"error_recovery_level": 1, "data_digests": ("CRC32C", "None")},
    breaches={"7143-13.1-1", *LOSS},
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
    if await expect_asked(play, found, 1):
        await found.link.say(pdus[1])
        await play.expect_success("the read fails")


@scenario(
    "SN-06",
    "While data are missing, those behind them are not acknowledged.",
    _POSTPONED,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches=LOSS,
    mutants=("acknowledgment-hasty",),
    **LEVEL_1,
)
async def data_ack_waits(play: Play) -> None:
    found = await _reading(play)
    pdus = found.cut_into(4)
    found.ask(pdus[2], _TTT)
    await found.link.say(pdus[0], pdus[2])
    first = await expect_snack(play, found)
    play.check(first.type != SnackType.DATA_ACK, "data behind a hole are acknowledged")
    await found.link.say(pdus[1])
    second = await play.expect(
        found.link,
        SnackRequest,
        where=is_snack(SnackType.DATA_ACK),
        breach="the data are never acknowledged",
        rule=_ACKNOWLEDGED,
    )
    play.check(second.beg_run == 3, f"BegRun is {second.beg_run}")
    await found.link.say(pdus[3], found.status(4))
    await play.expect_success("the read fails")


@scenario(
    "SN-07",
    "A command whose data cannot be had again has failed.",
    ASKED_FOR,
    Drive.READ,
    breaches=LOSS,
    stimulus=Stimulus.FAULT,
    mutants=("data-forgone", "data-not-missed"),
    **LEVEL_1,
)
async def snack_is_rejected(play: Play) -> None:
    found = await _reading(play)
    link, pdus = found.link, found.cut_into(4)
    await link.say(pdus[0], *pdus[2:], found.status(4))
    snack = await expect_snack(play, found)
    await link.say(reject(snack, RejectReason.SNACK_REJECT))
    ending = await play.ending()
    play.check(ending.how is not How.WRONG_DATA, str(ending))


@scenario(
    "SN-08",
    "Where the length of segments has changed meanwhile, data are asked for by an R-Data SNACK.",
    _CUT_ANEW,
    Drive.RENEGOTIATE,
    stimulus=Stimulus.FAULT,
    breaches={"7143-11.7.1-1", *LOSS},
    mutants=("snack-old-length", "snack-any-tag"),
    **LEVEL_1,
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
    early = found.status(4)
    await link.say(pdus[2], pdus[3], early)
    snack = await expect_snack(play, found)
    play.check(snack.type == SnackType.R_DATA, "it is no R-Data SNACK")
    play.check(snack.snack_tag not in (0, NO_TASK), "it has no SNACK tag")
    play.check(not snack.beg_run, "BegRun is not 0", _FROM_ZERO)
    play.check(not snack.run_length, "RunLength is not 0", _NO_LENGTH)
    if snack.type == SnackType.R_DATA:
        await _sent_anew(play, found, early, snack.snack_tag)


async def _sent_anew(play: Play, found: Reading, early: ScsiResponse, tag: int) -> None:
    """All data come again, and first the status of before, which counts for nothing any more."""
    link, pdus = found.link, found.cut()
    await link.say(*pdus)
    count = link.count
    await link.say(early, number=False)
    await link.run_for(1)
    if not play.check(link.count == count, "a status without the SNACK Tag is taken", _TAGGED):
        return
    late = found.status(len(pdus), snack_tag=tag)
    late.stat_sn, late.exp_cmd_sn, late.max_cmd_sn = (
        early.stat_sn,
        link.numbers.exp_cmd_sn,
        link.numbers.window_end,
    )
    await link.say(late, number=False)
    await play.expect_success("the read fails")


@scenario(
    "SN-09",
    "Data that were acknowledged are not asked for again.",
    _NOT_AGAIN,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches=LOSS,
    mutants=("snack-from-zero",),
    **LEVEL_1,
)
async def acknowledged_data(play: Play) -> None:
    found = await _reading(play)
    link, pdus = found.link, found.cut_into(5)
    found.ask(pdus[1], _TTT)
    await link.say(pdus[0], pdus[1])
    await link.take(SnackRequest, where=is_snack(SnackType.DATA_ACK), within=5)
    await link.say(pdus[2], pdus[4], found.status(5))
    snack = await expect_snack(play, found, kind=SnackType.DATA_OR_R2T, rule=ASKED_FOR)
    play.check(snack.beg_run >= 2, f"data from DataSN {snack.beg_run} on are asked for")
    await link.say(pdus[3])
