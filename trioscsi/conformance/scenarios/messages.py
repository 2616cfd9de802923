"""AS: what a target says unasked (RFC 7143 section 11.9)."""

from __future__ import annotations

from trioscsi.conformance.bench.link import Left, Link
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.windows import narrow
from trioscsi.conformance.bench.words import ping, r2t, reject
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    NO_TASK,
    AsyncEvent,
    AsyncMessage,
    DataOut,
    LogoutRequest,
    NopOut,
    RejectReason,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.pdu.sense import join

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_LOGS_OUT = Rule("7143-11.9.1-1")
_NO_COMMANDS = Rule("7143-11.9.1-2", Level.SHOULD)
_NEGOTIATES = Rule("7143-11.9.1-3")
_ACKNOWLEDGES = Rule("7143-11.9.1-5")
_UNKNOWN = Rule("7143-11.9.1-6", Level.NOTE)
_WAITS = Rule("7143-7.5-1", Level.SHOULD)
_SEEN = Rule("7143-4.2.2.2-1")

_SECONDS = 3
"""How long the target waits for what it asks for."""
_TIME_TO_WAIT, _AT_LEAST = 5, 3.5
"""Seconds that the target asks for, and how long they are by clocks without fractions."""
_MARK = 0x7E57
"""The transfer tag of a ping whose answer shows that what came before it was seen."""


def _asking_for_logout() -> AsyncMessage:
    return AsyncMessage(async_event=AsyncEvent.LOGOUT_REQUEST, parameter3=_SECONDS)


async def _busy(play: Play) -> Link:
    """A session in which commands are going on."""
    link = await play.session()
    for _ in range(3):
        await link.see(ScsiCommand)
    return link


async def _idle(play: Play) -> Link:
    """A session in which nothing happens."""
    link = await play.session()
    await link.run_for(1)
    return link


async def _expect_logout(play: Play, link: Link) -> LogoutRequest:
    request = await play.expect(
        link, LogoutRequest, breach=f"no logout within {_SECONDS} seconds", within=_SECONDS + 0.5
    )
    play.check(request.reason in (0, 1), f"the logout is for reason {request.reason}")
    return request


@scenario(
    "AS-01",
    "An initiator that is asked to log out does so in time, and begins nothing new.",
    _LOGS_OUT,
    Drive.MIXED,
    mutants=("logout-ignored",),
    unh=("FFP 14.1", "FFP 20.1"),
)
async def logout_asked_for(play: Play) -> None:
    link = await _busy(play)
    await link.say(_asking_for_logout(), ping(ttt=_MARK))
    # What was on its way when the message came is no fault: the answer to the ping is behind it.
    seen = await play.expect(
        link, NopOut, LogoutRequest, breach="neither a logout nor an answer to a ping"
    )
    before = link.count
    if isinstance(seen, LogoutRequest):
        request = seen
        play.check(request.reason in (0, 1), f"the logout is for reason {request.reason}")
    else:
        request = await _expect_logout(play, link)
    late = [pdu for pdu in link.since(before) if isinstance(pdu, ScsiCommand)]
    play.check(not late, f"{len(late)} new commands come before the logout", _NO_COMMANDS)
    # Commands that are under way end meanwhile, and no other may come behind the logout.
    await link.run_for(0.2)
    await link.answer(request)


@scenario(
    "AS-02",
    "An initiator that is asked twice to log out does so once, though it may give no commands.",
    _LOGS_OUT,
    Drive.MIXED,
    mutants=("logout-ignored", "logout-twice", "immediate-waits"),
)
async def logout_asked_for_twice(play: Play) -> None:
    link = await narrow(play)
    await link.say(_asking_for_logout(), _asking_for_logout())
    request = await _expect_logout(play, link)
    before = link.count
    await link.run_for(0.5)
    again = [pdu for pdu in link.since(before) if isinstance(pdu, LogoutRequest)]
    play.check(not again, "there are two Logout Requests")
    if link.is_open:
        await link.answer(request)


