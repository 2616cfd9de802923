from __future__ import annotations

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.numbers import is_numbered
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.conformance.bench.windows import WIDTH, narrow


@pytest.mark.parametrize(
    ("drive", "verdict"),
    [(Drive.PARALLEL_READ, Verdict.PASS), (Drive.LOGIN, Verdict.NOT_EXERCISED)],
)
def test_a_window_is_narrow_where_so_many_commands_come(drive: Drive, verdict: Verdict):
    async def act(play: Play) -> None:
        link = await narrow(play)
        await link.run_for(2)
        numbered = [pdu for pdu in link.heard if is_numbered(pdu)]
        play.check(len(numbered) == WIDTH, "what was not granted comes")
        link.open_window()

    scene = Scenario(
        id="XX-01", says="It waits.", rule=Rule("7143-4.2.2.1-4"), drive=drive, act=act
    )
    assert played(scene).verdict is verdict
