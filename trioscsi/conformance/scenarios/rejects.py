"""RJ: what becomes of what is rejected (RFC 7143 sections 7.3 and 11.17)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reads_blocks
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import ping, r2t, reject
from trioscsi.conformance.bench.writings import writes_blocks
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    DataOut,
    LogoutRequest,
    NopOut,
    Reject,
    RejectReason,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
)
from trioscsi.pdu.sense import join

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_PLUGGED = Rule("7143-7.3-1")
_WAITS = Rule("7143-7.3-2", Level.NOTE)
_LOGS_OUT = Rule("7143-11.9.1-1")
_RESET = Rule("7143-11.17.1-2")
_SEEN = Rule("7143-4.2.2.2-1")
_LOGGED = Rule("7143-7.3-2", Level.NOTE)

_NEGOTIATION_RESET = 0x0B
_MARK = 0x7E57
_PATIENCE = 40.0
"""Seconds: an initiator may abort a command that was rejected when its time is over (7.11)."""
_ABORTED = bytes.fromhex("70000b000000000a00000000470500000000")
"""ABORTED COMMAND with 47h/05h, as data have come that were not expected (section 11.4.7.2)."""


async def _expect_plugged(play: Play, link: Link, command: ScsiCommand) -> None:
    """The CmdSN of a rejected command comes again, it is aborted, or the session is given up.

    Who does nothing more has no use for the session, and for that CmdSN.
    """
    cmd_sn, before = command.cmd_sn, link.count

    def plugs(pdu: Any) -> bool:
        if isinstance(pdu, TaskManagementRequest) and pdu.function == TaskFunction.ABORT_TASK:
            return bool(pdu.referenced_task_tag == command.itt)
        return not pdu.immediate and bool(pdu.cmd_sn == cmd_sn)

    try:
        again = await link.take(
            ScsiCommand, NopOut, LogoutRequest, TaskManagementRequest, where=plugs, within=_PATIENCE
        )
    except Left:
        play.check(True, "")
        return
    except Silence:
        if not any(_is_numbered(pdu) for pdu in link.since(before)):
            raise NotExercised("it has nothing more to do") from None
        play.check(False, f"CmdSN {cmd_sn} does not come again")
        return
    play.check(True, "")
    await link.forward(again)


def _is_numbered(pdu: Any) -> bool:
    return hasattr(pdu, "cmd_sn") and not pdu.immediate


@scenario(
    "RJ-01",
    "The CmdSN of a command that was rejected is used again, or the session ends.",
    _PLUGGED,
    Drive.RECOVER,
    mutants=("reject-gap",),
)
async def command_is_rejected(play: Play) -> None:
    link = await play.session()
    await link.run_for(3)  # who looks at a new disk has more patience than its users
    command = await link.take(ScsiCommand, where=reads_blocks)
    await link.refuse(command, RejectReason.INVALID_PDU_FIELD)
    await _expect_plugged(play, link, command)


@scenario(
    "RJ-02",
    "A command whose immediate data were damaged is sent again, or its CmdSN is used otherwise.",
    _PLUGGED,
    Drive.RECOVER,
    target={"immediate_data": True},
    mutants=("reject-gap",),
)
async def immediate_data_are_damaged(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand, where=lambda pdu: len(pdu.data) > 0)
    await link.refuse(command, RejectReason.DATA_DIGEST_ERROR)
    await _expect_plugged(play, link, command)


@scenario(
    "RJ-03",
    "A task whose data were rejected waits for its response.",
    _WAITS,
    Drive.WRITE,
    target={"initial_r2t": True, "immediate_data": False},
    mutants=("reject-ends-task",),
)
async def data_are_rejected(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand, where=writes_blocks)
    length = min(512, command.expected_data_transfer_length)
    await link.say(r2t(command, 0, length, ttt=1))
    data = await play.expect(link, DataOut, breach="the R2T is not answered")
    await link.say(reject(data, RejectReason.INVALID_PDU_FIELD))
    before = link.count
    await link.run_for(1)
    play.check(link.is_open and link.count == before, "the task is not waited for")
    residual = command.expected_data_transfer_length
    await link.answer(
        command, status=2, data=join(_ABORTED), underflow=True, residual_count=residual
    )
    ending = await play.ending()
    play.check(ending.how is not How.HUNG, "the initiator hangs")


@scenario(
    "RJ-04",
    "A Reject that concerns no command ends no task.",
    _LOGGED,
    Drive.READ,
)
async def diagnostic(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand)
    for reason in (
        RejectReason.TASK_IN_PROGRESS,
        RejectReason.INVALID_DATA_ACK,
        RejectReason.LONG_OPERATION_REJECT,
    ):
        await link.say(reject(NopOut(cmd_sn=command.cmd_sn), reason))
    await link.forward(command)
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


@scenario(
    "RJ-05",
    "An initiator whose command is rejected as the target waits for a logout does log out.",
    _LOGS_OUT,
    Drive.MIXED,
    mutants=("logout-reason",),
)
async def waiting_for_logout(play: Play) -> None:
    link = await play.session()
    for _ in range(3):
        await link.see(ScsiCommand)
    command = await link.take(ScsiCommand)
    link.numbers.unheard(command)
    await link.say(
        AsyncMessage(async_event=AsyncEvent.LOGOUT_REQUEST, parameter3=3),
        reject(command, RejectReason.WAITING_FOR_LOGOUT),
    )
    logout = await play.expect(link, LogoutRequest, breach="no logout within 3 seconds", within=3.5)
    play.check(logout.reason in (0, 1), f"the logout is for reason {logout.reason}")
    await link.answer(logout)


@scenario(
    "RJ-06",
    "A Reject for a reason that is not used any more ends the connection.",
    _RESET,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
    mutants=("reject-reset",),
    unh=("FFP 18.5",),
)
async def deprecated_reason(play: Play) -> None:
    link = await play.session()
    await link.run_for(1)
    await link.say(reject(NopOut(), _NEGOTIATION_RESET))
    await play.expect_drop(link, "the connection goes on", 3)


@scenario(
    "RJ-07",
    "A Reject of nothing, or of what was never sent, does no harm.",
    _LOGGED,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
)
async def nothing_rejected(play: Play) -> None:
    link = await play.session()
    await link.run_for(1)
    await link.say(
        Reject(reason=RejectReason.PROTOCOL_ERROR),
        reject(ScsiCommand(itt=0xDEAD), RejectReason.PROTOCOL_ERROR),
    )
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


@scenario(
    "RJ-08",
    "The status number of a Reject is acknowledged.",
    _SEEN,
    Drive.IDLE,
    mutants=("exp-stat-sn-zero",),
)
async def reject_is_acknowledged(play: Play) -> None:
    link = await play.session()
    await link.run_for(1)
    await link.say(reject(NopOut(cmd_sn=link.numbers.exp_cmd_sn), RejectReason.INVALID_DATA_ACK))
    due = link.numbers.stat_sn
    await link.say(ping(ttt=_MARK))
    answer = await link.take(NopOut, where=lambda pdu: pdu.ttt == _MARK, within=3)
    play.check(answer.exp_stat_sn == due, "the Reject is not acknowledged")
