"""LG: which session a login is for, by whom and where (RFC 7143 sections 4.4.3, 10.1 and 11.12)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trioscsi.conformance.bench.faults import saying
from trioscsi.conformance.bench.link import Link, Silence
from trioscsi.conformance.bench.logins import (
    each_login,
    expect_use,
    hold,
    pairs_of,
    said,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu, ScsiCommand

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_NAMES_ITSELF = Rule("7143-6.3-6")
_NEW_SESSION = Rule("7143-11.12.6-3")
_TAG_ZERO = Rule("7143-13.9-1")
_PORTAL_GROUP = Rule("7143-6.3.1-1", Level.NOTE)
_DIFFERENT_PORTS = Rule("7143-4.4.3-1")
_SAME_PORT = Rule("7143-10.1.1-1", Level.SHOULD)
_ISID_TYPE = Rule("7143-11.12.5-1")
_RESERVED = Rule("7143-11-1")

_LARGEST_TSIH = 0xFFFF
_ISID_TYPES = {0: False, 1: True, 2: True}
"""The values of the T field, and whether field A is reserved there."""


@scenario(
    "LG-19",
    "A session that comes anew has TSIH 0, or TSIH and ISID of one that can be continued.",
    _NEW_SESSION,
    Drive.LOGINS,
    mutants=("login-tsih",),
)
async def largest_tsih(play: Play) -> None:
    link = await play.connection()
    request = await link.see(LoginRequest)
    play.check(not request.tsih, f"the first session has TSIH {request.tsih:#x}")
    held = await hold(play, link)
    await held.finish(tsih=_LARGEST_TSIH)
    await link.see(Pdu, where=lambda pdu: not isinstance(pdu, LoginRequest | LoginResponse))
    await link.close()
    again = await (await play.connection()).see(LoginRequest)
    play.check(again.tsih in (0, _LARGEST_TSIH), f"it comes again with TSIH {again.tsih:#x}")


@scenario(
    "LG-29",
    "A portal group may have the tag 0.",
    _TAG_ZERO,
    Drive.LOGIN,
    mutants=("login-no-tag-zero",),
    unh=("Login 23.1",),
)
async def portal_group_zero(play: Play) -> None:
    link = await play.connection()
    response = await link.take(LoginResponse)
    await link.forward(response, data=saying({"TargetPortalGroupTag": "0"})(response))
    await expect_use(play, link, "the tag ends the login")
    await play.ending()


@scenario(
    "LG-30",
    "An initiator notices that it has come to another portal group than it was told of.",
    _PORTAL_GROUP,
    Drive.DISCOVERY_LOGIN,
    stimulus=Stimulus.BREACH,
)
async def another_portal_group(play: Play) -> None:
    discovery = await play.connection()
    request = await discovery.see(LoginRequest)
    if dict(pairs_of(bytes(request.data))).get("SessionType") != "Discovery":
        raise NotExercised("nobody has told it which portal group to expect")
    link = await play.connection()
    response = await link.take(LoginResponse)
    await link.forward(response, data=saying({"TargetPortalGroupTag": "777"})(response))
    given_up = await link.is_given_up(within=5)
    used = any(isinstance(pdu, ScsiCommand) for pdu in link.heard)
    play.inform(given_up and not used, "it uses the session all the same")


@scenario(
    "LG-32",
    "After a login that was cut off, the next one begins anew.",
    _NEW_SESSION,
    Drive.LOGINS,
    stimulus=Stimulus.FAULT,
    mutants=("login-tsih",),
    limit=150,
)
async def login_is_cut_off(play: Play) -> None:
    async def cut_off(cut: Callable[[Link], Awaitable[None]], link: Link) -> None:
        request = await link.see(LoginRequest)
        play.check(not request.tsih, f"TSIH {request.tsih:#x} of a session that there is not")
        named = "InitiatorName" in dict(pairs_of(bytes(request.data)))
        play.check(named, "the login does not begin anew", _NAMES_ITSELF)
        await cut(link)

    await each_login(play, (Link.close, Link.reset, Link.rest), cut_off, at_least=2)


@scenario(
    "LG-34",
    "Two sessions of one initiator with one portal group have different ISIDs.",
    _DIFFERENT_PORTS,
    Drive.TWO_SESSIONS,
    mutants=("isid-twice",),
)
async def two_sessions(play: Play) -> None:
    first = await play.session()
    second = await _beside(play, first)
    request = await second.see(LoginRequest)
    if not first.is_open or first.has_logged_out:
        raise NotExercised("its first session is over when the second begins")
    names = [dict(said(link)).get("InitiatorName") for link in (first, second)]
    if names[0] == names[1]:
        other = first.known.first_login
        play.check(other is None or other.isid != request.isid, "both have one ISID")
    await play.ending()


async def _beside(play: Play, first: Link) -> Link:
    """The next connection; a command waits for it, so that the session is still there then."""
    held = await first.take(ScsiCommand)
    try:
        return await play.connection(within=3)
    except Silence:
        pass  # it does one thing after the other
    finally:
        if first.is_open:
            await first.forward(held)
    return await play.connection()


@scenario(
    "LG-35",
    "An initiator that comes again is the same initiator port.",
    _SAME_PORT,
    Drive.RELOGIN,
    mutants=("isid-new",),
)
async def same_port_again(play: Play) -> None:
    first = await play.session()
    before = first.known.first_login
    await first.rest()
    second = await play.session()
    after = second.known.first_login
    assert before is not None
    assert after is not None
    names = [dict(said(link)).get("InitiatorName") for link in (first, second)]
    play.check(names[0] == names[1], "it comes under another name")
    play.check(before.isid == after.isid, "it comes with another ISID")
    await play.ending()


@scenario(
    "LG-36",
    "An ISID is of a type that there is, and its fields are those of that type.",
    _ISID_TYPE,
    Drive.LOGIN,
    mutants=("isid-reserved", "isid-field"),
    also=(_RESERVED,),
)
async def type_of_the_isid(play: Play) -> None:
    link = await play.connection()
    request = await link.see(LoginRequest)
    kind, field = request.isid[0] >> 6, request.isid[0] & 0x3F
    play.check(kind in _ISID_TYPES, f"an ISID of type {kind}")
    reserved = _ISID_TYPES.get(kind, False)
    play.check(not reserved or not field, "the reserved field A of the ISID is used", _RESERVED)
    await play.ending()