@scenario(
    "AS-03",
    "An initiator whose commands are rejected because it has to log out does log out.",
    _LOGS_OUT,
    Drive.MIXED,
    mutants=("logout-reason",),
)
async def commands_are_rejected(play: Play) -> None:
    link = await _busy(play)
    await link.say(_asking_for_logout())
    breach = f"no logout within {_SECONDS} seconds"
    pdu = await play.expect(link, ScsiCommand, LogoutRequest, breach=breach, within=_SECONDS + 0.5)
    while isinstance(pdu, ScsiCommand):
        await link.say(reject(pdu, RejectReason.WAITING_FOR_LOGOUT))
        pdu = await play.expect(
            link, ScsiCommand, LogoutRequest, breach=breach, within=_SECONDS + 0.5
        )
    assert isinstance(pdu, LogoutRequest)
    play.check(pdu.reason in (0, 1), f"the logout is for reason {pdu.reason}")
    await link.answer(pdu)


async def _announce(play: Play, event: AsyncEvent, wait: int, retain: int) -> Link:
    """Say that the connection, or the session, is dropped, and drop it."""
    link = await _busy(play)
    first = link.known.first_login
    assert first is not None
    cid = first.cid if event is AsyncEvent.CONNECTION_DROP else 0
    message = AsyncMessage(async_event=event, parameter1=cid, parameter2=wait, parameter3=retain)
    await link.say(message)
    await link.close()
    return link


async def _comes_back(play: Play, event: AsyncEvent) -> None:
    """Whether the initiator waits for Time2Wait before it comes back."""
    await _announce(play, event, _TIME_TO_WAIT, 20)
    hasty = "it comes back before Time2Wait is over"
    play.check(await play.has_no_other(_AT_LEAST), hasty)
    await play.session(within=20)


@scenario(
    "AS-04",
    "After a connection was dropped by announcement the initiator waits before it comes back.",
    _WAITS,
    Drive.RECOVER,
    needs={Ability.RECOVERS},
    mutants=("recovery-hasty",),
    unh=("FFP 20.2",),
)
async def connection_drops(play: Play) -> None:
    await _comes_back(play, AsyncEvent.CONNECTION_DROP)


@scenario(
    "AS-05",
    "Tasks of a connection that is dropped for good are not reassigned.",
    Rule("7143-7.1.5-2", Level.NOTE),
    Drive.RECOVER,
    needs={Ability.RECOVERS},
)
async def nothing_is_retained(play: Play) -> None:
    await _announce(play, AsyncEvent.CONNECTION_DROP, 0, 0)
    link = await play.session(within=20)
    await link.run_for(1)
    reassigned = [
        pdu
        for pdu in link.heard
        if isinstance(pdu, TaskManagementRequest) and pdu.function == TaskFunction.TASK_REASSIGN
    ]
    play.inform(not reassigned, "tasks are reassigned that the target has ended")


@scenario(
    "AS-06",
    "After a session was dropped by announcement the initiator waits before it comes back.",
    _WAITS,
    Drive.RECOVER,
    needs={Ability.RECOVERS},
    mutants=("recovery-hasty",),
    unh=("FFP 20.3",),
)
async def session_drops(play: Play) -> None:
    await _comes_back(play, AsyncEvent.SESSION_DROP)


@scenario(
    "AS-07",
    "An initiator that is asked to negotiate does so in time, or logs out.",
    _NEGOTIATES,
    Drive.IDLE,
    mutants=("negotiation-ignored",),
    unh=("FFP 20.4",),
)
async def negotiation_asked_for(play: Play) -> None:
    link = await _idle(play)
    message = AsyncMessage(async_event=AsyncEvent.NEGOTIATION_REQUEST, parameter3=_SECONDS)
    await link.say(message)
    pdu = await play.expect(
        link,
        TextRequest,
        LogoutRequest,
        breach=f"neither a Text Request nor a logout within {_SECONDS} seconds",
        within=_SECONDS + 0.5,
    )
    play.check(True, "")
    await link.forward(pdu)


