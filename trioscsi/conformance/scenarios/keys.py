"""KY: keys whose effect shows on the wire (RFC 7143 chapters 12 and 13)."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.logins import (
    Held,
    demand_end,
    each_login,
    expect_use,
    hold,
    said,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.traffic import Traffic, alter_logins
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    NO_TASK,
    LoginRequest,
    LogoutReason,
    LogoutRequest,
    NopOut,
    TextRequest,
)
from trioscsi.text import KEYS, Stage, encode
from trioscsi.text.rules import NOT_UNDERSTOOD, REJECT

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_OBSOLETE = Rule("7143-13.25-2")
_OBSOLETE_REJECTED = Rule("7143-13.25-3", Level.SHOULD)
_INTERVALS = Rule("7143-13.25-4")
_UNDERSTOOD = Rule("7143-6.2-5")
_ONE_OF_LIST = Rule("7143-6.2.1-1")
_FIRST = Rule("7143-6.2.1-2")
_LEVEL = Rule("7143-13.24-1")
_ARCHITECTURE = Rule("7143-13.26.1-1")
_DIGESTS = Rule("7143-13.1-1")
_SEGMENTS = Rule("7143-11.7.1-1")
_AFTER_EXCHANGE = Rule("7143-6.4-1")
_DISCOVERY_ONLY = Rule("7143-4.3-1")
_DISCOVERY_LEVEL = Rule("7143-7.4.1-1")
_NORMAL_ONLY = Rule("7143-13.22-1")
_STAGES = Rule("7143-6.3-4")

_SEGMENT = 512
_ODD_BURST = 1023
_ARCHITECTURES = {"X#NodeArchitecture": "Bench/1"}


async def _answer(play: Play, held: Held, name: str, value: str) -> str:
    """What a proposal is answered with; none of these keys may be not understood."""
    answers = await held.propose({name: value})
    answer = answers.get(name, "")
    play.check(answer, f"{name} is not answered", Rule("7143-6.2.2-3"))
    return answer


@scenario(
    "KY-01",
    "Markers, which are obsolete, are rejected or declined.",
    _OBSOLETE,
    Drive.LOGIN,
    mutants=("key-markers-unknown", "key-markers-declined"),
    unh=("Login 12.1",),
)
async def markers(play: Play) -> None:
    held = await hold(play)
    await held.unsaid("IFMarker", "OFMarker")
    for name in ("IFMarker", "OFMarker"):
        if name not in held.said:
            answer = await _answer(play, held, name, "Yes")
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
            answer = await _answer(play, held, name, "2048~8192")
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
    answer = await _answer(play, held, name, ",".join(values))
    play.check(answer in values, f"{name} is answered with {answer or 'nothing'}")
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
    answer = await _answer(play, held, name, "1")
    play.check(answer in ("0", "1"), f"{name} is answered with {answer or 'nothing'}")
    await held.finish()
    await play.ending()


@scenario(
    "KY-05",
    "The architecture of the target changes nothing; declared twice, it ends the login.",
    _ARCHITECTURE,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("keys-twice-taken",),
)
async def node_architecture(play: Play) -> None:
    async def declared(times: int, link: Link) -> None:
        held = await hold(play, link)
        answers = await held.propose(_ARCHITECTURES)
        answer = answers.get("X#NodeArchitecture", NOT_UNDERSTOOD)
        play.check(answer == NOT_UNDERSTOOD, f"it is answered with {answer}")
        if times == 1:
            await held.finish()
            await expect_use(play, link, "the login fails")
            play.leave(link)
        else:
            await held.finish(_ARCHITECTURES)
            await demand_end(play, link, "the login goes on")

    await each_login(play, (1, 2), declared)


def _chosen(name: str, said: Mapping[str, str]) -> Mapping[str, str] | None:
    """The answer that chooses a digest, if it was offered."""
    return {name: "CRC32C"} if "CRC32C" in said.get(name, "").split(",") else None


async def _digested(play: Play, traffic: Traffic, name: str) -> None:
    """Judge the digests of all that comes."""
    await traffic.watch(within=10)
    if not traffic.altered:
        raise NotExercised(f"it does not offer {name}=CRC32C")
    damaged = sum(link.damaged for link in play.links)
    play.check(not damaged, f"{damaged} PDUs without the right digest")
    play.check(traffic.pdus, "nothing comes that has a digest")


@scenario(
    "KY-06",
    "Once header digests are agreed, each PDU has one, and it is right.",
    _DIGESTS,
    Drive.READ,
    initiator={"header_digests": ("CRC32C", "None")},
    mutants=("header-digest",),
    unh=("Login 9.1", "Login 9.2", "Login 9.3"),
)
async def header_digests(play: Play) -> None:
    traffic = alter_logins(play, lambda said: _chosen("HeaderDigest", said))
    await _digested(play, traffic, "HeaderDigest")


@scenario(
    "KY-07",
    "Once data digests are agreed, all data have one, and it covers their padding.",
    _DIGESTS,
    Drive.WRITE,
    initiator={"data_digests": ("CRC32C", "None")},
    target={"first_burst_length": _ODD_BURST},
    mutants=("data-digest",),
)
async def data_digests(play: Play) -> None:
    traffic = alter_logins(play, lambda said: _chosen("DataDigest", said))
    await _digested(play, traffic, "DataDigest")
    if not traffic.odd:
        play.note("there was no data with padding")


@scenario(
    "KY-08",
    "Of the digests that the target offers, the first is chosen that is supported.",
    _FIRST,
    Drive.LOGIN,
    initiator={"reticent": frozenset({"HeaderDigest", "DataDigest"})},
    mutants=("key-last-digest",),
)
async def digests_of_the_target(play: Play) -> None:
    held = await hold(play)
    if held.said.keys() & {"HeaderDigest", "DataDigest"}:
        await held.excuse("it offers digests by itself")
    offers = {"HeaderDigest": "None,CRC32C", "DataDigest": "CRC32C,None"}
    answers = await held.propose(offers)
    chosen = {name: answers.get(name, "nothing") for name in offers}
    for name, value in chosen.items():
        play.check(value in ("None", "CRC32C"), f"{name} is answered with {value}")
    last = chosen == {"HeaderDigest": "CRC32C", "DataDigest": "None"}
    play.check(not last, "the last value of each list is chosen")
    await held.finish()
    await expect_use(play, held.link, "the login fails")
    await play.ending()


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


async def _discovery(play: Play) -> Held:
    """The login of a Discovery session, held before its end."""
    held = await hold(play)
    if held.said.get("SessionType") != "Discovery":
        await held.excuse("it does not ask which targets there are")
    return held


@scenario(
    "KY-12",
    "In a Discovery session targets are asked for, and it is logged out; nothing else comes.",
    _DISCOVERY_ONLY,
    Drive.DISCOVERY,
    mutants=("discovery-command", "discovery-negotiates"),
    unh=("Login 21.1",),
)
async def discovery_only(play: Play) -> None:
    held = await _discovery(play)
    await held.finish()
    await held.link.rest()
    for pdu in held.link.heard:
        match pdu:
            case LoginRequest():
                continue
            case TextRequest():
                names = [item.split(b"=")[0] for item in bytes(pdu.data).split(b"\0") if item]
                fits = set(names) <= {b"SendTargets"}
            case LogoutRequest():
                fits = pdu.reason == LogoutReason.CLOSE_SESSION
            case _:
                fits = isinstance(pdu, NopOut) and pdu.ttt != NO_TASK
        play.check(fits, f"a {type(pdu).__name__} that is for other sessions")
    await play.ending()


@scenario(
    "KY-13",
    "In a Discovery session error recovery is declined.",
    _DISCOVERY_LEVEL,
    Drive.DISCOVERY,
    initiator={"reticent": frozenset({"ErrorRecoveryLevel"})},
    stimulus=Stimulus.BREACH,
    mutants=("discovery-level",),
)
async def error_recovery_in_discovery(play: Play) -> None:
    held = await _discovery(play)
    name = await held.unsaid("ErrorRecoveryLevel")
    answer = await _answer(play, held, name, "2")
    play.check(answer == "0", f"{name} is answered with {answer or 'nothing'}")
    await held.finish()
    await play.ending()


@scenario(
    "KY-14",
    "Keys of vendors are for normal sessions.",
    _NORMAL_ONLY,
    Drive.DISCOVERY,
    mutants=("discovery-vendor",),
)
async def vendor_keys_in_discovery(play: Play) -> None:
    held = await _discovery(play)
    await held.finish()
    await held.link.rest()
    texts = [bytes(pdu.data) for pdu in held.link.heard if isinstance(pdu, TextRequest)]
    names = {name for name, _ in said(held.link)}
    private = {name for name in names if name.startswith("X-")}
    play.check(not private, f"{', '.join(sorted(private))} in a Discovery session")
    play.check(not any(b"X-" in text for text in texts), "a key of a vendor in a Text Request")
    await play.ending()


@scenario(
    "KY-15",
    "Operational keys have no place in the security negotiation.",
    _STAGES,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("keys-any-stage", "key-too-early"),
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
    await play.expect_end(held.link, "the target's key is taken")
