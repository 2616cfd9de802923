"""DO, what no target may do: R2Ts that are not as they have to be (RFC 7143 section 11.8)."""

from __future__ import annotations

from contextlib import suppress

from trioscsi.conformance.bench.bursts import SOLICITED, answers, settle
from trioscsi.conformance.bench.link import Left, Silence
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.readings import next_reading
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.writings import (
    Writing,
    data_outs,
    stays_silent,
    writing,
)
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_BURST = Rule("7143-11.7.1-2")
_LIVE = Rule("7143-4.2.5.1-1")
_TAGS = Rule("7143-4.2.5.3-1")
_MISSING = Rule("7143-7.9-1")
_DUPLICATES = Rule("7143-7.9-2")
_FORMAT = Rule("7143-7.7-1", Level.NOTE)
_WITHIN = Rule("7143-11.7.6-1", Level.NOTE)


@scenario(
    "DO-11",
    "One R2T more than was agreed to be outstanding does no harm.",
    Rule("7143-4.2.5.2-3", Level.NOTE),
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target={**SOLICITED, "max_outstanding_r2t": 2},
    initiator={"max_outstanding_r2t": 2},
)
async def one_r2t_too_many(play: Play) -> None:
    found = await writing(play, 2048)
    count = found.link.parameters.max_outstanding_r2t + 1
    asked = [(found, await found.ask(512 * n, 512)) for n in range(count)]
    try:
        await data_outs(asked)
    except (Left, Silence):
        await found.abandon()
    else:
        await settle(found)
    await play.expect_survival("an R2T more than agreed does harm")


@scenario(
    "DO-15",
    "An R2T for nothing is a format error, and none to wait upon.",
    _FORMAT,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=SOLICITED,
    mutants=("r2t-empty",),
)
async def r2t_for_nothing(play: Play) -> None:
    found = await writing(play)
    await found.ask(0, 0)
    await play.expect_end(found.link, "an R2T for nothing is taken", within=2)
    await found.abandon()


@scenario(
    "DO-16",
    "An R2T for more than MaxBurstLength is not answered with more than that in one sequence.",
    _BURST,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target={**SOLICITED, "max_burst_length": 65_536, "first_burst_length": 65_536},
    mutants=("r2t-long",),
)
async def r2t_too_long(play: Play) -> None:
    found = await writing(play, 131_072)
    most = found.link.parameters.max_burst_length
    asked = await found.ask(0, min(2 * most, found.length))
    length = 0
    with suppress(Left, Silence):
        length = sum(len(pdu.data) for pdu in await found.burst(asked, within=1.5))
    play.check(length <= most, f"a sequence of {length} bytes, {most} were agreed")
    if length and found.link.is_open:
        await settle(found)
    else:
        await found.abandon()


@scenario(
    "DO-17",
    "An R2T beyond the end of what a command writes brings no data from beyond it.",
    _WITHIN,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=SOLICITED,
    mutants=("r2t-overrun",),
)
async def r2t_beyond_the_end(play: Play) -> None:
    found = await writing(play)
    await found.ask(found.length - 256, 512)
    beyond = await stays_silent(
        found.link,
        lambda pdu: found.is_mine(pdu) and pdu.buffer_offset + len(pdu.data) > found.length,
    )
    play.check(beyond, "data come from beyond the end of what is written")
    await found.abandon()


@scenario(
    "DO-18",
    "An R2T for another unit than that of its command is not answered.",
    _TAGS,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=SOLICITED,
    mutants=("any-lun",),
)
async def r2t_of_another_unit(play: Play) -> None:
    found = await writing(play)
    await found.ask(0, 512, lun=found.command.lun ^ 1 << 48)
    silent = await stays_silent(found.link, found.is_mine)
    play.check(silent, "an R2T for another unit is answered")
    await found.abandon()


@scenario(
    "DO-19",
    "An R2T for a task that there is not, or for one that reads, brings no data.",
    _LIVE,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=SOLICITED,
    mutants=("r2t-strays-answered",),
)
async def r2t_for_no_write(play: Play) -> None:
    found = await writing(play)
    link, unknown = found.link, found.command.itt ^ 0x1000
    asked = await found.ask(0, 512, itt=unknown)
    silent = await stays_silent(link, lambda pdu: pdu.itt == unknown or pdu.ttt == asked.ttt)
    play.check(silent, "an R2T with an unknown tag is answered", _TAGS)
    if not link.is_open:
        return
    found.r2t_sn = 0
    await settle(found)
    read = await next_reading(link, 512)
    await link.say(Writing(link, read.command, [], bytearray()).r2t(0, 512))
    silent = await stays_silent(link, lambda pdu: pdu.itt == read.command.itt)
    play.check(silent, "an R2T for a read is answered")
    await read.goes_on()


@scenario(
    "DO-20",
    "An R2T with the reserved transfer tag is a format error.",
    _FORMAT,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=SOLICITED,
    mutants=("r2t-untagged",),
)
async def r2t_without_tag(play: Play) -> None:
    found = await writing(play)
    await found.ask(0, 512, ttt=NO_TASK)
    await play.expect_end(found.link, "an R2T with the reserved tag is taken", within=2)
    await found.abandon()


@scenario(
    "DO-21",
    "An R2T that comes twice is answered once, and one that is missing is missed.",
    _MISSING,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=SOLICITED,
    mutants=("r2t-again", "r2t-missed"),
)
async def r2t_sn(play: Play) -> None:
    found = await writing(play, 1536)
    asked = await found.ask(0, 512)
    await answers(play, [(found, asked)])
    await found.link.say(asked)
    silent = await stays_silent(found.link, found.is_mine)
    play.check(silent, "an R2T that comes twice is answered twice", _DUPLICATES)
    if not found.link.is_open:
        # Session recovery is allowed upon all errors (section 7.1.4.4).
        play.inform(False, "an R2T that comes twice ends the session")
        return
    found.r2t_sn += 1
    asked = await found.ask(512, 512)
    try:
        await found.burst(asked, within=1.5)
    except Silence:
        play.check(True, "")
        await found.abandon()
        return
    except Left:
        play.check(True, "")
        return
    await settle(found)
    await play.expect_no_success(
        found.link, found.command, "a write succeeds although an R2T is missing"
    )
