"""RS: how commands end: statuses and sense data (RFC 7143 section 11.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trioscsi.conformance.bench.bursts import SOLICITED
from trioscsi.conformance.bench.link import Left, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import (
    Reading,
    gather,
    reading,
    reads_blocks,
    take_reading,
)
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.statuses import (
    ABORTED_COMMAND,
    ACA_ACTIVE,
    BUSY,
    CHECK_CONDITION,
    GOOD,
    RESERVATION_CONFLICT,
    TASK_ABORTED,
    TASK_SET_FULL,
    UNIT_ATTENTION,
    checked,
    descriptor,
    failed,
    fixed,
)
from trioscsi.conformance.bench.writings import write_command
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import ScsiCommand, ScsiResponse, ScsiResult
from trioscsi.serial import less
from trioscsi.text import Side

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_SENSE = Rule("7143-11.4.7-2")
_FORMAT = Rule("7143-7.7-1")
_RESPONSE = Rule("7143-11.4.3-1")
_LATER = Rule("7143-11.4.2-2", Level.NOTE)
_NO_RETRY = Rule("7143-7.2.1-2")
_CLEARED = Rule("7143-11.14.5-2", Level.NOTE)
_TAGS = Rule("7143-4.2.5.3-1")

_WITHOUT_ATTENTION = frozenset({0x03, 0x12, 0xA0})
"""REQUEST SENSE, INQUIRY and REPORT LUNS do not end with a unit attention (SAM-5 section 5.14)."""
_WITHOUT_FLAGS = {"underflow": False, "overflow": False, "residual_count": 0}
_ISCSI_CONDITIONS = ((0x47, 0x05), (0x0C, 0x0C), (0x0C, 0x0D), (0x11, 0x13))
"""Additional sense codes of section 11.4.7.2."""


@scenario(
    "RS-05",
    "Sense data are borne in fixed and in descriptor format, and if they have 252 bytes.",
    _SENSE,
    Drive.READ,
    mutants=("sense-descriptors-lost",),
)
async def sense_data(play: Play) -> None:
    link = await play.session()
    formats = (
        fixed(UNIT_ATTENTION, 0x2A, 0x01),
        descriptor(UNIT_ATTENTION, 0x2A, 0x01),
        fixed(UNIT_ATTENTION, 0x2A, 0x01, 252),
    )
    told: list[int] = []
    given_up = False
    try:
        for sense in formats:
            command = await link.take(ScsiCommand, where=_may_have_attention, within=5)
            await link.say(checked(command, sense))
            told.append(command.cdb[0])
    except Left as left:
        given_up = left.side is Side.INITIATOR and not link.has_logged_out
    except Silence:
        pass
    # The first are the most usual ones: whoever bears them only with other commands may give up
    # because this one has failed.
    if not told:
        raise NotExercised("it sends no command that sense data could end")
    certain = bool(told) and told[-1] in told[:-1]
    play.check(not (given_up and certain), "the connection is closed upon sense data")
    await play.expect_survival("sense data do harm")
    if given_up and not certain:
        raise NotExercised("it gives up when a command fails, whatever the sense data")


@scenario(
    "RS-06",
    "CHECK CONDITION without a data segment is a format error, which ends the session.",
    _FORMAT,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("sense-missing",),
)
async def no_sense_data(play: Play) -> None:
    found = await reading(play)
    await found.link.say(_ended(found.command, status=CHECK_CONDITION))
    await play.expect_end(found.link, "the connection goes on", within=2)


@scenario(
    "RS-07",
    "Sense data that are said to be longer than their segment are not read beyond it.",
    Rule("7143-11.4.7-2", Level.NOTE),
    Drive.READ,
    stimulus=Stimulus.BREACH,
)
async def sense_too_long(play: Play) -> None:
    found = await reading(play)
    data = (200).to_bytes(2) + fixed(ABORTED_COMMAND, 0x4B, 0x00)
    await found.link.say(_ended(found.command, status=CHECK_CONDITION, data=data))
    await play.expect_survival("sense data that are shorter than they say do harm")


@scenario(
    "RS-08",
    "A command that the target could not carry out has failed, although its status field is 0.",
    _RESPONSE,
    Drive.READ,
    mutants=("response-ignored",),
)
async def target_failure(play: Play) -> None:
    await _judge_response(play, ScsiResult.TARGET_FAILURE)


@scenario(
    "RS-09",
    "A response with a reserved code is no success.",
    _RESPONSE,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("response-ignored",),
)
async def reserved_response(play: Play) -> None:
    await _judge_response(play, 0x55)


@scenario(
    "RS-10",
    "A command that ends with BUSY is sent anew later.",
    _LATER,
    Drive.READ,
    unh=("FFP 16.4.5",),
)
async def busy(play: Play) -> None:
    found = await reading(play)
    await found.link.say(_ended(found.command, status=BUSY))
    await play.expect_no_success(found.link, found.command, "BUSY passes for a success")


@scenario(
    "RS-11",
    "A command that ends with TASK SET FULL is sent anew later.",
    _LATER,
    Drive.PARALLEL_READ,
)
async def task_set_full(play: Play) -> None:
    link = await play.session()
    *others, last = await gather(link, 8, reads_blocks)
    await link.say(_ended(last, status=TASK_SET_FULL))
    for command in others:
        await link.forward(command)
    await play.expect_no_success(link, last, "TASK SET FULL passes for a success")


@scenario(
    "RS-12",
    "RESERVATION CONFLICT, TASK ABORTED and ACA ACTIVE do not pass for success.",
    _LATER,
    Drive.PARALLEL_READ,
    unh=("FFP 16.4.6",),
)
async def other_statuses(play: Play) -> None:
    link = await play.session()
    commands = await gather(link, 3, reads_blocks)
    for command, status in zip(
        commands, (RESERVATION_CONFLICT, TASK_ABORTED, ACA_ACTIVE), strict=False
    ):
        await link.say(_ended(command, status=status))
    await play.expect_no_success(link, commands[0], "a status that is none of success passes")


@scenario(
    "RS-13",
    "A write that ends with a condition of iSCSI has failed, and is not sent again as it was.",
    _NO_RETRY,
    Drive.WRITE,
    target=SOLICITED,
    mutants=("status-retried",),
    unh=("FFP 16.4.1", "FFP 16.4.2", "FFP 16.4.3", "FFP 16.4.4"),
)
async def iscsi_conditions(play: Play) -> None:
    link, command = await write_command(play)
    first = last = command
    try:
        for asc, ascq in _ISCSI_CONDITIONS:
            await link.say(failed(last, ABORTED_COMMAND, asc, ascq))
            done = last.cmd_sn
            last = await link.take(ScsiCommand, where=lambda pdu: pdu.write, within=2)
            new = less(done, last.cmd_sn)
            if not play.check(new, "a command that has failed is sent again with its CmdSN"):
                return
        await link.forward(last)
    except (Left, Silence):
        play.check(True, "")
    await play.expect_no_success(link, first, "a write that has failed passes for a success")


@scenario(
    "RS-14",
    "A unit attention that tells of commands ended with their session is borne.",
    _CLEARED,
    Drive.READ,
    mutants=("attention-fatal",),
)
async def cleared_commands(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand, where=_may_have_attention)
    await link.say(failed(command, UNIT_ATTENTION, 0x47, 0x7F))
    await play.expect_success("the initiator does not go on")


@scenario(
    "RS-15",
    "A response with a tag that nothing has does no harm to other tasks.",
    Rule("7143-4.2.5.3-1", Level.NOTE),
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("status-astray",),
)
async def unknown_tag(play: Play) -> None:
    found = await reading(play)
    stray = ScsiCommand(itt=found.command.itt ^ 0x1000)
    await found.link.say(failed(stray, ABORTED_COMMAND, 0x4B, 0x00))
    await _judge_stray(play, [found], "a response with an unknown tag is taken for another")


@scenario(
    "RS-16",
    "A second status of a task goes to no other: it is discarded, or ends the session.",
    _TAGS,
    Drive.PARALLEL_READ,
    stimulus=Stimulus.BREACH,
    mutants=("status-astray",),
)
async def second_status(play: Play) -> None:
    link = await play.session()
    found = []
    for command in await gather(link, 4, reads_blocks):
        await link.forward(command)
        found.append(await take_reading(link, command))
    await found[0].goes_on()
    await link.say(failed(found[0].command, ABORTED_COMMAND, 0x4B, 0x00))
    await _judge_stray(play, found[1:], "a second status is taken for that of another task")


def _may_have_attention(pdu: Any) -> bool:
    return pdu.cdb[0] not in _WITHOUT_ATTENTION


def _ended(command: ScsiCommand, **fields: Any) -> ScsiResponse:
    """The response to a command that has moved no data."""
    length = command.expected_data_transfer_length
    return ScsiResponse(
        **{"itt": command.itt, "underflow": length > 0, "residual_count": length, **fields}
    )


async def _judge_response(play: Play, response: int) -> None:
    found = await reading(play)
    await found.say(found.cut(), response=response, status=GOOD, exp_data_sn=0, **_WITHOUT_FLAGS)
    await play.expect_no_success(
        found.link, found.command, "a command that was not carried out passes for a success"
    )


async def _judge_stray(play: Play, others: Sequence[Reading], breach: str) -> None:
    """After a status that is nobody's: the session ends, or the other tasks do as they have to."""
    link = others[0].link
    await link.run_for(0.5)
    if not link.is_open and not link.has_logged_out:
        play.check(True, "")
        return
    for each in others:
        await each.goes_on()
    await play.expect_success(breach)
