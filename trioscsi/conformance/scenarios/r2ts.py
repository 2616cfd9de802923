"""DO, R2Ts: what is written as the target asks for it (RFC 7143 sections 4.2.5.2 and 11.8)."""

from __future__ import annotations

from trioscsi.conformance.bench.bursts import (
    ANSWERED,
    SEGMENT,
    SOLICITED,
    answers,
    ask_burst,
    goes_on,
    judge_order,
    settle,
)
from trioscsi.conformance.bench.levels import session_at
from trioscsi.conformance.bench.losses import LEVEL_1
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import gather
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.bench.statuses import failed
from trioscsi.conformance.bench.writings import (
    TTT,
    Writing,
    stays_silent,
    unsolicited,
    writes_blocks,
    writing,
)
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import ScsiCommand

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_IN_TURN = Rule("7143-11.8-5")
_LIVE = Rule("7143-4.2.5.1-1")
_SHORT = Rule("7143-11.4.5.1-3", Level.NOTE)

_FAILS = "a write fails"


@scenario(
    "DO-06",
    "The data for an R2T have its tag and its unit, are just what it asks for, and end by F.",
    ANSWERED,
    Drive.WRITE,
    target={"initial_r2t": True, "max_burst_length": 2**24 - 1},
    limits={"segment": 8192},
    mutants=(
        "r2t-ignored",
        "data-tag",
        "data-sn",
        "data-sn-stays",
        "data-offset",
        "data-short",
        "data-without-f",
        "data-early-f",
    ),
    unh=("FFP 6.1", "FFP 9.1", "FFP 11.2.2", "FFP 11.3", "FFP 11.4", "FFP 12.1"),
)
async def one_r2t(play: Play) -> None:
    found = await writing(play)
    length = min(found.missing, found.link.parameters.max_burst_length)
    await ask_burst(play, found, len(found.data), length)
    await goes_on(play, found)


@scenario(
    "DO-07",
    "R2Ts for odd lengths are answered with just so much.",
    ANSWERED,
    Drive.WRITE,
    target=SOLICITED,
    mutants=("data-rounded", "r2t-ignored"),
)
async def odd_lengths(play: Play) -> None:
    found = await writing(play, 2048)
    for length in (511, 1, 1023, 7):
        await ask_burst(play, found, len(found.data), length)
    await goes_on(play, found)


@scenario(
    "DO-08",
    "Many Data-Out answer one R2T where segments are short; none is longer than the target takes.",
    SEGMENT,
    Drive.WRITE,
    target={**SOLICITED, "max_burst_length": 65_536, "first_burst_length": 65_536},
    limits={"segment": 4096},
    mutants=("segment", "data-sn-stays"),
    unh=("FFP 12.2",),
)
async def short_segments(play: Play) -> None:
    found = await writing(play, 1024)
    length = min(found.missing, found.link.parameters.max_burst_length)
    await ask_burst(play, found, len(found.data), length)
    await goes_on(play, found)


@scenario(
    "DO-09",
    "With DataSequenceInOrder=No R2Ts are honoured in whatever order they ask for data.",
    ANSWERED,
    Drive.WRITE,
    target={**SOLICITED, "data_sequence_in_order": False},
    initiator={"data_sequence_in_order": False},
    mutants=("r2t-back-ignored",),
    unh=("FFP 12.3",),
)
async def backward(play: Play) -> None:
    found = await writing(play, 1536)
    if found.link.parameters.data_sequence_in_order:
        await settle(found)
        raise NotExercised("it does not agree to DataSequenceInOrder=No")
    for offset in (1024, 512, 0):
        await ask_burst(play, found, offset, 512)
    await goes_on(play, found)


