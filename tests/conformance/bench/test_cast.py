"""The connections that come to a scenario, and the end of what the initiator does."""

from __future__ import annotations

import trio

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.conformance.drivers.driver import How
from trioscsi.pdu import LogoutRequest

_RULE = Rule("7143-7.9-1")


def outcome_of(act, drive: Drive = Drive.LOGIN) -> Outcome:
    return played(Scenario(id="XX-01", says="It works.", rule=_RULE, drive=drive, act=act))


def test_a_connection_that_does_not_come_is_silence():
    async def act(play: Play) -> None:
        await play.session()
        await play.connection(within=1)

    outcome = outcome_of(act, Drive.IDLE)
    assert outcome.says == "no connection within 1 seconds"


def test_discoveries_are_no_sessions_to_speak_of():
    async def act(play: Play) -> None:
        link = await play.session()
        assert link.known.session is not None
        play.check(not link.known.session.discovery, "a discovery")
        play.check(len(play.links) == 2, "it has not asked before")

    assert outcome_of(act, Drive.DISCOVERY_LOGIN).verdict is Verdict.PASS


def test_while_a_scenario_pauses_nothing_goes_through():
    async def act(play: Play) -> None:
        link = await play.session()
        before = link.count
        await play.pause(2)
        play.check(link.count == before, "it went on")

    assert outcome_of(act).verdict is Verdict.PASS


def test_whether_there_is_another_connection_can_be_asked_without_losing_it():
    async def act(play: Play) -> None:
        first = await play.session()
        play.check(not await play.has_no_other(5), "there is none")
        play.check(await play.connection() is not first, "it is lost")

    assert outcome_of(act, Drive.RELOGIN).verdict is Verdict.PASS


def test_who_is_done_has_no_other_connection():
    async def act(play: Play) -> None:
        await play.session()
        play.check(await play.has_no_other(5), "there is another")
        play.check(play.driver_is_done, "it is not done")

    assert outcome_of(act).verdict is Verdict.PASS


def test_the_stage_may_have_another_door():
    async def act(play: Play) -> None:
        first = await play.connection()
        port = await play.another_portal()
        async with await trio.open_tcp_stream("127.0.0.1", port):
            link = await play.connection(within=5)
            play.check(link.port == port != first.port, "the same door")
            await link.reset()

    assert outcome_of(act).verdict is Verdict.PASS


def test_who_hangs_has_its_connections_broken_off():
    async def act(play: Play) -> None:
        link = await play.session()
        await link.take(LogoutRequest)
        ending = await play.ended(1)
        play.check(ending.how is How.HUNG, str(ending))
        play.check(not link.is_open, "it is open")

    assert outcome_of(act).verdict is Verdict.PASS
