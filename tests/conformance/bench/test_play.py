"""What a scenario has at hand to judge connections by."""

from __future__ import annotations

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.pdu import NopOut

_RULE = Rule("7143-7.9-1")


def outcome_of(act, drive: Drive = Drive.LOGIN) -> Outcome:
    return played(Scenario(id="XX-01", says="It works.", rule=_RULE, drive=drive, act=act))


def test_a_connection_that_the_rule_asks_for_and_that_does_not_come_is_a_breach():
    async def act(play: Play) -> None:
        await play.session()
        await play.expect_connection("it does not come back")

    outcome = outcome_of(act)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.says.startswith("it does not come back (the initiator was done")


def test_a_connection_that_comes_as_the_rule_asks_is_none():
    async def act(play: Play) -> None:
        await play.session()
        await play.expect_connection("it does not come back")

    assert outcome_of(act, Drive.RELOGIN).verdict is Verdict.PASS


def test_who_logs_out_instead_of_answering_is_held_to_it_only_where_that_is_said():
    async def act(play: Play) -> None:
        link = await play.session()
        await play.expect(link, NopOut, breach="no answer")

    async def act_in_spite(play: Play) -> None:
        link = await play.session()
        await play.expect(link, NopOut, breach="no answer", despite_logout=True)

    assert outcome_of(act).verdict is Verdict.NOT_EXERCISED
    assert outcome_of(act_in_spite).verdict is Verdict.FAIL


def test_a_logout_is_no_end_and_no_drop_but_gives_the_connection_up():
    async def ends(play: Play) -> None:
        await play.expect_end(await play.session(), "it says more")

    async def drops(play: Play) -> None:
        await play.expect_drop(await play.session(), "it logs out")

    async def gives_up(play: Play) -> None:
        await play.expect_recovery(await play.session(), "it stays")

    verdicts = [outcome_of(act).verdict for act in (ends, drops, gives_up)]
    assert verdicts == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS]
