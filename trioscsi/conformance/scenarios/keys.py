"""KY: keys whose effect shows on the wire (RFC 7143 chapters 12 and 13)."""

from __future__ import annotations

from contextlib import suppress

from trioscsi.conformance.bench.cast import DriverEnded
from trioscsi.conformance.bench.link import Link, Silence
from trioscsi.conformance.bench.logins import (
    demand_end,
    each_login,
    expect_use,
    hold,
    said,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.traffic import Traffic, alter_logins
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    LoginRequest,
    TextRequest,
)
from trioscsi.text import KEYS, Stage, encode
from trioscsi.text.rules import NOT_UNDERSTOOD, REJECT

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_OBSOLETE = Rule("7143-13.25-2")
_OBSOLETE_REJECTED = Rule("7143-13.25-3", Level.SHOULD)
_INTERVALS = Rule("7143-13.25-4")
_ONE_OF_LIST = Rule("7143-6.2.1-1")
_LEVEL = Rule("7143-13.24-1")
_ARCHITECTURE = Rule("7143-13.26.1-1")
_DECLARED_AGAIN = Rule("7143-6.3-11")
_SEGMENTS = Rule("7143-11.7.1-1")
_AFTER_EXCHANGE = Rule("7143-6.4-1")
_AGREED_CONNECTIONS = Rule("7143-13.2-1")
_STAGES = Rule("7143-6.3-4")

_SEGMENT = 512
_ARCHITECTURES = {"X#NodeArchitecture": "Bench/1"}


@scenario(
    "KY-01",
    "Markers, which are obsolete, are rejected or declined.",
    _OBSOLETE,
    Drive.LOGIN,
    mutants=("key-markers-unknown", "key-markers-declined"),
    also=(_OBSOLETE_REJECTED,),
    unh=("Login 12.1",),
)
async def markers(play: Play) -> None:
    held = await hold(play)
    await held.unsaid("IFMarker", "OFMarker")
    for name in ("IFMarker", "OFMarker"):
        if name not in held.said:
            answer = await held.answered(name, "Yes")
            if answer:
                play.check(answer in (REJECT, "No"), f"{name} is answered with {answer}")
                play.check(answer == REJECT, f"{name} is not rejected", _OBSOLETE_REJECTED)
    await held.finish()
    await play.ending()


@scenario(
    "KY-02",
    "Intervals of markers are rejected.",
    _INTERVALS,
    Drive.LOGIN,
    mutants=("key-intervals-unknown",),
)
async def intervals(play: Play) -> None:
    held = await hold(play)
    await held.unsaid("IFMarkInt", "OFMarkInt")
    for name in ("IFMarkInt", "OFMarkInt"):
        if name not in held.said:
            answer = await held.answered(name, "2048~8192")
            if answer:
                play.check(answer == REJECT, f"{name} is answered with {answer}")
    await held.finish()
    await play.ending()


@scenario(
    "KY-03",
    "Of the ways to report tasks, one is chosen.",
    _ONE_OF_LIST,
    Drive.LOGIN,
    mutants=("key-reporting-unknown",),
)
async def task_reporting(play: Play) -> None:
    held = await hold(play)
    name = await held.unsaid("TaskReporting")
    values = ("RFC3720", "ResponseFence", "FastAbort")
    answer = await held.answered(name, ",".join(values))
    if answer:
        play.check(answer in values, f"{name} is answered with {answer}")
    await held.finish()
    await play.ending()


@scenario(
    "KY-04",
    "A protocol level of 1 is understood, and no higher one is the answer.",
    _LEVEL,
    Drive.LOGIN,
    initiator={"reticent": frozenset({"iSCSIProtocolLevel"})},
    mutants=("key-level-high",),
)
async def protocol_level(play: Play) -> None:
    held = await hold(play)
    name = await held.unsaid("iSCSIProtocolLevel")
    answer = await held.answered(name, "1")
    if answer:
        play.check(answer in ("0", "1"), f"{name} is answered with {answer}")
    await held.finish()
    await play.ending()


@scenario(
    "KY-05",
    "The architecture of the target changes nothing; declared twice, it ends the login.",
    _DECLARED_AGAIN,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("keys-twice-taken",),
)
async def node_architecture(play: Play) -> None:
    async def declared(times: int, link: Link) -> None:
        held = await hold(play, link)
        answers = await held.propose(_ARCHITECTURES, rule=_ARCHITECTURE)
        answer = answers.get("X#NodeArchitecture", NOT_UNDERSTOOD)
        play.check(answer == NOT_UNDERSTOOD, f"it is answered with {answer}", _ARCHITECTURE)
        if times == 1:
            await held.finish()
            await expect_use(play, link, "the login fails", _ARCHITECTURE)
            play.leave(link)
        else:
            await held.finish(_ARCHITECTURES)
            await demand_end(play, link, "the login goes on")

    await each_login(play, (1, 2), declared)


@scenario(
    "KY-09",
    "No data segment is longer than the target has declared that it takes.",
    _SEGMENTS,
    Drive.WRITE,
    limits={"segment": _SEGMENT},
    mutants=("segment",),
    unh=("FFP 11.1.1", "Login 14.1"),
)
async def short_segments(play: Play) -> None:
    traffic = alter_logins(play)
    await traffic.watch()
    traffic.check(traffic.segment <= _SEGMENT, f"a segment of {traffic.segment} bytes")


@scenario(
    "KY-10",
    "What the target declares in a Text exchange counts when that is over.",
    _AFTER_EXCHANGE,
    Drive.TEXT,
    mutants=("text-deaf",),
)
async def declared_in_text(play: Play) -> None:
    link = await play.session()
    request = await link.take(TextRequest)
    keys = encode([("MaxRecvDataSegmentLength", str(_SEGMENT))])
    await link.answer(request, data=keys)
    traffic = Traffic(play)
    traffic.follow(link)
    await traffic.watch()
    if not traffic.writes:
        raise NotExercised("it writes nothing behind the exchange")
    play.check(traffic.segment <= _SEGMENT, f"a segment of {traffic.segment} bytes")


@scenario(
    "KY-11",
    "A session has no more connections than were agreed.",
    _AGREED_CONNECTIONS,
    Drive.CONNECTIONS,
    needs=[Ability.CONNECTIONS],
    initiator={"max_connections": 4},
    mutants=("connections-unagreed",),
    unh=("Login 2.3", "Login 10.1"),
)
async def one_connection(play: Play) -> None:
    held = await hold(play)
    if held.said.get("MaxConnections", "1") == "1":
        await held.excuse("it does not ask for several connections")
    await held.finish()
    more = 0
    with suppress(DriverEnded, Silence):
        while True:
            other = await play.connection(within=5)
            request = await other.see(LoginRequest)
            more += request.tsih == held.response.tsih
    play.check(not more, f"{more} more connections join the session")
    await play.ending()


@scenario(
    "KY-15",
    "Operational keys have no place in the security negotiation.",
    _STAGES,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("key-too-early",),
)
async def operational_key_too_early(play: Play) -> None:
    link = await play.connection()
    request = await link.see(LoginRequest)
    if request.csg == Stage.SECURITY:
        known = [KEYS[name] for name, _ in said(link) if name in KEYS]
        early = {key.name for key in known if Stage.SECURITY not in key.stages}
        play.check(not early, f"{', '.join(sorted(early))} during security negotiation")
    held = await hold(play, link, Stage.SECURITY)
    await held.finish({"MaxRecvDataSegmentLength": "65536"})
    play.inform(await held.link.is_ended(), "the target's key is taken")
