"""MC: several connections in one session (RFC 7143 sections 4.2.5.1, 6.3.1 and 11.12.7)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from trioscsi.conformance.bench.faults import changing, saying
from trioscsi.conformance.bench.levels import proposed, take_beside
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reads_blocks
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    LoginRequest,
    LoginResponse,
    LoginStatus,
    LogoutReason,
    LogoutRequest,
    ScsiCommand,
)
from trioscsi.serial import add
from trioscsi.text import KEYS
from trioscsi.text.key import Use

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_JOINS = Rule("7143-6.3.1-2")
_LEADING = Rule("7143-13-1")
_ORDER = Rule("7143-4.2.2.1-2")
_TAGS = Rule("7143-11.2.1.8-1")
_LOGS_OUT = Rule("7143-11.9.1-1")
_CLOSED = Rule("7143-11.13.5-1")
_NOTHING_NEW = Rule("7143-11.14-1")
_ALLEGIANCE = Rule("7143-4.2.5.1-3")
_PORTAL_GROUP = Rule("7143-6.3.1-1", Level.NOTE)

_SEVERAL: dict[str, Any] = {
    "target": {"max_connections": 4},
    "initiator": {"max_connections": 4},
    "needs": {Ability.CONNECTIONS},
}
_FIXED = {"TargetName", "InitiatorName", "SessionType", "InitiatorAlias"}
"""Keys of a leading login that each login has to say again."""
_GROUP, _ELSEWHERE = "TargetPortalGroupTag", "777"
"""Its key, and the tag of a portal group that the target has not."""


async def _two(play: Play) -> tuple[Link, Link]:
    """The two connections of a session, both logged in."""
    first = await play.session()
    if first.parameters.max_connections < 2:
        raise NotExercised("one connection was agreed")
    second = await play.connection(within=10)
    await second.login()
    return first, second


@scenario(
    "MC-01",
    "A further connection has the ISID and the TSIH of its session, and a CID of its own.",
    _JOINS,
    Drive.CONNECTIONS,
    stimulus=Stimulus.FAULT,
    mutants=("second-other-isid", "connections-strewn"),
    unh=("Login 2.3",),
    **_SEVERAL,
)
async def second_login(play: Play) -> None:
    first = await play.session()
    if first.parameters.max_connections < 2:
        raise NotExercised("one connection was agreed")
    second = await play.connection(within=10)
    request = await second.see(LoginRequest)
    leading, session = first.known.first_login, first.known.session
    assert leading is not None
    assert session is not None
    play.check(request.isid == leading.isid, "it has another ISID")
    play.check(request.tsih == session.tsih, f"it has TSIH {request.tsih:#06x}")
    play.check(request.cid != leading.cid, "it has the CID of the first")
    due = first.numbers.exp_cmd_sn
    play.check(request.cmd_sn == due, f"it has CmdSN {request.cmd_sn}, {due} is due")
    second.spoil(changing(LoginResponse, when=_tells_group, data=saying({_GROUP: _ELSEWHERE})))
    joined = False
    with suppress(Left):
        await second.login()
        joined = not await second.is_ended()
    play.check(not joined, "it goes on though it has come to another portal group", _PORTAL_GROUP)
    again = [name for name in proposed(second) if _is_leading(name)]
    play.check(not again, f"it negotiates {', '.join(again)} again", _LEADING)


def _tells_group(pdu: LoginResponse) -> bool:
    return _GROUP.encode() in bytes(pdu.data)


def _is_leading(name: str) -> bool:
    key = KEYS.get(name)
    return key is not None and key.use is Use.LEADING_ONLY and name not in _FIXED


@scenario(
    "MC-02",
    "CmdSN counts through the whole session, whichever way commands go.",
    _ORDER,
    Drive.CONNECTIONS,
    mutants=("cmdsn-skips",),
    **_SEVERAL,
)
async def one_order(play: Play) -> None:
    first = await play.session()
    if first.parameters.max_connections < 2:
        raise NotExercised("one connection was agreed")
    start = first.numbers.exp_cmd_sn
    second = await play.connection(within=10)
    with suppress(Silence):
        await play.ending(15)
    links = (first, second)
    numbers = [
        pdu.cmd_sn
        for link in links
        for pdu in link.heard
        if not isinstance(pdu, LoginRequest) and hasattr(pdu, "cmd_sn") and not pdu.immediate
    ]
    wanted = [add(start, count) for count in range(len(numbers))]
    play.check(sorted(numbers) == sorted(wanted), "a CmdSN is missing, or there twice")
    used = sum(any(isinstance(pdu, ScsiCommand) for pdu in link.heard) for link in links)
    play.note(f"commands came by {used} connections")


@scenario(
    "MC-03",
    "A task tag names one task, whichever connection it came by.",
    _TAGS,
    Drive.CONNECTIONS,
    mutants=("second-tags",),
    **_SEVERAL,
)
async def one_name(play: Play) -> None:
    first = await play.session()
    if first.parameters.max_connections < 2:
        raise NotExercised("one connection was agreed")
    second = await play.connection(within=10)
    await second.login()
    held = await take_beside(second, first, ScsiCommand)
    before = first.count
    await first.run_for(1)
    tags = {pdu.itt for pdu in first.since(before) if isinstance(pdu, ScsiCommand)}
    play.check(tags, "nothing comes by the first connection while one command waits")
    play.check(held.itt not in tags, "two tasks have the same tag")
    await second.forward(held)


@scenario(
    "MC-04",
    "An initiator that is asked to log one connection out logs that one out, or the session.",
    _LOGS_OUT,
    Drive.CONNECTIONS,
    mutants=("logout-ignored",),
    unh=("FFP 14.2",),
    **_SEVERAL,
)
async def one_logout(play: Play) -> None:
    _, second = await _two(play)
    await second.say(AsyncMessage(async_event=AsyncEvent.LOGOUT_REQUEST, parameter3=3))
    request = await play.expect(
        second, LogoutRequest, breach="no logout within 3 seconds", within=3.5
    )
    mine = second.known.first_login
    assert mine is not None
    if request.reason == LogoutReason.CLOSE_CONNECTION:
        play.check(request.cid == mine.cid, "another connection is logged out")
    else:
        play.check(request.reason == LogoutReason.CLOSE_SESSION, f"reason {request.reason}")
    await second.forward(request)


@scenario(
    "MC-05",
    "When a further connection is refused, the session goes on with those that it has.",
    _CLOSED,
    Drive.CONNECTIONS,
    mutants=("login-stays",),
    **_SEVERAL,
)
async def second_is_refused(play: Play) -> None:
    first = await play.session()
    if first.parameters.max_connections < 2:
        raise NotExercised("one connection was agreed")
    second = await play.connection(within=10)
    request = await second.take(LoginRequest)
    status = divmod(LoginStatus.TOO_MANY_CONNECTIONS, 256)
    await second.answer(request, transit=False, status_class=status[0], status_detail=status[1])
    play.check(await second.is_ended(5), "the refused connection stays")
    ending = await play.ending()
    play.check(ending.how is not How.HUNG, "the session does not go on")


@scenario(
    "MC-06",
    "After a logout of the session nothing new comes by any of its connections.",
    _NOTHING_NEW,
    Drive.CONNECTIONS,
    mutants=("logout-half",),
    **_SEVERAL,
)
async def session_logout(play: Play) -> None:
    first, second = await _two(play)
    logout = await take_beside(first, second, LogoutRequest, within=30)
    if logout.reason != LogoutReason.CLOSE_SESSION:
        raise NotExercised("the connections are logged out one by one")
    before = second.count
    await second.run_for(2.5)
    play.check(second.count == before, "requests come by the other connection")
    await first.forward(logout)


@scenario(
    "DG-12",
    "A PDU that comes by another connection than its task's ends the session.",
    _ALLEGIANCE,
    Drive.CONNECTIONS,
    stimulus=Stimulus.BREACH,
    mutants=("any-connection",),
    **_SEVERAL,
)
async def another_connection(play: Play) -> None:
    first, second = await _two(play)
    command = await first.take(ScsiCommand, where=reads_blocks, within=10)
    await second.answer(command)
    play.check(await second.is_dropped(5), "the session goes on")
