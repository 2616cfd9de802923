"""LG: how a login goes on and ends (RFC 7143 sections 4.2.4, 6.3, 11.12 and 11.13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from trioscsi.conformance.bench.faults import saying
from trioscsi.conformance.bench.link import Left, Link
from trioscsi.conformance.bench.logins import (
    Held,
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
from trioscsi.text import KEYS, Side, Stage, parse
from trioscsi.text.rules import RULES

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_LOGIN_FIRST = Rule("7143-4.2.4-1")
_ONLY_LOGIN = Rule("7143-4.2.4-2")
_IMMEDIATE = Rule("7143-11.12-1")
_NAMES_ITSELF = Rule("7143-6.3-6")
_NAMES_TARGET = Rule("7143-6.3-7")
_NO_WAY_BACK = Rule("7143-6.3-10")
_SAME_TAG = Rule("7143-6.3-2")
_SAME_VERSIONS = Rule("7143-11.12.4.1-1")
_SAME_TSIH = Rule("7143-11.12.6-1")
_SAME_CID = Rule("7143-11.12.7-1")
_ONCE = Rule("7143-6.3-3")
_KEEPS_T = Rule("7143-6.3.3-1", Level.SHOULD)
_SIX = Rule("7143-6.2-8", Level.SHOULD)
_ANSWERED = Rule("7143-6.2.2-3")
_ADMITTED = Rule("7143-6.2.2-2")
_EMPTY = Rule("7143-6.2-2")
_CUT = Rule("7143-6.1-2")
_ONE_REQUEST = Rule("7143-6.3-1")
_NEW_SESSION = Rule("7143-11.12.6-3")
_TAG_ZERO = Rule("7143-13.9-1")
_PORTAL_GROUP = Rule("7143-6.3.1-1", Level.NOTE)
_DIFFERENT_PORTS = Rule("7143-4.4.3-1")
_SAME_PORT = Rule("7143-10.1.1-1", Level.SHOULD)
_ISID_TYPE = Rule("7143-11.12.5-1")
_RESERVED = Rule("7143-11-1")

_OPERATIONAL_KEYS = (
    "MaxBurstLength",
    "DataPDUInOrder",
    "DataSequenceInOrder",
    "DefaultTime2Retain",
    "TaskReporting",
)
_PROPOSALS = {"TaskReporting": "RFC3720,ResponseFence"}
_EXCHANGES = 6


@scenario(
    "LG-01",
    "A connection begins with a login that says who talks to whom.",
    _LOGIN_FIRST,
    Drive.LOGIN,
    mutants=("login-command", "login-no-name", "login-no-target", "login-not-immediate"),
    unh=("Login 1.1", "Login 2.1", "Login 11.1"),
)
async def login_comes_first(play: Play) -> None:
    link = await play.connection()
    first: Any = await link.see(Pdu)
    is_login = play.check(isinstance(first, LoginRequest), f"a {type(first).__name__} comes first")
    keys = dict(pairs_of(bytes(first.data)))
    play.check("InitiatorName" in keys, "it does not say who it is", _NAMES_ITSELF)
    discovers = keys.get("SessionType") == "Discovery"
    play.check(discovers or "TargetName" in keys, "it names no target", _NAMES_TARGET)
    play.check(is_login and first.immediate, "the request is not immediate", _IMMEDIATE)
    try:
        await link.login()
    finally:
        others = {type(pdu).__name__ for pdu in link.heard} - {"LoginRequest"}
        play.check(not others, f"{', '.join(others)} before the login is over", _ONLY_LOGIN)
    await play.ending()


@scenario(
    "LG-02",
    "After the security negotiation comes what the target has chosen, and never security again.",
    _NO_WAY_BACK,
    Drive.LOGIN,
    mutants=("login-stage-back",),
    unh=("Login 3.1",),
)
async def stages_come_once(play: Play) -> None:
    link = await play.connection()
    request = await link.take(LoginRequest)
    if request.csg != Stage.SECURITY or not request.transit:
        await link.forward(request)
        raise NotExercised("it does not offer to leave a security negotiation at once")
    await link.forward(request, nsg=Stage.OPERATIONAL)
    await link.see(LoginResponse, where=lambda pdu: pdu.transit)
    following = await play.expect(link, LoginRequest, breach="the login does not go on")
    play.check(following.csg == Stage.OPERATIONAL, f"the next stage is {following.csg}")
    await link.forward(following)
    await link.login()
    stages = [pdu.csg for pdu in link.heard if isinstance(pdu, LoginRequest)]
    play.check(stages == sorted(stages), f"stages {stages}")
    await play.ending()


@scenario(
    "LG-03",
    "After a response with T=0 the request for the next stage comes again, with the same tag.",
    _SAME_TAG,
    Drive.LOGIN,
    mutants=("login-empty-tag", "login-tires", "login-repeats"),
    unh=("Login 3.2", "Login 6.1", "Login 6.2", "Login 6.3"),
)
async def transit_is_refused_once(play: Play) -> None:
    held = await hold(play)
    first = held.request
    await held.propose({})
    again = held.request
    play.check(again.transit, "T is not set again", _KEEPS_T)
    play.check(again.itt == first.itt, "the tag has changed")
    play.check(again.isid == first.isid, "the ISID has changed")
    play.check(again.cid == first.cid, "the CID has changed", _SAME_CID)
    play.check(again.tsih == first.tsih, "the TSIH has changed", _SAME_TSIH)
    versions = (again.version_max, again.version_min)
    same = versions == (first.version_max, first.version_min)
    play.check(same, "the versions have changed", _SAME_VERSIONS)
    names = [name for name, _ in said(held.link)]
    twice = {name for name in names if names.count(name) > 1}
    play.check(not twice, f"{', '.join(sorted(twice))} comes twice", _ONCE)
    await held.finish()
    await play.ending()


@scenario(
    "LG-04",
    "A target that takes six exchanges to end the login is not given up.",
    _SIX,
    Drive.LOGIN,
    mutants=("login-impatient",),
)
async def six_exchanges(play: Play) -> None:
    held = await hold(play)
    for number in range(1, _EXCHANGES):
        await held.propose({}, f"it gives up after {number} exchanges", _SIX)
    await held.finish()
    await expect_use(play, held.link, f"it gives up after {_EXCHANGES} exchanges")
    await play.ending()


@scenario(
    "LG-05",
    "A key that the target proposes is answered, by the rule of that key.",
    _ANSWERED,
    Drive.LOGIN,
    mutants=("keys-unanswered",),
)
async def proposal_of_the_target(play: Play) -> None:
    held = await hold(play)
    name = await held.unsaid(*_OPERATIONAL_KEYS)
    key = KEYS[name]
    value = _PROPOSALS.get(name, key.default or "")
    answers = await held.propose({name: value})
    if play.check(name in answers, f"{name} is not answered"):
        admitted = RULES[key.kind].admits(parse(key, value), parse(key, answers[name]))
        play.check(admitted, f"{name}={answers[name]} answers {value}", _ADMITTED)
    await held.finish()
    await play.ending()


async def _in_parts(held: Held, places: list[int]) -> None:
    """Send the last response cut at these places, and let the login end behind that."""
    play, link = held.play, held.link
    text = bytes(held.made().data)
    for start, end in zip([0, *places], places, strict=False):
        await held.say(data=text[start:end], continue_=True, transit=False)
        pairs = await held.hear("the first part of a response is not answered")
        play.check(not pairs, "text comes though the target's is not over", _EMPTY)
    await held.say(data=text[places[-1] :], transit=held.request.transit)
    if not held.request.transit:
        await held.hear()
        await held.finish()
    await expect_use(play, link, "a response in parts ends the login")


@scenario(
    "LG-06",
    "A response in parts is asked for part by part, and taken as one text.",
    _EMPTY,
    Drive.LOGIN,
    mutants=("login-part-taken", "login-part-answered"),
)
async def response_in_parts(play: Play) -> None:
    held = await hold(play)
    length = len(held.response.data)
    await _in_parts(held, [length // 3, 2 * length // 3])
    await play.ending()


@scenario(
    "LG-07",
    "A response may be cut around an equals sign, in a value, and before a null.",
    _CUT,
    Drive.LOGIN,
    mutants=("login-part-taken",),
)
async def response_cut_anywhere(play: Play) -> None:
    held = await hold(play)
    text = bytes(held.response.data)
    equals = text.index(b"=")
    null = text.index(b"\0")
    await _in_parts(held, sorted({equals, equals + 1, equals + 2, null}))
    await play.ending()


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


_LARGEST_TSIH = 0xFFFF


@scenario(
    "LG-29",
    "A portal group may have the tag 0.",
    _TAG_ZERO,
    Drive.LOGIN,
    mutants=("login-no-tag-zero",),
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
    "LG-31",
    "While a Login Request waits for its response, no other comes on the connection.",
    _ONE_REQUEST,
    Drive.LOGIN,
    mutants=("login-twice",),
)
async def silence(play: Play) -> None:
    link = await play.connection()
    await link.take(LoginRequest)
    ended = await link.is_ended(within=20)
    play.check(len(link.heard) == 1, "a second request comes before the first is answered")
    if not ended:
        play.note("it waits for more than 20 seconds")


@scenario(
    "LG-32",
    "After a login that was cut off, the next one begins anew.",
    _NEW_SESSION,
    Drive.LOGINS,
    stimulus=Stimulus.FAULT,
    mutants=("login-tsih",),
)
async def login_is_cut_off(play: Play) -> None:
    async def cut_off(cut: Callable[[Link], Awaitable[None]], link: Link) -> None:
        request = await link.see(LoginRequest)
        play.check(not request.tsih, f"TSIH {request.tsih:#x} of a session that there is not")
        named = "InitiatorName" in dict(pairs_of(bytes(request.data)))
        play.check(named, "the login does not begin anew", _NAMES_ITSELF)
        await cut(link)

    await each_login(play, (Link.close, Link.reset, Link.rest), cut_off)


@scenario(
    "LG-33",
    "A target that takes its time to hear a connection is waited for.",
    Rule("7143-4.2.4-1", Level.NOTE),
    Drive.LOGIN,
)
async def slow_to_hear(play: Play) -> None:
    link = await play.connection()
    await play.pause(3)
    try:
        await link.login()
    except Left as left:
        if left.side is Side.TARGET:
            raise
    play.inform(link.known.logged_in, "it does not wait")
    await play.ending()


@scenario(
    "LG-34",
    "Two sessions of one initiator with one portal group have different ISIDs.",
    _DIFFERENT_PORTS,
    Drive.TWO_SESSIONS,
    mutants=("isid-twice",),
)
async def two_sessions(play: Play) -> None:
    first = await play.session()
    second = await play.connection()
    request = await second.see(LoginRequest)
    if not first.is_open or first.has_logged_out:
        raise NotExercised("its first session is over when the second begins")
    names = [dict(said(link)).get("InitiatorName") for link in (first, second)]
    if names[0] == names[1]:
        other = first.known.first_login
        play.check(other is None or other.isid != request.isid, "both have one ISID")
    await play.ending()


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
)
async def type_of_the_isid(play: Play) -> None:
    link = await play.connection()
    request = await link.see(LoginRequest)
    kind, field = request.isid[0] >> 6, request.isid[0] & 0x3F
    play.check(kind in _ISID_TYPES, f"an ISID of type {kind}")
    reserved = _ISID_TYPES.get(kind, False)
    play.check(not reserved or not field, "the reserved field A of the ISID is used", _RESERVED)
    await play.ending()


_ISID_TYPES = {0: False, 1: True, 2: True}
"""The values of the T field, and whether field A is reserved there."""
