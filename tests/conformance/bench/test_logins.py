from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.conformance.playing import played, played_by
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.logins import (
    answering,
    demand_end,
    each_login,
    expect_use,
    hold,
    pairs_of,
    refuse,
    said,
)
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.drivers.partner import Partner
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.pdu import LoginRequest
from trioscsi.text import Stage

KEY = "X-com.example.test"
Act = Callable[[Play], Awaitable[None]]


def outcome_of(
    act: Act, drive: Drive = Drive.LOGIN, deviation: Deviation | None = None, **more: object
) -> Outcome:
    rule = Rule("7143-6.2-6")
    return played(
        Scenario(id="XX-01", says="It works.", rule=rule, drive=drive, act=act, **more),  # type: ignore[arg-type]
        deviation,
    )


def test_a_login_is_held_and_let_go():
    async def act(play: Play) -> None:
        held = await hold(play)
        assert held.said["SessionType"] == "Normal"
        assert await held.propose({KEY: "1"}) == {KEY: "NotUnderstood"}
        assert not held.link.known.logged_in
        await held.finish({"TargetAlias": "mine"})
        await expect_use(play, held.link, "the login fails")
        assert held.link.parameters.target_alias == "mine"

    outcome = outcome_of(act)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


def test_that_a_proposal_is_answered_is_judged():
    async def act(play: Play) -> None:
        held = await hold(play)
        assert await held.answered(KEY, "1") in ("NotUnderstood", "")
        await held.finish()

    assert outcome_of(act).verdict is Verdict.PASS
    outcome = outcome_of(act, deviation=MUTANTS["keys-unanswered"])
    assert outcome.says == f"{KEY} is not answered"


def test_there_is_a_proposal_that_the_initiator_has_to_answer():
    async def act(play: Play) -> None:
        held = await hold(play)
        name, value = await held.proposal()
        assert name not in held.said
        play.check(name in await held.propose({name: value}), "it is not answered")
        await held.finish()

    assert outcome_of(act).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (KEY, "7143-6.2.2-3"),
        ("MaxBurstLength", "7143-6.2.2-3"),
        ("TaskReporting", "7143-6.2.1-1"),
    ],
)
def test_lists_are_answered_by_a_rule_of_their_own(name: str, rule: str):
    assert answering(name) == Rule(rule)


def test_a_login_is_held_in_its_security_negotiation():
    async def act(play: Play) -> None:
        held = await hold(play, stage=Stage.SECURITY)
        assert (held.request.csg, held.request.nsg) == (Stage.SECURITY, Stage.OPERATIONAL)
        await held.finish()
        await expect_use(play, held.link, "the login fails")

    assert outcome_of(act).verdict is Verdict.PASS


def test_an_initiator_that_does_not_go_on_breaks_the_rule():
    async def act(play: Play) -> None:
        held = await hold(play)
        for _ in range(5):
            await held.propose({}, "it gives up")

    async def use(play: Play) -> None:
        held = await hold(play)
        await held.finish(status_class=3)
        await expect_use(play, held.link, "it fails")

    outcome = outcome_of(act, deviation=MUTANTS["login-impatient"])
    assert outcome.says == "it gives up (the initiator has closed the connection)"
    assert outcome_of(use).says == "it fails (the initiator has closed the connection)"


class Mute(InHouse):
    """Our own initiator, which logs in and then says nothing, on an open connection."""

    async def drive(self, drive: Drive, where: Where) -> Ending:
        async with Partner().connect(where):
            await trio.sleep_forever()
        raise AssertionError("it sleeps until it is cancelled")


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        ("LG-06", Verdict.INCONCLUSIVE),
        ("NG-01", Verdict.INCONCLUSIVE),
        ("NG-20", Verdict.NOT_EXERCISED),
    ],
)
def test_an_initiator_that_hangs_after_its_login_has_not_failed_to_log_in(
    number: str, verdict: Verdict
):
    outcome = played_by(SCENARIOS[number], Mute())
    assert (outcome.verdict, outcome.says) == (
        verdict,
        "it has logged in, and then says nothing more",
    )


