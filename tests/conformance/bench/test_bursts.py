from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.bursts import (
    SOLICITED,
    answers,
    ask_burst,
    goes_on,
    judge_order,
    judge_sequence,
    settle,
    take_unasked,
)
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.initiator.deviations import Deviation, dropping
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.pdu import DataOut, ReadyToTransfer


async def act(play: Play) -> None:
    """Nothing is played here."""


def spawn(link: Link) -> None:
    """Nobody connects."""


def judging() -> Play:
    rule = Rule("7143-11.8-5")
    scene = Scenario(id="XX-01", says="It writes.", rule=rule, drive=Drive.WRITE, act=act)
    return Play(scene, spawn)


def broken(play: Play) -> set[str]:
    return {each.remark.rule.id for each in play.remarks if not each.remark.kept}


def sequence(**last: int | bool) -> list[DataOut]:
    pdus = [
        DataOut(data_sn=place, buffer_offset=100 + 4 * place, final=place == 2, data=b"data")
        for place in range(3)
    ]
    for name, value in last.items():
        setattr(pdus[-1], name, value)
    return pdus


def test_a_sequence_is_numbered_contiguous_and_ends_by_f():
    play = judging()
    judge_sequence(play, sequence(), 100)
    assert broken(play) == set()
    assert play.remarks


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ({"data_sn": 3}, "7143-4.2.2.4-1"),
        ({"buffer_offset": 104}, "7143-11.8-3"),
        ({"final": False}, "7143-11.8-4"),
    ],
)
def test_each_fault_of_a_sequence_is_found(fault: dict[str, int], rule: str):
    play = judging()
    judge_sequence(play, sequence(**fault), 100)
    assert broken(play) == {rule}


def test_r2ts_are_answered_in_the_order_in_which_they_came():
    asked = [ReadyToTransfer(ttt=1), ReadyToTransfer(ttt=2)]
    play = judging()
    judge_order(play, [DataOut(ttt=1), DataOut(ttt=1), DataOut(ttt=2)], asked)
    assert broken(play) == set()
    judge_order(play, [DataOut(ttt=1), DataOut(ttt=2), DataOut(ttt=1)], asked)
    judge_order(play, [DataOut(ttt=2), DataOut(ttt=1)], asked)
    assert [each.remark.kept for each in play.remarks] == [True, False, False]


def played_writing(act, deviation: Deviation | None = None, **target: Any) -> Outcome:
    scene = Scenario(
        id="XX-01", says="It writes.", rule=Rule("7143-11.8-5"), drive=Drive.WRITE, act=act,
        target=target,
    )  # fmt: skip
    return played(scene, deviation)


UNASKED: Any = {"initial_r2t": False, "immediate_data": False, "first_burst_length": 4096}


async def in_bursts(play: Play) -> None:
    found = await take_unasked(play)
    await ask_burst(play, found, len(found.data), 4096)
    await goes_on(play, found)


def test_what_comes_unasked_and_for_an_r2t_is_judged_and_the_write_goes_on():
    outcome = played_writing(in_bursts, **UNASKED)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])
    cited = {each.remark.rule.id for each in outcome.remarks}
    assert {"7143-4.2.5.2-1", "7143-4.2.5.2-3", "7143-11.7.4-1", "7143-11.7.1-1"} <= cited


def test_several_r2ts_are_answered_one_after_the_other():
    async def act(play: Play) -> None:
        found = await take_unasked(play)
        asked = [(found, await found.ask(512 * place, 512)) for place in range(2)]
        judge_order(play, await answers(play, asked), [pdu for _, pdu in asked])
        await settle(found)

    outcome = played_writing(act, **SOLICITED)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


SILENT = MUTANTS["r2t-ignored"]


@pytest.mark.parametrize(
    ("ask", "says"),
    [(ask_burst, "an R2T is not answered as a whole"), (None, "an R2T is not answered (")],
)
def test_an_r2t_that_is_not_answered_ends_the_scenario(ask, says: str):
    async def act(play: Play) -> None:
        found = await take_unasked(play)
        if ask is None:
            await answers(play, [(found, await found.ask(0, 512))])
        else:
            await ask(play, found, 0, 512)

    outcome = played_writing(act, SILENT, **SOLICITED)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.says.startswith(says)


def test_data_that_are_announced_and_do_not_come_end_the_scenario():
    silent = Deviation(id="silent", section="11.7", says="x", alter=dropping(DataOut))
    outcome = played_writing(in_bursts, silent, **UNASKED)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.says.startswith("data that the command announces do not come")