def _tells_numbers(pdu: NopOut | LogoutRequest) -> bool:
    return not isinstance(pdu, NopOut) or (pdu.itt == NO_TASK and pdu.ttt == NO_TASK)


@scenario(
    "AS-08",
    "Where FastAbort was agreed, data for tasks that were ended stop, and that is acknowledged.",
    _ACKNOWLEDGES,
    Drive.WRITE,
    needs={Ability.FAST_ABORT},
    target={"initial_r2t": True, "immediate_data": False},
    initiator={"task_reporting": ("FastAbort", "ResponseFence", "RFC3720")},
    mutants=("termination-ignored", "termination-talks-on"),
    unh=("FFP 15.3",),
)
async def tasks_are_ended(play: Play) -> None:
    link = await play.session()
    if link.parameters.task_reporting != "FastAbort":
        raise NotExercised("FastAbort was not agreed")
    command = await link.take(ScsiCommand, where=lambda pdu: pdu.write)
    message = AsyncMessage(async_event=AsyncEvent.TASK_TERMINATION, lun=command.lun)
    await link.say(message)
    due = link.numbers.stat_sn
    breach = "the message is not acknowledged by a NOP-Out"
    answer = await play.expect(link, NopOut, LogoutRequest, where=_tells_numbers, breach=breach)
    if not isinstance(answer, NopOut):
        play.check(False, breach)
        return
    play.check(answer.lun == command.lun, "the NOP-Out is for another unit")
    play.check(answer.exp_stat_sn == due, "the NOP-Out does not acknowledge the message")
    await link.say(r2t(command, 0, 512, ttt=1))
    before = link.count
    await link.run_for(1)
    data = [pdu for pdu in link.since(before) if isinstance(pdu, DataOut)]
    play.check(not data, "data for a task that was ended are sent")


@scenario(
    "AS-09",
    "The termination of tasks is told to an initiator that has not agreed to FastAbort.",
    _UNKNOWN,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
)
async def tasks_are_ended_unagreed(play: Play) -> None:
    link = await _idle(play)
    await link.say(AsyncMessage(async_event=AsyncEvent.TASK_TERMINATION))
    await _does_no_harm(play)


async def _does_no_harm(play: Play) -> None:
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


async def _is_acknowledged(play: Play, message: AsyncMessage) -> None:
    """A message takes a StatSN, which the next PDU has to acknowledge."""
    link = await _idle(play)
    await link.say(message)
    due = link.numbers.stat_sn
    await link.say(ping(ttt=_MARK))
    try:
        answer = await link.take(NopOut, where=lambda pdu: pdu.ttt == _MARK, within=3)
    except Left:
        play.inform(link.has_logged_out, "the session is given up")
        return
    play.check(answer.exp_stat_sn == due, "the message is not acknowledged")
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


@scenario(
    "AS-10",
    "An event of a unit is acknowledged.",
    _SEEN,
    Drive.IDLE,
    mutants=("exp-stat-sn-zero",),
)
async def unit_event(play: Play) -> None:
    # UNIT ATTENTION, REPORTED LUNS DATA HAS CHANGED.
    sense = bytes.fromhex("7000060000000010000000003f0e0000000000000000000000")[:18]
    await _is_acknowledged(play, AsyncMessage(async_event=AsyncEvent.SCSI_EVENT, data=join(sense)))


@scenario(
    "AS-11",
    "An event of a vendor is acknowledged.",
    _SEEN,
    Drive.IDLE,
    mutants=("exp-stat-sn-zero",),
)
async def vendor_event(play: Play) -> None:
    message = AsyncMessage(async_event=248, async_vcode=7, data=join(b"", b"of a vendor"))
    await _is_acknowledged(play, message)


@scenario(
    "AS-12",
    "An event that is not assigned does no harm.",
    _UNKNOWN,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
)
async def unknown_event(play: Play) -> None:
    link = await _idle(play)
    await link.say(AsyncMessage(async_event=99))
    await _does_no_harm(play)
