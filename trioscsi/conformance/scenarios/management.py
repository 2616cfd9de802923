"""TM: task management (RFC 7143 sections 4.2.3, 7.11, 11.5 and 11.6)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.bursts import SOLICITED
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reads_blocks
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import r2t
from trioscsi.conformance.bench.writings import writes_blocks
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    ScsiCommand,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskResult,
)

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_REF_CMD_SN = Rule("7143-11.5.5-1")
_REF_TAG = Rule("7143-11.5.4-1")
_ANSWERS_R2TS = Rule("7143-11.5.1-3")
_ANSWERS_TAGS = Rule("7143-4.2.3.3-7")
_HEADER = Rule("7143-11.5.2-1")
_SILENT = Rule("7143-4.2.3.4-1")
_DISCARDED = Rule("7143-4.2.3.3-1")
_ESCALATES = Rule("7143-7.11-1", Level.NOTE)
_ENDS = Rule("7143-7.11-2", Level.NOTE)

_TTT = 0x40
_WAIT = 15.0
"""Seconds within which an initiator gives up a command that is not answered."""


def _aborts(pdu: TaskManagementRequest) -> bool:
    return pdu.function == TaskFunction.ABORT_TASK


def _moves_blocks(pdu: ScsiCommand) -> bool:
    return reads_blocks(pdu) or writes_blocks(pdu)


async def _ignored(play: Play) -> tuple[Link, ScsiCommand, TaskManagementRequest]:
    """A command that is not answered, up to the request to abort it."""
    link = await play.session()
    command = await link.take(ScsiCommand, where=_moves_blocks)
    return link, command, await link.take(TaskManagementRequest, where=_aborts, within=_WAIT)


@scenario(
    "TM-01",
    "To abort a task its tag, its CmdSN and its unit are named, and CmdSN is the one that is due.",
    _REF_CMD_SN,
    Drive.ABORT,
    mutants=("management-tag", "management-cmdsn"),
    unh=("FFP 19.1", "FFP 19.2", "FFP 19.3", "FFP 2.2"),
)
async def abort(play: Play) -> None:
    link, command, request = await _ignored(play)
    play.check(request.referenced_task_tag == command.itt, "it names another task")
    if not command.immediate:
        play.check(request.ref_cmd_sn == command.cmd_sn, "it names another CmdSN")
    play.check(request.lun == command.lun, "it names another unit")
    due = link.numbers.exp_cmd_sn - (not request.immediate)
    play.check(request.cmd_sn == due % 2**32, "its own CmdSN is not the one that is due")
    await link.answer(request)
    ending = await play.ending()
    play.check(ending.how is not How.HUNG, "the aborted command is waited for", _ENDS)


@scenario(
    "TM-02",
    "A task that was aborted has ended, and is not waited for.",
    _ENDS,
    Drive.ABORT,
    mutants=("management-result-ignored",),
)
async def aborted_task(play: Play) -> None:
    link, _, request = await _ignored(play)
    await link.answer(request, response=TaskResult.COMPLETE)
    await play.expect_survival("the aborted command is waited for", 10)


async def _escalates(play: Play, link: Link, breach: str) -> None:
    """Something stronger follows: another function, a logout, or the end of the connection."""
    try:
        again = await link.take(TaskManagementRequest, within=_WAIT)
    except Left:
        play.inform(True, breach)
    except Silence:
        play.inform(not link.is_open, breach)
    else:
        play.inform(True, breach)
        await link.answer(again)
        ending = await play.ending()
        play.inform(ending.how is not How.HUNG, str(ending))


@scenario(
    "TM-03",
    "When a task cannot be aborted, something stronger is tried.",
    _ESCALATES,
    Drive.ABORT,
)
async def abort_fails(play: Play) -> None:
    link, _, request = await _ignored(play)
    await link.answer(request, response=TaskResult.REJECTED)
    await _escalates(play, link, "nothing follows a function that was rejected")


@scenario(
    "TM-04",
    "When task management is not answered, something stronger is tried.",
    _ESCALATES,
    Drive.ABORT,
)
async def abort_is_not_answered(play: Play) -> None:
    link, _, _ = await _ignored(play)
    await _escalates(play, link, "nothing follows a function that is not answered")


async def _writing(play: Play, function: TaskFunction) -> tuple[Link, ScsiCommand, Any]:
    """A write of which nothing was asked for, up to a function that is about all tasks."""
    link = await play.session()
    command = await link.take(ScsiCommand, where=writes_blocks)
    request = await link.take(
        TaskManagementRequest, where=lambda pdu: pdu.function == function, within=_WAIT
    )
    return link, command, request


async def _expect_answer(play: Play, link: Link, command: ScsiCommand, rule: Rule) -> None:
    """An R2T that comes after the function, and before its response, is answered."""
    await link.say(r2t(command, 0, 1024, ttt=_TTT))
    data = await play.expect(
        link,
        DataOut,
        where=lambda pdu: pdu.ttt == _TTT,
        breach="a transfer tag of an affected task is not answered",
        rule=rule,
        despite_logout=True,
    )
    while not data.final:
        data = await play.expect(link, DataOut, breach="the sequence does not end", rule=rule)
    play.check(True, "", rule)


@scenario(
    "TM-05",
    "Who resets a unit names no task, and goes on to answer R2Ts until the response comes.",
    _REF_TAG,
    Drive.RESET,
    target=SOLICITED,
    mutants=("management-reset-tag", "management-silent"),
    also=(_ANSWERS_TAGS,),
    unh=("FFP 19.4.1",),
)
async def unit_reset(play: Play) -> None:
    link, command, request = await _writing(play, TaskFunction.LOGICAL_UNIT_RESET)
    play.check(request.referenced_task_tag == NO_TASK, "it names a task")
    play.check(request.lun == command.lun, "it names another unit")
    if link.parameters.task_reporting != "FastAbort":
        await _expect_answer(play, link, command, _ANSWERS_TAGS)
    await link.answer(request)
    ending = await play.ending()
    play.check(ending.how is not How.HUNG, "the aborted command is waited for", _ENDS)


@scenario(
    "TM-06",
    "Who aborts a task set goes on to answer R2Ts until the response comes.",
    _ANSWERS_R2TS,
    Drive.ABORT_SET,
    target=SOLICITED,
    mutants=("management-silent",),
    unh=("FFP 19.4.2",),
)
async def task_set(play: Play) -> None:
    link, command, request = await _writing(play, TaskFunction.ABORT_TASK_SET)
    await _expect_answer(play, link, command, _ANSWERS_R2TS)
    await link.answer(request)


@scenario(
    "TM-07",
    "Where FastAbort was agreed no data follow a function for the tasks that it ends.",
    _SILENT,
    Drive.ABORT_SET,
    target=SOLICITED,
    needs={Ability.FAST_ABORT},
    initiator={"task_reporting": ("FastAbort", "ResponseFence", "RFC3720")},
    mutants=("abort-talks-on",),
)
async def fast_abort(play: Play) -> None:
    link = await play.session()
    if link.parameters.task_reporting != "FastAbort":
        raise NotExercised("FastAbort was not agreed")
    command = await link.take(ScsiCommand, where=writes_blocks)
    request = await link.take(TaskManagementRequest, within=_WAIT)
    await link.say(r2t(command, 0, 1024, ttt=_TTT))
    before = link.count
    await link.run_for(1)
    data = [pdu for pdu in link.since(before) if isinstance(pdu, DataOut)]
    play.check(not data, "data for an affected task are sent")
    await link.answer(request)


@scenario(
    "TM-08",
    "A response for a task that comes behind that of the function which has ended it is nothing.",
    _DISCARDED,
    Drive.ABORT_SET,
    target=SOLICITED,
    stimulus=Stimulus.BREACH,
    mutants=("response-late",),
    unh=("FFP 19.4.3",),
)
async def late_response(play: Play) -> None:
    link, command, request = await _writing(play, TaskFunction.ABORT_TASK_SET)
    await link.answer(request)
    await link.say(ScsiResponse(itt=command.itt))
    ending = await play.ending()
    play.check(ending.how is How.DONE, f"it is not discarded ({ending})")


@scenario(
    "TM-09",
    "To abort an immediate command, RefCmdSN is the CmdSN of the request itself.",
    _REF_CMD_SN,
    Drive.ABORT_IMMEDIATE,
    mutants=("management-cmdsn",),
)
async def abort_immediate(play: Play) -> None:
    link = await play.session()
    await link.take(ScsiCommand, where=lambda pdu: pdu.immediate)
    request = await link.take(TaskManagementRequest, where=_aborts, within=_WAIT)
    play.check(request.ref_cmd_sn == request.cmd_sn, "RefCmdSN is another one")
    await link.answer(request)


@scenario(
    "TM-10",
    "After a cold reset all connections are gone, and the initiator comes back.",
    _ESCALATES,
    Drive.TARGET_RESET,
    needs={Ability.RECOVERS},
)
async def cold_reset(play: Play) -> None:
    link, _, request = await _writing(play, TaskFunction.TARGET_COLD_RESET)
    await link.answer(request)
    await link.close()
    await play.session(within=20)
    play.inform(True, "")


@scenario(
    "TM-11",
    "A task management request is a header alone, with the bit that is printed as 1.",
    _HEADER,
    Drive.ABORT,
    mutants=("management-without-f",),
)
async def header_alone(play: Play) -> None:
    link, _, request = await _ignored(play)
    header = link.last_raw
    play.check(header[1] & 0x80, "the first bit of byte 1 is 0")
    play.check(not header[4], "TotalAHSLength is not 0")
    play.check(not any(header[5:8]), "DataSegmentLength is not 0")
    await link.answer(request)
