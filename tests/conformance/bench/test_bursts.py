from __future__ import annotations

import pytest

from trioscsi.conformance import Rule
from trioscsi.conformance.bench.bursts import judge_order, judge_sequence
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
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
