"""RA: recovery of connections, error recovery level 2 (RFC 7143 sections 6.3.4, 7.1.4.3, 7.2.2)."""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi.conformance.bench.levels import log_in_instead, session_at, take_beside
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reads_blocks
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    DataIn,
    LoginRequest,
    LogoutReason,
    LogoutRequest,
    ScsiCommand,
    SnackRequest,
    SnackType,
    TaskFunction,
    TaskManagementRequest,
    TaskResult,
)

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_REINSTATES = Rule("7143-6.3.4-1")
_REASSIGNS = Rule("7143-7.1.4.3-1")
_LOGGED_OUT = Rule("7143-7.2.2-1")
_EXP_DATA_SN = Rule("7143-11.5.6-1")
_IMMEDIATE = Rule("7143-11.5.1-2")
_WAITS = Rule("7143-7.5-1", Level.SHOULD)
_ANSWERS = Rule("7143-7.2.2-1", Level.NOTE)
_NOT_AGAIN = Rule("7143-11.16.2-1")

_BACK = 30.0
_LEVEL_2: dict[str, Any] = {
    "needs": {Ability.LEVEL_2},
    "initiator": {"error_recovery_level": 2},
    "stimulus": Stimulus.FAULT,
}
_PIECE = 512
_OURS = {"7143-4.2.5.1-2", "7143-4.2.2.4-2", "7143-13.19-1"}
"""What seems broken where a task goes on by another connection."""


@attrs.frozen
class _Lost:
    """A read whose connection was lost, and the next one that the initiator has opened."""

    command: ScsiCommand
    before: Link
    link: Link
    login: LoginRequest
    tsih: int


async def _lose_connection(play: Play, *, told: int = 0) -> _Lost:
    """A read of which so many Data-In have come; its connection is gone, and another is there."""
    link = await session_at(play, 2)
    command = await link.take(ScsiCommand, where=reads_blocks)
    for number in range(told):
        await link.say(
            DataIn(
                itt=command.itt,
                data_sn=number,
                buffer_offset=number * _PIECE,
                data=bytes([0x5C]) * _PIECE,
            )
        )
    session = link.known.session
    assert session is not None
    tsih = session.tsih
    await link.reset()
    again = await play.expect_connection("it does not come back", _BACK, _REASSIGNS)
    request = await again.take(LoginRequest, within=_BACK)
    return _Lost(command, link, again, request, tsih)


async def _reassigned(play: Play, lost: _Lost) -> TaskManagementRequest:
    """The login ends, and the task is reassigned."""
    await log_in_instead(lost.link, lost.login, lost.tsih)
    return await play.expect(
        lost.link,
        TaskManagementRequest,
        where=lambda pdu: pdu.function == TaskFunction.TASK_REASSIGN,
        breach="the task is not reassigned",
        rule=_REASSIGNS,
        despite_logout=True,
    )


@scenario(
    "RA-01",
    "A connection is reinstated with the TSIH and its CID, and then its tasks are reassigned.",
    _REINSTATES,
    Drive.RECOVER,
    mutants=("reassign-other-cid", "reassign-forgone"),
    breaches=_OURS,
    unh=("FFP 7.1",),
    **_LEVEL_2,
)
async def reinstatement(play: Play) -> None:
    lost = await _lose_connection(play)
    first = lost.before.known.first_login
    assert first is not None
    play.check(lost.login.tsih == lost.tsih, f"it comes back with TSIH {lost.login.tsih:#06x}")
    play.check(lost.login.cid == first.cid, "it comes back with another CID")
    request = await _reassigned(play, lost)
    play.check(request.referenced_task_tag == lost.command.itt, "another task is reassigned")


