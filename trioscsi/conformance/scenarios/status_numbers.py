"""ST: numbers of statuses (RFC 7143 sections 4.2.2.2 and 7.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trioscsi.conformance.bench.cast import DriverEnded
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import next_reading, reading
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.statuses import UNIT_ATTENTION, fixed
from trioscsi.conformance.bench.words import ping, reject
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    FROM_INITIATOR,
    NO_TASK,
    AsyncEvent,
    AsyncMessage,
    LoginRequest,
    LogoutRequest,
    NopIn,
    NopOut,
    ReadyToTransfer,
    RejectReason,
    ScsiCommand,
)
from trioscsi.pdu.sense import join
from trioscsi.serial import add, distance, less

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_ACKNOWLEDGES = Rule("7143-4.2.2.2-1")
_GAP = Rule("7143-4.2.2.2-3")
_MISSING = Rule("7143-7.9-3")

_FIRST = (2**32 - 1, 2**31 - 1)
"""Where StatSN begins, on one connection after the other."""
_BEFORE = 1000
"""Statuses of which some may not be acknowledged yet."""


@scenario(
    "ST-01",
    "StatSN may begin anywhere; ExpStatSN follows it, over 2**32 and over 2**31.",
    _ACKNOWLEDGES,
    Drive.RELOGIN,
    mutants=("exp-stat-sn-zero", "exp-stat-sn-ahead"),
    unh=("Login 4.1", "Login 4.2", "Login 5.1"),
)
async def any_beginning(play: Play) -> None:
    for first in _FIRST:
        try:
            link = await play.connection()
        except DriverEnded:
            break
        link.numbers.stat_sn = first
        _follow(play, link)
        logout = await link.see(LogoutRequest)
        _up_to_date(play, link, logout)
        play.leave(link)


@scenario(
    "ST-02",
    "A status that is missing at error recovery level 0 costs the connection.",
    _MISSING,
    Drive.MIXED,
    stimulus=Stimulus.BREACH,
    mutants=("status-missed",),
    unh=("FFP 5.1",),
)
async def one_is_missing(play: Play) -> None:
    await _judge_gap(play, 1)


@scenario(
    "ST-03",
    "A jump of StatSN by 2**31 leads to recovery.",
    _GAP,
    Drive.MIXED,
    stimulus=Stimulus.BREACH,
    mutants=("status-missed",),
    unh=("FFP 5.1",),
)
async def many_are_missing(play: Play) -> None:
    await _judge_gap(play, 2**31)


@scenario(
    "ST-04",
    "A status that comes again does not take ExpStatSN back.",
    _ACKNOWLEDGES,
    Drive.PARALLEL_READ,
    stimulus=Stimulus.BREACH,
    mutants=("status-again",),
)
async def one_comes_again(play: Play) -> None:
    found = await reading(play)
    link = found.link
    again = found.status(len(found.cut()))
    again.stat_sn = link.numbers.stat_sn or 0
    await found.goes_on()
    await (await next_reading(link)).goes_on()
    most = (await _pinged(link, 6)).exp_stat_sn
    again.exp_cmd_sn, again.max_cmd_sn = link.numbers.exp_cmd_sn, link.numbers.window_end
    following = link.numbers.stat_sn
    await link.say(again, number=False)
    link.numbers.stat_sn = following
    await link.say(ping(ttt=7))
    try:
        answer = await link.take(NopOut, where=lambda pdu: pdu.ttt == 7, within=5)
    except Left:
        if link.has_logged_out:
            raise
        play.check(True, "")  # recovery is no breach: nothing is acknowledged any more
        return
    kept = not less(answer.exp_stat_sn, most)
    play.check(kept, f"ExpStatSN goes back from {most} to {answer.exp_stat_sn}")
    await play.expect_survival("a status that comes again does harm")


@scenario(
    "ST-05",
    "R2Ts and NOP-Ins that answer nothing have a StatSN, which is not one of a status.",
    _ACKNOWLEDGES,
    Drive.WRITE,
    target={"initial_r2t": True, "max_burst_length": 65_536, "first_burst_length": 65_536},
    limit=20,
    mutants=("nop-in-counted", "r2t-counted", "exp-stat-sn-ahead"),
)
async def what_has_no_status(play: Play) -> None:
    while True:
        link = await play.session()
        kept = _follow(play, link)
        try:
            first = await link.take(ScsiCommand, within=5)  # some are deaf before it
            await link.say(NopIn(itt=NO_TASK, ttt=NO_TASK), ping(ttt=2))
            await link.take(NopOut, where=lambda pdu: pdu.ttt == 2, within=5)
            await link.forward(first)
            await link.see(ReadyToTransfer, within=5)
            await link.see(*FROM_INITIATOR, within=5)
            break
        except Left:
            continue  # it had other things to do on this connection
    await play.ending()
    play.check(kept(), "what has not come is acknowledged")


@scenario(
    "ST-06",
    "Asynchronous Messages and Rejects are statuses as well, which ExpStatSN acknowledges.",
    _ACKNOWLEDGES,
    Drive.IDLE,
    mutants=("message-uncounted", "exp-stat-sn-zero"),
)
async def messages_are_statuses(play: Play) -> None:
    link = await play.session()
    await link.run_for(1)
    sense = fixed(UNIT_ATTENTION, 0x2A, 0x09)
    await link.say(AsyncMessage(async_event=AsyncEvent.SCSI_EVENT, data=join(sense)))
    answer = await _pinged(link, 3)
    _up_to_date(play, link, answer)
    await link.say(reject(answer, RejectReason.IMMEDIATE_COMMAND_REJECT), ping(ttt=4))
    try:
        answer = await link.take(NopOut, where=lambda pdu: pdu.ttt == 4, within=5)
    except Left as what:
        play.note(f"upon a Reject {what}")
    else:
        _up_to_date(play, link, answer)
    await play.ending()


@scenario(
    "ST-07",
    "The answer to a ping acknowledges all statuses that have come.",
    _ACKNOWLEDGES,
    Drive.IDLE,
    mutants=("ping-late", "exp-stat-sn-zero"),
)
async def ping_acknowledges(play: Play) -> None:
    link = await play.session()
    await link.run_for(1)
    _up_to_date(play, link, await _pinged(link, 5))
    await play.ending()


async def _judge_gap(play: Play, missing: int) -> None:
    """Leave statuses out: none that comes after them may be acknowledged as if they had come."""
    found = await reading(play)
    link = found.link
    base = add(link.numbers.stat_sn or 0, -_BEFORE)
    link.skip_status(missing)
    await found.goes_on()

    def is_over(pdu: Any) -> bool:
        passes = distance(base, pdu.exp_stat_sn) > _BEFORE
        return isinstance(pdu, LogoutRequest) or (passes and not isinstance(pdu, LoginRequest))

    try:
        pdu: Any = await link.take(*FROM_INITIATOR, where=is_over, within=3)
    except Left:
        play.check(True, "")
    except Silence:
        play.check(False, "the connection is not given up")
    else:
        await link.forward(pdu)
        if isinstance(pdu, LogoutRequest):
            # Recovery, or the end that would have come anyway.
            await play.expect_no_success(
                link, found.command, "a status is missing, and nobody notices"
            )
        else:
            play.check(False, f"ExpStatSN {pdu.exp_stat_sn} passes over what is missing")


def _follow(play: Play, link: Link) -> Callable[[], bool]:
    """Judge from here on that nothing is acknowledged that has not come; whether that is so."""
    wrong = False

    def hear(pdu: Any) -> None:
        nonlocal wrong
        stat_sn = link.numbers.stat_sn
        if wrong or stat_sn is None or not link.known.logged_in:
            return
        if not isinstance(pdu, LoginRequest) and less(stat_sn, pdu.exp_stat_sn):
            wrong = True
            play.check(False, f"ExpStatSN {pdu.exp_stat_sn}, and StatSN {stat_sn} has not come")

    link.on_request = hear
    return lambda: not wrong


def _up_to_date(play: Play, link: Link, pdu: Any) -> None:
    """All statuses that have come are acknowledged, by who has nothing else under way."""
    due = link.numbers.stat_sn
    play.check(pdu.exp_stat_sn == due, f"ExpStatSN {pdu.exp_stat_sn}, {due} is due")


async def _pinged(link: Link, ttt: int) -> NopOut:
    """The answer to a ping; NotExercised without one: NP-01 is about that."""
    await link.say(ping(ttt=ttt))
    try:
        return await link.take(NopOut, where=lambda pdu: pdu.ttt == ttt, within=5)
    except (Left, Silence):
        raise NotExercised("it does not answer a ping") from None
