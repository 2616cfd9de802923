"""CN, the window: which commands may be sent (RFC 7143 sections 4.2.2.1 and 11.4.11)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.faults import changing
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.numbers import is_numbered
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import (
    reads_blocks,
)
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.windows import narrow
from trioscsi.conformance.bench.words import ping
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    FROM_INITIATOR,
    FROM_TARGET,
    NO_TASK,
    LoginResponse,
    NopIn,
    NopOut,
    ScsiCommand,
    TaskManagementRequest,
)
from trioscsi.serial import add, less

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_IMMEDIATE = Rule("7143-4.2.2.1-1")
_GRANTED = Rule("7143-4.2.2.1-4")
_CONTRADICTION = Rule("7143-4.2.2.1-13")
_NEVER_BACK = Rule("7143-4.2.2.1-14")
_SERIAL = Rule("7143-4.2.2.1-15")
_ABORTED = Rule("7143-7.11-3")

_MORE = 32
"""Commands that are granted afterwards: fewer than the target behind the stage grants."""
_MANY = 2000
"""More commands than an initiator gives in one scenario."""
_HALF = 2**31
_FAILS = "the initiator does not go on"


@scenario(
    "CN-02",
    "Where no more commands are granted none come, until more are.",
    _GRANTED,
    Drive.PARALLEL_READ,
    mutants=("window-ignored",),
    unh=("FFP 3.1", "FFP 16.5"),
)
async def window_runs_out(play: Play) -> None:
    link = await narrow(play)
    beyond = await _sends_numbered(link, 2)
    play.check(not beyond, "a command comes that was not granted")
    if link.is_open:
        await link.grant(_MORE)
        link.open_window()
        await play.expect_success(_FAILS)


@scenario(
    "CN-03",
    "With a window of one, one command at most is not acknowledged.",
    _GRANTED,
    Drive.PARALLEL_READ,
    mutants=("window-ignored", "command-attribute", "command-length"),
    unh=("FFP 3.3",),
)
async def window_of_one(play: Play) -> None:
    link = await _spoiled(play, max_cmd_sn=lambda pdu: pdu.exp_cmd_sn)
    count, wrong = 0, False

    def hear(pdu: Any) -> None:
        nonlocal count, wrong
        if is_numbered(pdu):
            count += 1
            if less(link.numbers.window_end, pdu.cmd_sn) and not wrong:
                wrong = True
                play.check(False, f"CmdSN {pdu.cmd_sn} was not granted")

    link.on_request = hear
    await play.expect_success(_FAILS)
    if count > 1:
        play.check(not wrong, "commands come that were not granted")


@scenario(
    "CN-04",
    "A window may be as wide as serial arithmetic allows.",
    _SERIAL,
    Drive.READ,
    mutants=("window-too-wide",),
    unh=("FFP 3.2",),
)
async def widest_window(play: Play) -> None:
    await _spoiled(play, max_cmd_sn=lambda pdu: add(pdu.exp_cmd_sn, _HALF - 2))
    await play.expect_success(_FAILS)


@scenario(
    "CN-05",
    "A MaxCmdSN that contradicts the ExpCmdSN beside it grants nothing.",
    _CONTRADICTION,
    Drive.PARALLEL_READ,
    stimulus=Stimulus.BREACH,
    mutants=("window-contradicts",),
)
async def contradiction(play: Play) -> None:
    link = await narrow(play)
    if await _sends_numbered(link, 1):
        raise NotExercised("it sends commands that were not granted anyway")
    end, stat_sn = link.numbers.window_end, link.numbers.stat_sn or 0
    notice = NopIn(itt=NO_TASK, ttt=NO_TASK, stat_sn=stat_sn)
    notice.exp_cmd_sn, notice.max_cmd_sn = add(end, 100), add(end, 50)
    await link.say(notice, number=False)
    beyond = await _sends_numbered(link, 2)
    play.check(not beyond, "commands come that a contradiction has granted")
    if link.is_open:
        await link.grant(_MORE)
        link.open_window()
        await play.expect_success(_FAILS)


@scenario(
    "CN-06",
    "What was granted once is not taken back by a lower MaxCmdSN.",
    _NEVER_BACK,
    Drive.READ,
    breaches=("7143-4.2.2.1-6",),
    mutants=("window-shrinks",),
)
async def stale_window(play: Play) -> None:
    link = await play.connection()
    link.spoil(changing(LoginResponse, max_cmd_sn=lambda pdu: add(pdu.exp_cmd_sn, _MANY)))
    others = tuple(cls for cls in FROM_TARGET if cls is not LoginResponse)
    link.spoil(changing(*others, max_cmd_sn=lambda pdu: add(pdu.exp_cmd_sn, -1)))
    await link.login()
    await link.see(ScsiCommand)
    await play.expect_success(_FAILS)


@scenario(
    "CN-08",
    "A ping is answered although no more commands are granted, with the CmdSN that is next.",
    _IMMEDIATE,
    Drive.PARALLEL_READ,
    limit=20,
    mutants=("ping-ignored", "ping-counted"),
)
async def ping_at_closed_window(play: Play) -> None:
    link = await narrow(play)
    await link.say(ping(ttt=9))
    answer = await play.expect(
        link, NopOut, where=lambda pdu: pdu.ttt == 9, breach="the ping is not answered", within=5
    )
    play.check(answer.immediate, "the answer is not immediate")
    due = link.numbers.exp_cmd_sn
    play.check(answer.cmd_sn == due, f"the answer has CmdSN {answer.cmd_sn}, {due} is next")
    await link.grant(_MORE)
    link.open_window()
    await play.ending()


@scenario(
    "CN-09",
    "A task management request at a closed window is immediate, with the CmdSN that is next.",
    _IMMEDIATE,
    Drive.ABORT,
    needs=(Ability.TIMES_OUT,),
    mutants=("management-number", "management-counted", "command-patient"),
    also=(_ABORTED,),
    unh=("FFP 2.2",),
)
async def abort_at_closed_window(play: Play) -> None:
    link = await _spoiled(play, max_cmd_sn=lambda pdu: pdu.exp_cmd_sn)
    command = await link.take(ScsiCommand, where=reads_blocks)
    try:
        request = await link.take(TaskManagementRequest, within=8)
    except Silence:
        # Not immediate: it may wait for the window.
        await link.grant(_MORE)
        request = await play.expect(
            link,
            TaskManagementRequest,
            breach="a command that is not answered is not aborted",
            within=5,
            rule=_ABORTED,
        )
    due = link.numbers.exp_cmd_sn
    if is_numbered(request):
        kept = not less(link.numbers.window_end, request.cmd_sn)
        play.check(kept, "it was not granted", _GRANTED)
    else:
        play.check(request.cmd_sn == due, f"CmdSN {request.cmd_sn} where {due} is next")
    link.heal()
    await link.grant(_MORE)
    if request.referenced_task_tag == command.itt:
        await link.answer(request)
    else:
        await link.forward(request)
    await play.expect_survival("the initiator does not bear the answer")


async def _spoiled(play: Play, **fields: Any) -> Link:
    """A session whose window is another from its login on."""
    while True:
        link = await play.connection()
        link.spoil(changing(*FROM_TARGET, **fields))
        await link.login()
        session = link.known.session
        if session is None or not session.discovery:
            return link
        play.leave(link)


async def _sends_numbered(link: Link, within: float) -> bool:
    """Whether a request comes that takes a CmdSN."""
    try:
        await link.see(*FROM_INITIATOR, where=is_numbered, within=within)
    except (Left, Silence):
        return False
    return True


def _same(first: ScsiCommand, again: ScsiCommand) -> bool:
    """Whether a command is the one that was sent before (section 7.2.1)."""
    names = ("itt", "lun", "cdb", "read", "write", "attributes", "expected_data_transfer_length")
    return all(getattr(first, name) == getattr(again, name) for name in names)
