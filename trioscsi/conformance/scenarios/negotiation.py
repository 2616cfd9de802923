"""NG: what may be proposed and answered (RFC 7143 sections 6.2, 6.2.1, 6.2.2 and chapter 13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.logins import (
    demand_end,
    each_login,
    expect_use,
    hold,
    number_said,
    pairs_of,
)
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.traffic import alter_logins
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import TextRequest
from trioscsi.text import KEYS, Parameters, encode
from trioscsi.text.rules import IRRELEVANT, NOT_UNDERSTOOD, REJECT

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_UNDERSTOOD = Rule("7143-6.2-9")
_IRRELEVANT = Rule("7143-6.2-10")
_REJECTED = Rule("7143-6.2-11")
_CONSTANTS = Rule("7143-6.2-4", Level.NOTE)
_PROPOSED = Rule("7143-6.2.1-3")
_FIRST = Rule("7143-6.2.1-2")
_FAILED = Rule("7143-7.12-1", Level.NOTE)
_ADMITTED = Rule("7143-6.2.2-4", Level.NOTE)
_ANSWERED = Rule("7143-6.2.2-3")
_DECIDED = Rule("7143-6.2.2-5")
_LEADING = Rule("7143-13-1")
_BURSTS = Rule("7143-13.14-1", Level.NOTE)
_ONE_R2T = Rule("7143-13.19-2")

_FIRST_BURST, _MAX_BURST = 131_072, 65_536
_DEFAULTS = Parameters()


@scenario(
    "NG-03",
    "NotUnderstood as the answer to a key of the standard ends the login.",
    _UNDERSTOOD,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("keys-misunderstood",),
)
async def not_understood(play: Play) -> None:
    held = await hold(play)
    name = await held.proposed("MaxBurstLength", "InitialR2T", "ImmediateData", "MaxConnections")
    await held.finish({name: NOT_UNDERSTOOD})
    await play.expect_end(held.link, "the login goes on")


@scenario(
    "NG-04",
    "Irrelevant is an answer, and the login goes on.",
    _IRRELEVANT,
    Drive.LOGIN,
    target={"initial_r2t": True, "immediate_data": False},
    mutants=("key-irrelevant",),
)
async def irrelevant(play: Play) -> None:
    held = await hold(play)
    for name in ("InitialR2T", "ImmediateData", "FirstBurstLength"):
        await held.proposed(name)
    values = {"InitialR2T": "Yes", "ImmediateData": "No", "FirstBurstLength": IRRELEVANT}
    await held.finish(values)
    await expect_use(play, held.link, "the login fails")
    await play.ending()


@scenario(
    "NG-05",
    "A key whose proposal is rejected keeps its default.",
    _REJECTED,
    Drive.WRITE,
    target={"first_burst_length": _DEFAULTS.first_burst_length},
    mutants=("first-burst",),
)
async def rejected(play: Play) -> None:
    most = _DEFAULTS.first_burst_length

    def reject(said: Mapping[str, str]) -> Mapping[str, str] | None:
        wants_more = (number_said(said, "FirstBurstLength") or 0) > most
        return {"FirstBurstLength": REJECT} if wants_more else None

    traffic = alter_logins(play, reject)
    await traffic.watch()
    traffic.check(traffic.burst <= most, f"{traffic.burst} bytes unasked")


@scenario(
    "NG-06",
    "A constant that answers ends the login when it is proposed.",
    _CONSTANTS,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("keys-reserved-taken",),
)
async def constants_proposed(play: Play) -> None:
    async def with_constant(constant: str, link: Link) -> None:
        held = await hold(play, link)
        name = await held.unsaid("MaxBurstLength", "DataPDUInOrder", "TaskReporting")
        await held.say({name: constant}, transit=False)
        await demand_end(play, link, f"the login goes on after {name}={constant}")

    await each_login(play, (REJECT, IRRELEVANT, NOT_UNDERSTOOD), with_constant)


@scenario(
    "NG-07",
    "An answer that is not in the list ends the login.",
    _PROPOSED,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    mutants=("keys-any-value",),
    unh=("Login 7.2",),
)
async def not_in_the_list(play: Play) -> None:
    held = await hold(play)
    name = await held.proposed("HeaderDigest", "DataDigest")
    offered = held.said[name].split(",")
    value = "CRC32C" if "CRC32C" not in offered else "Y-com.example.sum"
    await held.finish({name: value})
    await play.expect_end(held.link, f"the login goes on with {name}={value}")


@scenario(
    "NG-08",
    "Of a list the first value is answered that is supported; others are passed over.",
    _FIRST,
    Drive.LOGIN,
    initiator={"reticent": frozenset({"HeaderDigest"})},
    mutants=("key-digest",),
)
async def list_of_the_target(play: Play) -> None:
    held = await hold(play)
    name = await held.unsaid("HeaderDigest", "DataDigest")
    answers = await held.propose({name: "Y-com.example.sum,CRC32C,None"})
    value = answers.get(name, "nothing")
    play.check(value in ("CRC32C", "None"), f"{name} is answered with {value}")
    await held.finish()
    await expect_use(play, held.link, "the login fails")
    await play.ending()


@scenario(
    "NG-09",
    "A number that its key cannot have ends the login.",
    _FAILED,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("keys-any-value",),
)
async def out_of_range(play: Play) -> None:
    async def with_number(number: int, link: Link) -> None:
        held = await hold(play, link)
        await held.finish({"MaxRecvDataSegmentLength": str(number)})
        await demand_end(play, link, f"the login goes on with segments of {number} bytes")

    await each_login(play, (100, 2**24), with_number)


Wrong = Callable[[str], str | None]


async def _inadmissible(play: Play, answers: Mapping[str, Wrong]) -> None:
    """Answer proposals of these keys wrongly, in one login after the other."""

    async def with_answer(name: str, link: Link) -> None:
        held = await hold(play, link)
        proposal = held.said.get(name)
        value = None if proposal is None else answers[name](proposal)
        if value is None:
            play.note(f"nothing is wrong as the answer to {name}={proposal or ''}")
            await held.finish()
            await link.login()
            play.leave(link)
            return
        await held.finish({name: value})
        await demand_end(play, link, f"{name}={value} answers {proposal}")

    await each_login(play, list(answers), with_answer)


def _beside(name: str, by: int) -> Wrong:
    """The number that is so much more than was proposed, if the key can have it."""
    key = KEYS[name]

    def wrong(proposal: str) -> str | None:
        value = number_said({name: proposal}, name)
        if value is None or not key.minimum <= value + by <= key.maximum:
            return None
        return str(value + by)

    return wrong


def _instead(proposal: str, answer: str) -> Wrong:
    return lambda said: answer if said == proposal else None


@scenario(
    "NG-10",
    "An answer above the proposal ends the login where the lower value counts.",
    _ADMITTED,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("keys-any-value",),
    unh=("Login 7.4", "Login 15.1", "Login 16.2", "Login 17.1", "Login 19.1", "Login 20.1"),
)
async def above_the_proposal(play: Play) -> None:
    names = (
        "MaxBurstLength",
        "FirstBurstLength",
        "MaxOutstandingR2T",
        "ErrorRecoveryLevel",
        "MaxConnections",
        "DefaultTime2Retain",
    )
    await _inadmissible(play, {name: _beside(name, 1) for name in names})


@scenario(
    "NG-11",
    "An answer below the proposal ends the login where the higher value counts.",
    _ADMITTED,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    mutants=("keys-any-value",),
    unh=("Login 18.1",),
)
async def below_the_proposal(play: Play) -> None:
    await _inadmissible(play, {"DefaultTime2Wait": _beside("DefaultTime2Wait", -1)})


@scenario(
    "NG-12",
    "An answer that its boolean function does not admit ends the login.",
    _ADMITTED,
    Drive.LOGINS,
    stimulus=Stimulus.BREACH,
    initiator={"immediate_data": False, "initial_r2t": True},
    mutants=("keys-any-value",),
    unh=("Login 7.5", "Login 13.3"),
)
async def against_the_function(play: Play) -> None:
    wrong = {"ImmediateData": _instead("No", "Yes"), "InitialR2T": _instead("Yes", "No")}
    await _inadmissible(play, wrong)


@scenario(
    "NG-21",
    "A key that the initiator has not proposed is taken for a proposal, and answered.",
    _ANSWERED,
    Drive.LOGIN,
    initiator={"reticent": frozenset({"FirstBurstLength"})},
    mutants=("keys-unanswered",),
)
async def answer_out_of_the_blue(play: Play) -> None:
    held = await hold(play)
    name = await held.unsaid("FirstBurstLength", "MaxOutstandingR2T", "DefaultTime2Retain")
    answers = await held.propose({name: KEYS[name].default})
    play.check(name in answers, f"{name} is not answered")
    await held.finish()
    await play.ending()


@scenario(
    "NG-22",
    "What the leading login has settled is not negotiated in a Text exchange.",
    _LEADING,
    Drive.TEXT,
    stimulus=Stimulus.BREACH,
    mutants=("keys-any-stage",),
)
async def leading_only(play: Play) -> None:
    link = await play.session()
    request = await link.take(TextRequest)
    keys = encode([("MaxConnections", "8")])
    await link.answer(request, final=False, ttt=1, data=keys)
    if await link.is_ended(within=3):
        play.check(True, "")
        return
    answer: Any = link.heard[-1]
    value = dict(pairs_of(bytes(answer.data))).get("MaxConnections")
    play.check(value in (None, REJECT), f"MaxConnections is answered with {value}")


@scenario(
    "NG-23",
    "A proposal that is the result by itself needs no answer.",
    _DECIDED,
    Drive.SMALL_WRITE,
    initiator={"immediate_data": False},
    mutants=("immediate-data",),
    unh=("Login 13.1", "Login 13.2"),
)
async def no_answer_needed(play: Play) -> None:
    traffic = alter_logins(
        play, lambda said: {"ImmediateData": None} if said.get("ImmediateData") == "No" else None
    )
    await traffic.watch()
    if not traffic.altered:
        raise NotExercised("it asks for immediate data")
    play.check(traffic.pdus, "the login fails")
    if traffic.writes:
        play.check(not traffic.immediate, f"{traffic.immediate} bytes of immediate data")


@scenario(
    "NG-24",
    "A FirstBurstLength above MaxBurstLength is not used.",
    _BURSTS,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target={"first_burst_length": _MAX_BURST, "max_burst_length": _MAX_BURST},
    mutants=("keys-any-bursts",),
    unh=("Login 16.1", "Login 16.3"),
)
async def first_burst_too_long(play: Play) -> None:
    def widen(said: Mapping[str, str]) -> Mapping[str, str] | None:
        wants_more = (number_said(said, "FirstBurstLength") or 0) >= _FIRST_BURST
        return {"FirstBurstLength": str(_FIRST_BURST)} if wants_more else None

    traffic = alter_logins(play, widen)
    await traffic.watch()
    traffic.check(traffic.burst <= _MAX_BURST, f"{traffic.burst} bytes unasked")


@scenario(
    "NG-25",
    "With error recovery and sequences in order, there is one R2T at most.",
    _ONE_R2T,
    Drive.LOGIN,
    stimulus=Stimulus.BREACH,
    needs=[Ability.LEVEL_1],
    initiator={"error_recovery_level": 1},
    mutants=("keys-any-value",),
)
async def several_r2ts(play: Play) -> None:
    held = await hold(play)
    if held.said.get("ErrorRecoveryLevel", "0") == "0":
        await held.excuse("it does not ask for error recovery")
    values = {"ErrorRecoveryLevel": "1", "DataSequenceInOrder": "Yes", "MaxOutstandingR2T": "2"}
    await held.finish(values)
    await play.expect_end(held.link, "the login goes on")