def test_an_initiator_that_hangs_before_the_end_of_its_login_breaks_the_rule():
    async def act(play: Play) -> None:
        held = await hold(play, stage=Stage.SECURITY)
        await expect_use(play, held.link, "it hangs")

    assert outcome_of(act).says.startswith("it hangs (no ScsiCommand or ")


def test_an_initiator_that_does_not_ask_for_the_next_stage_again_is_not_waited_for():
    async def act(play: Play) -> None:
        held = await hold(play)
        await held.propose({})
        await held.finish()

    outcome = outcome_of(act, deviation=MUTANTS["login-tires"])
    assert outcome.says == "it does not ask for the next stage any more"


@pytest.mark.parametrize(
    ("drive", "at_least", "verdict", "says"),
    [
        (Drive.LOGINS, None, Verdict.PASS, ""),
        (Drive.LOGIN, None, Verdict.INCONCLUSIVE, "it logs in 1 times, and not 2"),
        (Drive.LOGIN, 1, Verdict.PASS, ""),
    ],
)
def test_each_login_has_its_value(drive: Drive, at_least: int | None, verdict: Verdict, says: str):
    async def act(play: Play) -> None:
        async def one(status: int, link: Link) -> None:
            await refuse(link, await link.take(LoginRequest), status)
            await demand_end(play, link, "it stays")

        await each_login(play, (0x0301, 0x0302), one, at_least)

    outcome = outcome_of(act, drive)
    assert (outcome.verdict, outcome.says) == (verdict, says)


def test_a_connection_that_stays_ends_the_scenario():
    async def act(play: Play) -> None:
        await demand_end(play, await play.connection(), "it stays")
        raise AssertionError

    outcome = outcome_of(act)
    assert (outcome.says, outcome.faulty) == ("it stays", False)


def test_keys_are_found_or_missed():
    async def act(play: Play) -> None:
        held = await hold(play)
        assert await held.unsaid("HeaderDigest", "TaskReporting") == "TaskReporting"
        assert await held.proposed("TaskReporting", "HeaderDigest") == "HeaderDigest"
        assert next(name for name, _ in said(held.link)) == "InitiatorName"
        await held.unsaid("HeaderDigest", "DataDigest")

    async def act_too(play: Play) -> None:
        await (await hold(play)).proposed(KEY)

    assert outcome_of(act).says == "it says HeaderDigest and DataDigest by itself"
    outcome = outcome_of(act_too)
    assert (outcome.says, outcome.ending.how) == (f"it does not propose {KEY}", How.DONE)


def test_text_is_read_whatever_it_is():
    assert pairs_of(b"a=b=c\0\0d\0\xff=1") == [("a", "b=c"), ("d", ""), ("\ufffd", "1")]


def test_a_scenario_says_who_proves_what():
    async def act(play: Play) -> None:
        link = await play.session()
        names = [value for name, value in said(link) if name == "CHAP_N"]
        play.check(names == ["somebody"], f"{names}")

    target = {"chap": ("somebody", "a secret that nobody knows")}
    assert outcome_of(act, needs={Ability.CHAP}, target=target).verdict is Verdict.PASS


def test_there_are_more_doors_to_the_stage():
    async def act(play: Play) -> None:
        port = await play.another_portal()
        link = await play.connection()
        await refuse(
            link, await link.take(LoginRequest), 0x0101, [("TargetAddress", f"{play.host}:{port}")]
        )
        other = await play.expect_connection("nobody comes")
        assert (link.port, other.port) == (link.port, port)
        await play.ending()
        await play.expect_connection("nobody else comes")

    outcome = outcome_of(act)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.says.startswith("nobody else comes (the initiator was done: did all")
