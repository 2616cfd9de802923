from __future__ import annotations

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.levels import session_at
from trioscsi.conformance.bench.losses import (
    LEVEL_1,
    LOSS,
    covers,
    expect_asked,
    expect_snack,
    is_snack,
)
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.readings import Reading, next_reading
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.pdu import NopOut, SnackRequest, SnackType

_RULE = Rule("7143-7.8-3")


def outcome_of(act, mutant: str | None = None):
    more = {"breaches": LOSS, **LEVEL_1}
    scenario = Scenario(
        id="XX-01", says="It recovers.", rule=_RULE, drive=Drive.READ, act=act, **more
    )
    return played(scenario, None if mutant is None else MUTANTS[mutant])


async def with_a_hole(play: Play) -> tuple[Reading, list]:
    found = await next_reading(await session_at(play, 1), 4096)
    pdus = found.cut_into(4)
    await found.link.say(*pdus[:1], *pdus[2:], found.status(4))
    return found, pdus


@pytest.mark.parametrize(
    ("beg_run", "run_length", "covered"),
    [(2, 2, [2, 3]), (3, 0, [3, 4, 5]), (0, 1, [0]), (0, 0, [0, 1, 2, 3, 4, 5])],
)
def test_a_run_begins_with_a_number_and_may_be_open(
    beg_run: int, run_length: int, covered: list[int]
):
    snack = SnackRequest(beg_run=beg_run, run_length=run_length)
    assert [number for number in range(6) if covers(snack, number)] == covered


def test_of_snacks_one_type_may_be_wanted():
    wanted = is_snack(SnackType.STATUS)
    assert wanted(SnackRequest(type=SnackType.STATUS))
    assert not wanted(SnackRequest(type=SnackType.R_DATA))
    assert wanted(NopOut())


def test_data_that_are_asked_for_can_be_given():
    async def act(play: Play) -> None:
        found, pdus = await with_a_hole(play)
        if await expect_asked(play, found, 1):
            await found.link.say(pdus[1])
        await play.expect_success("the read fails")

    assert outcome_of(act).verdict is Verdict.PASS
    assert outcome_of(act, "data-forgone").verdict is Verdict.FAIL


def test_the_snack_itself_can_be_looked_at():
    async def act(play: Play) -> None:
        found, pdus = await with_a_hole(play)
        snack = await expect_snack(play, found, kind=SnackType.DATA_OR_R2T)
        play.check((snack.beg_run, snack.run_length) == (1, 1), "another run")
        await found.link.say(pdus[1])
        await play.expect_success("the read fails")

    assert outcome_of(act).verdict is Verdict.PASS
