"""What a scenario may expect of the end of what an initiator was made to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.conformance.playing import played_by
from trioscsi.conformance import SCENARIOS, Rule, Verdict
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario
from trioscsi.conformance.bench.statuses import BUSY
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.initiator.client import connect
from trioscsi.pdu import ScsiCommand, ScsiResponse

_RULE = Rule("7143-7.9-1")


class Ends:
    """Our initiator, of which nobody knows but what this says; perhaps it tries once more."""

    name = "one that ends"
    drives = frozenset(Drive)
    abilities = frozenset[Ability]()
    reaches_us_at = "127.0.0.1"

    def __init__(self, how: How, times: int = 1) -> None:
        self._how, self._times = how, times

    async def prepare(self) -> None:
        pass

    async def drive(self, drive: Drive, where: Where) -> Ending:
        for _ in range(self._times):
            await InHouse().drive(drive, where)
        if self._how is How.HUNG:
            await trio.sleep_forever()
        return Ending(self._how)


class Does(InHouse):
    """One that does the same whatever it is asked for, and is content."""

    def __init__(self, act: Callable[[Where], Awaitable[None]]) -> None:
        super().__init__()
        self._act = act

    async def drive(self, drive: Drive, where: Where) -> Ending:
        await self._act(where)
        return Ending(How.DONE)


async def connects(where: Where) -> None:
    for _ in range(2):
        async with await trio.open_tcp_stream(where.host, where.port):
            await trio.sleep(1)


async def logs_in(where: Where) -> None:
    async with connect(where.url):
        pass


async def reads_later(where: Where) -> None:
    await InHouse().drive(Drive.IDLE, where)


async def success(play: Play) -> None:
    await play.session()
    await play.expect_success("it fails")


async def survival(play: Play) -> None:
    await play.session()
    await play.expect_survival("it does not survive")


async def no_success(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand)
    await link.say(ScsiResponse(itt=command.itt, response=1))
    await play.expect_no_success(link, command, "it passes for good")


async def done_again(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand)
    await link.say(ScsiResponse(itt=command.itt, status=BUSY))
    await play.expect_no_success(link, command, "it passes for good")


def verdict(act, how: How, times: int = 1) -> Verdict:
    scene = Scenario(id="XX-01", says="It ends.", rule=_RULE, drive=Drive.LOGIN, act=act)
    return played_by(scene, Ends(how, times)).verdict


@pytest.mark.parametrize(
    ("how", "says"),
    [(How.DONE, "it passes for good"), (How.HUNG, "no failure is reported")],
)
def test_who_hangs_is_not_said_to_have_succeeded(how: How, says: str):
    scene = Scenario(id="XX-01", says="It ends.", rule=_RULE, drive=Drive.LOGIN, act=no_success)
    assert played_by(scene, Ends(how)).says.startswith(says)


@pytest.mark.parametrize("how", set(How) - {How.DONE, How.UNKNOWN})
def test_success_is_doing_all_that_was_asked_for(how: How):
    assert verdict(success, How.DONE) is Verdict.PASS
    assert verdict(success, how) is Verdict.FAIL


def test_an_end_that_says_nothing_is_no_pass():
    assert verdict(success, How.UNKNOWN) is Verdict.NOT_EXERCISED
    assert verdict(no_success, How.UNKNOWN) is Verdict.NOT_EXERCISED


@pytest.mark.parametrize(
    ("scenario", "act"),
    [
        ("CN-03", logs_in),
        ("CN-04", logs_in),
        ("DG-06", connects),
        ("DG-06", logs_in),
        ("RS-05", logs_in),
        ("TX-01", reads_later),
    ],
)
def test_who_does_something_else_is_not_judged_by_it(
    scenario: str, act: Callable[[Where], Awaitable[None]]
):
    assert played_by(SCENARIOS[scenario], Does(act)).verdict is Verdict.NOT_EXERCISED


@pytest.mark.parametrize("how", [How.HUNG, How.CRASHED, How.WRONG_DATA])
def test_who_hangs_crashes_or_takes_wrong_data_has_not_survived(how: How):
    assert verdict(survival, How.FAILED) is Verdict.PASS
    assert verdict(survival, how) is Verdict.FAIL


def test_what_went_wrong_may_be_reported_or_done_again():
    assert verdict(no_success, How.FAILED) is Verdict.PASS
    assert verdict(no_success, How.DONE, times=2) is Verdict.PASS


@pytest.mark.parametrize("how", [How.DONE, How.WRONG_DATA, How.HUNG])
def test_what_went_wrong_may_not_pass_for_good(how: How):
    assert verdict(no_success, how) is Verdict.FAIL


@pytest.mark.parametrize(
    ("how", "found"),
    [(How.HUNG, Verdict.PASS), (How.WRONG_DATA, Verdict.FAIL), (How.CRASHED, Verdict.FAIL)],
)
def test_who_did_it_again_at_once_did_not_take_it_for_good(how: How, found: Verdict):
    assert verdict(done_again, how) is found


def test_who_hangs_is_not_waited_for_twice():
    scene = Scenario(id="XX-01", says="It ends.", rule=_RULE, drive=Drive.LOGIN, act=survival)
    outcome = played_by(scene, Ends(How.HUNG))
    assert outcome.ending.how is How.HUNG
    assert outcome.seconds < 12
