from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.chap import binary, challenged, proven
from trioscsi.conformance.bench.logins import expect_use, pairs_of
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario
from trioscsi.text import encode_binary

RULE = Rule("7143-12.1.3-2")
Act = Callable[[Play], Awaitable[None]]


def outcome_of(act: Act, *needs: Ability) -> Outcome:
    scenario = Scenario(
        id="XX-01",
        says="It works.",
        rule=RULE,
        drive=Drive.LOGIN,
        act=act,
        needs=frozenset(needs),
    )
    return played(scenario)


def test_another_challenge_is_answered_and_the_target_never_knows():
    async def act(play: Play) -> None:
        step = await challenged(play)
        await step.send({"CHAP_I": "9", "CHAP_C": encode_binary(b"another one")})
        request = await step.answer()
        response = binary(dict(pairs_of(bytes(request.data)))["CHAP_R"])
        play.check(response == step.proof(9, b"another one"), "a wrong response")
        await step.correct(request)
        await expect_use(play, step.link, "the login fails")

    outcome = outcome_of(act, Ability.CHAP)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


def test_the_proof_of_the_target_is_held():
    async def act(play: Play) -> None:
        step, response = await proven(play)
        assert dict(pairs_of(bytes(response.data))).keys() == {"CHAP_N", "CHAP_R"}
        await step.link.forward(response)
        await expect_use(play, step.link, "the login fails")

    assert outcome_of(act, Ability.MUTUAL_CHAP).verdict is Verdict.PASS


async def is_challenged(play: Play) -> None:
    await challenged(play)


async def asks_for_proof(play: Play) -> None:
    await proven(play)


@pytest.mark.parametrize(
    ("act", "needs", "says"),
    [
        (is_challenged, (), "it does not authenticate itself by CHAP"),
        (asks_for_proof, (Ability.CHAP,), "it does not ask the target to prove itself"),
    ],
)
def test_who_goes_without_is_not_judged(act: Act, needs: tuple[Ability, ...], says: str):
    outcome = outcome_of(act, *needs)
    assert (outcome.verdict, outcome.says) == (Verdict.NOT_EXERCISED, says)
    assert outcome.ending.reported_success


@pytest.mark.parametrize(
    ("text", "value"),
    [("0xABc", b"\x0a\xbc"), ("0Bq80=", b"\xab\xcd"), ("0xnone", b""), ("0bq", b""), ("", b"")],
)
def test_binary_values_are_read_whatever_they_are(text: str, value: bytes):
    assert binary(text) == value
