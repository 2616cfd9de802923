"""LO: logouts (RFC 7143 sections 8.1, 11.14 and 11.15)."""

from __future__ import annotations

from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import AsyncEvent, AsyncMessage, LogoutReason, LogoutRequest, ScsiCommand

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_NOTHING_NEW = Rule("7143-11.14-1")
_CLOSED = Rule("7143-11.14-2")
_NAMED = Rule("7143-11.14.3-1")
_GIVEN_UP = Rule("7143-8.1.2-1", Level.NOTE)
_NOT_WAITED_FOR = Rule("7143-11.14-3", Level.NOTE)

_FAILURES = (1, 3)
"""The responses of a logout that has failed (section 11.15.1): there is no such connection, which
is not so, and the cleanup was to no avail.  The other one is about recovery."""


async def _logout(play: Play) -> tuple[Link, LogoutRequest]:
    """A session up to its Logout Request, which the target behind the stage does not see."""
    link = await play.session()
    return link, await link.take(LogoutRequest)


@scenario(
    "LO-01",
    "A logout names what it ends; nothing follows it, and then the connection is closed.",
    _NOTHING_NEW,
    Drive.LOGIN,
    mutants=("logout-pings", "logout-lingers"),
    unh=("FFP 17.1",),
)
async def logout(play: Play) -> None:
    link, request = await _logout(play)
    reason = request.reason
    play.check(reason in (0, 1), f"it is for reason {reason}")
    first = link.known.first_login
    if reason != LogoutReason.CLOSE_SESSION and first is not None:
        play.check(request.cid == first.cid, "it is for another connection", _NAMED)
    before = link.count
    await link.run_for(0.5)
    play.check(link.count == before, "requests follow it")
    await link.answer(request)
    play.check(await link.is_ended(), "the connection is not closed", _CLOSED)


@scenario(
    "LO-02",
    "While the answer to a logout is awaited nothing new is sent.",
    _NOTHING_NEW,
    Drive.READ,
    mutants=("logout-pings",),
)
async def late_response(play: Play) -> None:
    link, request = await _logout(play)
    before = link.count
    await link.run_for(3)
    play.check(link.count == before, "requests follow it")
    if link.is_open:
        await link.answer(request)
        play.check(await link.is_ended(), "the connection is not closed", _CLOSED)


@scenario(
    "LO-03",
    "When the target has closed its half after a logout the connection is closed wholly.",
    _CLOSED,
    Drive.LOGIN,
    mutants=("logout-pings",),
)
async def half_closed(play: Play) -> None:
    link, request = await _logout(play)
    await link.answer(request)
    await link.half_close()
    play.check(await link.is_ended(), "the connection is not closed")


@scenario(
    "LO-04",
    "A connection whose logout has failed is given up.",
    _GIVEN_UP,
    Drive.RELOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("logout-fails-open",),
)
async def failed_logout(play: Play) -> None:
    for result in _FAILURES:
        link, request = await _logout(play)
        await link.answer(request, response=result, time2wait=1)
        play.inform(await link.is_ended(3), f"the connection stays after response {result}")
        await link.close()


@scenario(
    "LO-05",
    "A connection whose logout is not answered is closed.",
    _GIVEN_UP,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("logout-patient",),
)
async def unanswered_logout(play: Play) -> None:
    link, _ = await _logout(play)
    play.inform(await link.is_ended(15), "the initiator waits for more than 15 seconds")


@scenario(
    "LO-06",
    "A connection that the target closes instead of answering a logout is over.",
    _GIVEN_UP,
    Drive.LOGIN,
    stimulus=Stimulus.FAULT,
)
async def closed_instead(play: Play) -> None:
    link, _ = await _logout(play)
    await link.close()
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


@scenario(
    "LO-07",
    "Commands that a logout ends are not waited for.",
    _NOT_WAITED_FOR,
    Drive.MIXED,
    mutants=("logout-ignored",),
)
async def commands_in_flight(play: Play) -> None:
    link = await play.session()
    await link.take(ScsiCommand)
    await link.say(AsyncMessage(async_event=AsyncEvent.LOGOUT_REQUEST, parameter3=3))
    request = await play.expect(link, LogoutRequest, breach="no logout", within=6)
    await link.answer(request)
    ended = await link.is_ended()
    play.inform(ended, "the connection stays, for commands that nobody answers")