@scenario(
    "DO-10",
    "R2Ts of a task that are outstanding together are answered in the order in which they came.",
    _IN_TURN,
    Drive.WRITE,
    target={**SOLICITED, "max_outstanding_r2t": 4},
    initiator={"max_outstanding_r2t": 4},
    mutants=("r2t-reversed",),
    unh=("FFP 12.3",),
)
async def several_r2ts(play: Play) -> None:
    found = await writing(play, 2048)
    most = found.link.parameters.max_outstanding_r2t
    if most == 1:
        await settle(found)
        raise NotExercised("it does not agree to several R2Ts at a time")
    count = min(most, 4)
    asked = [await found.ask(512 * n, 512) for n in range(count)]
    pdus = await answers(play, [(found, pdu) for pdu in asked])
    judge_order(play, pdus, asked)
    await goes_on(play, found)


@scenario(
    "DO-12",
    "R2Ts for several writes may come by turns; each write gets its own in their order.",
    _IN_TURN,
    Drive.PARALLEL_WRITE,
    target={**SOLICITED, "max_outstanding_r2t": 2},
    initiator={"max_outstanding_r2t": 2},
    mutants=("r2t-ignored",),
    unh=("FFP 12.4",),
)
async def writes_by_turns(play: Play) -> None:
    link = await play.session()
    commands = await gather(link, 4, lambda pdu: pdu.write and writes_blocks(pdu))
    found = [
        Writing(link, command, [], bytearray(), ttt=TTT + 16 * place)
        for place, command in enumerate(commands)
    ]
    rounds = min(2, link.parameters.max_outstanding_r2t)
    asked = [(each, await each.ask(256 * n, 256)) for n in range(rounds) for each in found]
    pdus = await answers(play, asked)
    for each in found:
        own = [pdu for pdu in pdus if each.is_mine(pdu)]
        judge_order(play, own, [pdu for one, pdu in asked if one is each])
    for each in found:
        await settle(each)
    await play.expect_success(_FAILS)


@scenario(
    "DO-14",
    "A first R2T that comes late is waited for.",
    Rule("7143-11.8-1", Level.NOTE),
    Drive.WRITE,
    mutants=("impatient",),
    target=SOLICITED,
)
async def late_r2t(play: Play) -> None:
    found = await writing(play)
    silent = await stays_silent(found.link, found.is_mine, 3)
    play.check(silent and found.link.is_open, "the initiator does not wait for an R2T")
    await goes_on(play, found)


@scenario(
    "DO-22",
    "Data that an R2T asks for once more are sent again.",
    ANSWERED,
    Drive.WRITE,
    target=SOLICITED,
    mutants=("r2t-back-ignored",),
    **LEVEL_1,
)
async def recovery_r2t(play: Play) -> None:
    link = await session_at(play, 1)
    command = await link.take(
        ScsiCommand,
        where=lambda pdu: writes_blocks(pdu) and pdu.expected_data_transfer_length >= 1024,
    )
    found = await unsolicited(link, command)
    await ask_burst(play, found, 0, 1024)
    await ask_burst(play, found, 512, 512)
    await goes_on(play, found)


@scenario(
    "DO-23",
    "After a status that comes before all data were asked for no more data are sent.",
    _LIVE,
    Drive.WRITE,
    target=SOLICITED,
    mutants=("data-after-status",),
)
async def early_failure(play: Play) -> None:
    found = await writing(play, 1024)
    await answers(play, [(found, await found.ask(0, 512))])
    await found.link.say(failed(found.command, 0x0B, 0x4B, 0x00))
    silent = await stays_silent(found.link, found.is_mine, 1)
    play.check(silent, "data come after the status")


@scenario(
    "DO-24",
    "A write of which the target has taken less than all does not pass for a full success.",
    _SHORT,
    Drive.WRITE,
    target=SOLICITED,
    mutants=("residual-missed",),
)
async def underflow(play: Play) -> None:
    found = await writing(play, 1024)
    await answers(play, [(found, await found.ask(0, 512))])
    await found.link.answer(found.command, underflow=True, residual_count=found.missing)
    await play.expect_no_success(
        found.link, found.command, "a write of which a part is missing passes for a success"
    )
