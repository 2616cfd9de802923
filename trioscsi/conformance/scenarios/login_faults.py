"""LG: logins in which the target does what it must not (RFC 7143 sections 6.3, 7.7 and 11.13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.logins import Held, demand_end, each_login, hold
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import reject
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    NO_TASK,
    AsyncMessage,
    LoginRequest,
    NopIn,
    Pdu,
    RejectReason,
)
from trioscsi.serial import add
from trioscsi.text import Stage

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_PART = Rule("7143-6.2-2")
_VERSION = Rule("7143-11.13.2-2")
_ODD = Rule("7143-7.7-1", Level.NOTE)
_RESERVED_CODE = Rule("7143-11-2")
_TASK = Rule("7143-4.2.5.3-1")
_ONLY_RESPONSES = Rule("7143-4.2.4-4")
_ONE_REQUEST = Rule("7143-6.3-1", Level.NOTE)
_NEGOTIATED_AGAIN = Rule("7143-6.3-11")
_TSIH_ZERO = Rule("7143-11.12.6-2", Level.NOTE)

_RESERVED_STAGE = 2


@scenario(
    "LG-08",
    "A response with both C and T ends the login, or its text is asked for; it is not over.",
    _PART,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("login-continues",),
)
async def both_c_and_t(play: Play) -> None:
    held = await hold(play)
    before = held.link.count
    await held.finish(continue_=True)
    ended = await held.link.is_ended(10)
    asks = any(isinstance(pdu, LoginRequest) and not pdu.data for pdu in held.link.since(before))
    play.check(ended or asks, "a part of a text is taken for the whole")
    await held.link.close()


@scenario(
    "LG-09",
    "A T bit that was not asked for, or with keys to be answered, is not the end of a stage.",
    _ODD,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("login-led-on", "login-unsettled"),
)
async def transit_out_of_place(play: Play) -> None:
    async def out_of_place(say: Callable[[Held], Awaitable[bool]], link: Link) -> None:
        held = await hold(play, link)
        if await say(held):
            play.inform(await link.is_ended(), "it moves on all the same")
            await link.close()
        else:
            play.leave(link)

    await each_login(play, (_say_transit_unasked, _say_transit_too_early), out_of_place)


async def _say_transit_unasked(held: Held) -> bool:
    """A T bit for a request without one; False if all requests have it."""
    text = bytes(held.made().data)
    cut = text.index(b"\0") + 1
    await held.say(data=text[:cut], continue_=True, transit=False)
    await held.hear()
    asked = held.request.transit
    await held.say(data=text[cut:], transit=True, nsg=held.response.nsg)
    return not asked


async def _say_transit_too_early(held: Held) -> bool:
    """A T bit with a proposal."""
    name, value = await held.proposal()
    await held.finish({name: value})
    return True


@scenario(
    "LG-10",
    "A move to a later stage than was asked for ends the login.",
    _ODD,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
)
async def stage_too_far(play: Play) -> None:
    held = await hold(play, stage=Stage.SECURITY)
    if held.request.nsg != Stage.OPERATIONAL:
        await held.say()
        raise NotExercised("it asks for the last stage at once")
    await held.say(nsg=Stage.FULL_FEATURE, tsih=1)
    play.inform(await held.link.is_ended(), "it moves on all the same")


@scenario(
    "LG-11",
    "A response for another stage than that of the request ends the login.",
    _ODD,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("login-any-stage",),
)
async def another_stage(play: Play) -> None:
    held = await hold(play)
    await held.finish(csg=Stage.SECURITY)
    play.inform(await held.link.is_ended(), "the login goes on all the same")


@scenario(
    "LG-12",
    "A reserved stage ends the login.",
    _RESERVED_CODE,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("login-led-astray",),
)
async def reserved_stage(play: Play) -> None:
    held = await hold(play)
    await held.finish(nsg=_RESERVED_STAGE)
    await play.expect_end(held.link, "the login goes on")


@scenario(
    "LG-13",
    "A response to another task is not taken for that to the login.",
    _TASK,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("login-any-tag",),
)
async def another_tag(play: Play) -> None:
    held = await hold(play)
    await held.finish(itt=add(held.request.itt, 0x1000))
    before = len(held.link.heard)
    ended = await held.link.is_ended()
    taken = len(held.link.heard) > before
    play.check(not taken, "it takes the response of another task for its own")
    play.inform(ended or taken, "it waits for another response")
    await held.link.close()


@scenario(
    "LG-14",
    "Any other PDU than a Login Response ends the login.",
    _ONLY_RESPONSES,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("login-any-pdu",),
    unh=("Login 8.1",),
)
async def other_pdus(play: Play) -> None:
    async def answered_by(pdu: Pdu, link: Link) -> None:
        await link.take(LoginRequest)
        await link.say(pdu)
        await demand_end(play, link, f"it stays after a {type(pdu).__name__}")

    rejection = reject(LoginRequest(), RejectReason.PROTOCOL_ERROR)
    await each_login(play, (NopIn(itt=NO_TASK), AsyncMessage(), rejection), answered_by)


@scenario(
    "LG-15",
    "Of two responses to one request, the second is not answered by a second request.",
    _ONE_REQUEST,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("login-counts-not",),
)
async def two_responses(play: Play) -> None:
    held = await hold(play)
    text = bytes(held.made().data)
    twice = [held.made(data=text, transit=False), held.made(data=b"", transit=False)]
    await held.link.say(*twice, together=True)
    requests = 0
    try:
        while requests < 2:
            await held.link.take(LoginRequest, within=2)
            requests += 1
    except (Left, Silence):
        pass
    play.inform(requests < 2, "two requests wait for their response")
    await held.link.close()


@scenario(
    "LG-16",
    "A second MaxRecvDataSegmentLength in one login ends the connection.",
    _NEGOTIATED_AGAIN,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("keys-twice-taken",),
)
async def declared_again(play: Play) -> None:
    held = await hold(play)
    await held.propose({"MaxRecvDataSegmentLength": "65536"})
    await held.finish({"MaxRecvDataSegmentLength": "32768"})
    await play.expect_end(held.link, "the login goes on")


@scenario(
    "LG-17",
    "A key that the target negotiates a second time ends the connection.",
    _NEGOTIATED_AGAIN,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("keys-twice-taken",),
)
async def negotiated_again(play: Play) -> None:
    held = await hold(play)
    name = await held.proposed(
        "InitialR2T", "ImmediateData", "MaxBurstLength", "ErrorRecoveryLevel"
    )
    value = {"MaxBurstLength": "65536", "ErrorRecoveryLevel": "0"}.get(name, "Yes")
    await held.propose({})
    await held.finish({name: value})
    await play.expect_end(held.link, f"the login goes on with a second {name}")


@scenario(
    "LG-18",
    "A session without a TSIH is not used.",
    _TSIH_ZERO,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    unh=("Login 2.2",),
)
async def no_tsih(play: Play) -> None:
    held = await hold(play)
    await held.finish(tsih=0)
    play.inform(await held.link.is_ended(), "it goes on without a TSIH")


@scenario(
    "LG-28",
    "A version that was not offered, and cannot be used, ends the login.",
    _VERSION,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("login-any-version",),
)
async def another_version(play: Play) -> None:
    held = await hold(play)
    await held.finish(version_max=1, version_active=1)
    await play.expect_end(held.link, "the login goes on")
