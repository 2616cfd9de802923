"""LG: how a login goes on and ends (RFC 7143 sections 4.2.4, 6.3, 11.12 and 11.13)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.link import Left
from trioscsi.conformance.bench.logins import (
    Held,
    answering,
    expect_use,
    hold,
    pairs_of,
    said,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu
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

_EXCHANGES = 6
_PATIENCE = 16
"""Seconds: our own initiator waits for 15."""


@scenario(
    "LG-01",
    "A connection begins with a login that says who talks to whom.",
    _LOGIN_FIRST,
    Drive.LOGIN,
    mutants=("login-command", "login-no-name", "login-no-target", "login-not-immediate"),
    also=(_ONLY_LOGIN, _NAMES_ITSELF, _NAMES_TARGET, _IMMEDIATE),
    unh=("Login 1.1", "Login 2.1", "Login 7.1", "Login 11.1"),
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
    also=(_KEEPS_T, _ONCE),
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
    name, value = await held.proposal()
    key = KEYS[name]
    answers = await held.propose({name: value}, rule=answering(name))
    if play.check(name in answers, f"{name} is not answered", answering(name)):
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
    await expect_use(play, link, "a response in parts ends the login", _CUT)


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
    "LG-31",
    "While a Login Request waits for its response, no other comes on the connection.",
    _ONE_REQUEST,
    Drive.LOGIN,
    mutants=("login-twice", "login-patient"),
)
async def silence(play: Play) -> None:
    link = await play.connection()
    await link.take(LoginRequest)
    ended = await link.is_ended(_PATIENCE)
    play.check(len(link.heard) == 1, "a second request comes before the first is answered")
    play.inform(ended, f"it waits for more than {_PATIENCE} seconds")
    await link.close()


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
