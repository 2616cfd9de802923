from __future__ import annotations

import pytest
import trio

from tests.interop.tools import tool
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.run import perform
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.drivers.recipes import RECIPES, by_qemu, by_tool
from trioscsi.pdu import DataIn

RULE = Rule("7143-4.2.4-1")


def test_a_tool_that_runs_until_its_time_is_over_has_done_its_work():
    assert by_tool(124, "").how is How.DONE
    assert by_tool(10, "Failed to log in\n").says == "Failed to log in"
    assert by_tool(-6, "").how is How.CRASHED


def test_qemu_tells_in_words_what_was_wrong():
    wrong = "Pattern verification failed at offset 0, 512 bytes\nread 512/512 bytes"
    assert by_qemu(0, wrong).how is How.WRONG_DATA
    assert by_qemu(0, "read failed: Input/output error\n").how is How.FAILED
    assert by_qemu(0, f"write failed: Input/output error\n{wrong}").how is How.FAILED
    assert by_qemu(1, "qemu-io: can't open\n").how is How.FAILED
    assert by_qemu(0, "read 512/512 bytes at offset 0\n").how is How.DONE


async def logs_in(play: Play) -> None:
    link = await play.session()
    play.check(link.known.logged_in, "no login")
    ending = await play.ending()
    play.check(ending.how is How.DONE, str(ending))


@pytest.mark.parametrize(
    ("recipe", "drive"),
    [
        ("libiscsi", Drive.LOGIN),
        ("libiscsi", Drive.LOGINS),
        ("libiscsi", Drive.TWO_SESSIONS),
        ("libiscsi", Drive.WRITE),
        ("qemu", Drive.RELOGIN),
        ("qemu", Drive.WRITE),
    ],
)
def test_each_does_what_it_is_asked_to(recipe: str, drive: Drive):
    for name in ("iscsi-inq", "iscsi-test-cu", "qemu-io", "qemu-img"):
        tool(name)
    scenario = Scenario(id="XX-01", says="It logs in.", rule=RULE, drive=drive, act=logs_in)
    outcome = trio.run(perform, scenario, RECIPES[recipe])
    assert outcome.verdict is Verdict.PASS, outcome.says


@pytest.mark.parametrize("recipe", ["libiscsi", "qemu"])
def test_each_can_prove_who_it_is(recipe: str):
    tool("iscsi-inq")
    tool("qemu-img")
    scenario = Scenario(
        id="XX-01",
        says="It logs in.",
        rule=RULE,
        drive=Drive.LOGIN,
        act=logs_in,
        needs=frozenset({Ability.CHAP}),
    )
    outcome = trio.run(perform, scenario, RECIPES[recipe])
    assert outcome.verdict is Verdict.PASS, outcome.says


def test_qemu_notices_wrong_data():
    tool("qemu-io")

    async def act(play: Play) -> None:
        link = await play.session()
        data = await link.take(DataIn, where=lambda pdu: len(pdu.data) > 4096)
        await link.forward(data, data=bytes(len(data.data)))
        ending = await play.ending()
        play.check(ending.how is How.WRONG_DATA, str(ending))

    scenario = Scenario(id="XX-01", says="It reads.", rule=RULE, drive=Drive.READ, act=act)
    outcome = trio.run(perform, scenario, RECIPES["qemu"])
    assert outcome.verdict is Verdict.PASS, outcome.says