@scenario(
    "RA-02",
    "A connection that is lost beside another is logged out by that, and its tasks are reassigned.",
    _LOGGED_OUT,
    Drive.CONNECTIONS,
    target={"max_connections": 2},
    initiator={"max_connections": 2, "error_recovery_level": 2},
    needs={Ability.LEVEL_2, Ability.CONNECTIONS},
    stimulus=Stimulus.FAULT,
    breaches=_OURS,
    mutants=("reassign-early",),
)
async def removed_for_recovery(play: Play) -> None:
    first = await session_at(play, 2)
    if first.parameters.max_connections < 2:
        raise NotExercised("one connection was agreed")
    second = await play.connection(within=10)
    await second.login()
    await take_beside(second, first, ScsiCommand)
    mine = second.known.first_login
    assert mine is not None
    await second.reset()
    pdu = await play.expect(
        first,
        LogoutRequest,
        TaskManagementRequest,
        breach="the lost connection is not logged out",
        within=_BACK,
    )
    if not isinstance(pdu, LogoutRequest):
        play.check(False, "a task is reassigned before its connection was logged out")
        return
    play.check(pdu.reason == LogoutReason.REMOVE_FOR_RECOVERY, f"reason {pdu.reason}")
    play.check(pdu.cid == mine.cid, "another connection is logged out")
    await first.answer(pdu)
    await play.expect(
        first,
        TaskManagementRequest,
        where=lambda pdu: pdu.function == TaskFunction.TASK_REASSIGN,
        breach="the task is not reassigned",
        rule=_REASSIGNS,
    )


@scenario(
    "RA-03",
    "TASK REASSIGN is immediate, names the task, and says which data are expected next.",
    _EXP_DATA_SN,
    Drive.RECOVER,
    breaches=_OURS,
    mutants=("reassign-data-sn", "reassign-counted"),
    unh=("FFP 19.5",),
    **_LEVEL_2,
)
async def fields(play: Play) -> None:
    lost = await _lose_connection(play, told=2)
    request = await _reassigned(play, lost)
    play.check(request.immediate, "it is not immediate", _IMMEDIATE)
    play.check(request.referenced_task_tag == lost.command.itt, "it names another task")
    play.check(request.exp_data_sn in (0, 1, 2), f"ExpDataSN is {request.exp_data_sn}, 2 came")


@scenario(
    "RA-04",
    "When tasks cannot be reassigned the initiator does not wait for them.",
    _ANSWERS,
    Drive.RECOVER,
    breaches=_OURS,
    **_LEVEL_2,
)
async def not_supported(play: Play) -> None:
    lost = await _lose_connection(play)
    request = await _reassigned(play, lost)
    await lost.link.answer(request, response=TaskResult.REASSIGNMENT_NOT_SUPPORTED)
    try:
        await lost.link.take(ScsiCommand, LogoutRequest, TaskManagementRequest, within=10)
    except (Left, Silence) as what:
        play.inform(isinstance(what, Left), "the task is waited for")
    else:
        play.inform(True, "")


@scenario(
    "RA-05",
    "After a reassignment no data are asked for that were not expected any more.",
    _NOT_AGAIN,
    Drive.RECOVER,
    breaches=_OURS,
    mutants=("snack-from-zero",),
    **_LEVEL_2,
)
async def expected_data(play: Play) -> None:
    lost = await _lose_connection(play, told=2)
    request = await _reassigned(play, lost)
    await lost.link.answer(request)
    start = request.exp_data_sn
    if not start:
        raise NotExercised("it asks for all data anew")
    place = start + 1
    data = DataIn(
        itt=lost.command.itt,
        data_sn=place,
        buffer_offset=place * _PIECE,
        data=bytes([0x5C]) * _PIECE,
    )
    await lost.link.say(data)
    snack = await play.expect(
        lost.link,
        SnackRequest,
        where=lambda pdu: pdu.type == SnackType.DATA_OR_R2T,
        breach="the missing data are not asked for",
    )
    play.check(snack.beg_run >= start, f"data from DataSN {snack.beg_run} on are asked for")


@scenario(
    "RA-06",
    "No connection is reinstated before Time2Wait is over.",
    _WAITS,
    Drive.RECOVER,
    target={"default_time2wait": 3},
    breaches=_OURS,
    mutants=("recovery-hasty",),
    **_LEVEL_2,
)
async def time_to_wait(play: Play) -> None:
    link = await session_at(play, 2)
    await link.take(ScsiCommand, where=reads_blocks)
    await link.reset()
    play.check(await play.has_no_other(2.7), "it comes back before Time2Wait is over")
    await play.connection(_BACK)
