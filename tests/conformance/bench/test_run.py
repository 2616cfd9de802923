from __future__ import annotations

import os
import select
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.conformance.playing import played, played_by
from trioscsi.conformance import Level, Rule, Verdict
from trioscsi.conformance.bench.clock import QUIET, run_in_no_time
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.run import perform, perform_all
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario, Stimulus
from trioscsi.conformance.bench.words import ping
from trioscsi.conformance.drivers.command import CommandDriver
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.drivers.partner import Partner
from trioscsi.conformance.report import Report
from trioscsi.errors import DriverError
from trioscsi.pdu import DataIn, LoginResponse, NopOut, ScsiCommand
from trioscsi.serial import add


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An initiator that hangs is another process, and time is real then."""
    monkeypatch.setattr("trioscsi.conformance.bench.run._REST", 1.0)


RULE = Rule("7143-11.18-1")
Act = Callable[[Play], Awaitable[None]]


def scene(act: Act, drive: Drive = Drive.LOGIN, **more: object) -> Scenario:
    return Scenario(id="XX-01", says="It works.", rule=RULE, drive=drive, act=act, **more)  # type: ignore[arg-type]


def outcome_of(act: Act, drive: Drive = Drive.LOGIN, **more: object) -> Outcome:
    return played(scene(act, drive, **more))


async def passes(play: Play) -> None:
    link = await play.session()
    play.check(link.known.logged_in, "not logged in")


async def fails(play: Play) -> None:
    await play.session()
    play.check(False, "wrong")


async def says_nothing(play: Play) -> None:
    await play.session()


# Verdicts.


def test_what_was_put_to_the_test_and_kept_passes():
    outcome = outcome_of(passes)
    assert (outcome.verdict, outcome.ending.how) == (Verdict.PASS, How.DONE)


def test_what_was_not_kept_is_as_bad_as_its_level():
    assert outcome_of(fails).verdict is Verdict.FAIL
    should = Rule("7143-11.18-2", Level.SHOULD)

    async def act(play: Play) -> None:
        await play.session()
        play.inform(False, "odd")
        play.check(False, "bad", should)

    outcome = outcome_of(act)
    assert (outcome.verdict, outcome.says) == (Verdict.WARN, "bad")


def test_what_was_never_put_to_the_test_is_not_exercised():
    assert outcome_of(says_nothing).verdict is Verdict.NOT_EXERCISED


def test_a_scenario_may_say_that_it_cannot_be_played():
    async def act(play: Play) -> None:
        await play.connection()
        raise NotExercised("no such key")

    outcome = outcome_of(act)
    assert (outcome.verdict, outcome.says) == (Verdict.NOT_EXERCISED, "no such key")


def test_an_initiator_that_leaves_too_early_is_not_judged():
    async def act(play: Play) -> None:
        link = await play.session()
        play.check(True, "")
        await link.take(NopOut)

    outcome = outcome_of(act)
    assert (outcome.verdict, outcome.says) == (
        Verdict.INCONCLUSIVE,
        "the initiator has logged out",
    )


def test_an_initiator_that_ought_to_answer_and_leaves_without_a_logout_has_failed():
    async def act(play: Play) -> None:
        link = await play.session()
        await link.reset()
        await play.expect(link, NopOut, breach="no answer")

    assert outcome_of(act).verdict is Verdict.FAIL


def test_no_connection_at_all_is_told():
    async def act(play: Play) -> None:
        await play.session()
        await play.session()

    outcome = outcome_of(act)
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert outcome.says.startswith("the initiator was done")


def test_silence_is_told_and_is_no_pass():
    async def act(play: Play) -> None:
        link = await play.session()
        await link.take(NopOut, within=1)

    outcome = outcome_of(act, Drive.IDLE)
    assert (outcome.verdict, outcome.says) == (
        Verdict.NOT_EXERCISED,
        "no NopOut within 1 seconds",
    )


def test_a_scenario_ends_within_its_bound():
    async def act(play: Play) -> None:
        await play.session()
        await trio.sleep_forever()

    outcome = outcome_of(act, limit=3.0)
    assert outcome.says == "it was not over after 3 seconds"
    assert 3 <= outcome.seconds < 20


def test_a_fault_of_a_scenario_ends_it_alone(caplog):
    async def act(play: Play) -> None:
        raise ZeroDivisionError

    outcome = outcome_of(act)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "ZeroDivisionError" in outcome.says
    assert caplog.records


def test_what_an_initiator_cannot_do_is_not_tried():
    driver = CommandDriver("nothing", {})
    outcome = played_by(scene(passes), driver)
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert outcome.says == "nothing cannot be made to log in, and out again"
    driver = CommandDriver.of(["true"])
    outcome = played_by(scene(passes, needs=frozenset({Ability.CHAP})), driver)
    assert outcome.says == "true cannot prove who it is by CHAP"


# Initiators that are slow.


class Slow(InHouse):
    """Our own initiator, that takes its time to start, and then once more before it comes."""

    def __init__(self, start: float = 0.0, come: float = 0.0) -> None:
        super().__init__()
        self._start, self._come = start, come

    async def prepare(self) -> None:
        await trio.sleep(self._start)

    async def drive(self, drive: Drive, where: Where) -> Ending:
        await trio.sleep(self._come)
        return await super().drive(drive, where)


async def comes_soon(play: Play) -> None:
    link = await play.session(within=5)
    play.check(await link.is_given_up(within=5), "it stays")


def test_what_an_initiator_needs_to_be_started_is_not_counted():
    outcome = played_by(scene(passes, limit=3.0), Slow(start=100))
    assert outcome.verdict is Verdict.PASS
    assert outcome.seconds < 3


def test_an_initiator_that_cannot_be_started_is_not_judged():
    class Broken(InHouse):
        async def prepare(self) -> None:
            raise DriverError("it does not boot")

    outcome = played_by(scene(passes), Broken())
    assert (outcome.verdict, outcome.says) == (Verdict.INCONCLUSIVE, "it does not boot")


@pytest.mark.parametrize(
    ("patience", "verdict"), [(1.0, Verdict.NOT_EXERCISED), (4.0, Verdict.PASS)]
)
def test_with_patience_an_initiator_has_more_time_for_all_that_it_does(
    patience: float, verdict: Verdict
):
    slow, quick = Slow(come=15), scene(comes_soon, limit=10.0)
    outcome = run_in_no_time(partial(perform, quick, slow, patience=patience))
    assert outcome.verdict is verdict


# Initiators that begin anew.


class Counting(InHouse):
    """Our own initiator, which hangs the first time."""

    def __init__(self, starts: int = 2) -> None:
        super().__init__()
        self.driven, self.ended, self._starts = 0, 0, starts

    async def prepare(self) -> None:
        self._starts -= 1
        if self._starts < 0:
            raise DriverError("it does not boot again")

    async def drive(self, drive: Drive, where: Where) -> Ending:
        self.driven += 1
        try:
            if self.driven == 1:
                await trio.sleep_forever()
            assert self.ended == self.driven - 1, "the first one is still there"
            return await super().drive(drive, where)
        finally:
            self.ended += 1


async def begins_anew(play: Play) -> None:
    play.check((await play.ended(5)).how is How.HUNG, "it does not hang")
    await play.once_more()
    play.check(not play.is_hung, "it hangs still")
    play.check((await play.ended(5)).how is How.DONE, "it was not done")


def test_an_initiator_can_be_made_to_do_the_same_once_more():
    outcome = played_by(scene(begins_anew), counting := Counting())
    assert outcome.verdict is Verdict.PASS, outcome.says
    assert (counting.driven, outcome.ending.how) == (2, How.DONE)


def test_an_initiator_that_cannot_be_started_once_more_is_told():
    outcome = played_by(scene(begins_anew), Counting(starts=1))
    assert (outcome.verdict, outcome.says) == (Verdict.INCONCLUSIVE, "it does not boot again")


# Initiators that behave badly.


def command(script: str) -> CommandDriver:
    return CommandDriver.of([sys.executable, "-c", script, "{host}", "{port}"])


@pytest.mark.parametrize(
    ("script", "limit", "how"),
    [
        ("import time; time.sleep(60)", 0.5, How.HUNG),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 20.0, How.CRASHED),
        ("raise SystemExit(3)", 20.0, How.FAILED),
        ("pass", 20.0, How.DONE),
    ],
)
def test_initiators_that_hang_crash_or_never_connect_end_their_scenario(
    script: str, limit: float, how: How
):
    outcome = trio.run(perform_one, scene(passes, limit=limit), command(script))
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert outcome.ending.how is how


def test_what_a_command_has_started_ends_with_it(tmp_path: Path):
    script = (
        "import pathlib, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    outcome = trio.run(perform_one, scene(passes, limit=2.0), command(script))
    assert outcome.ending.how is How.HUNG
    child = int((tmp_path / "pid").read_text())
    with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(child), "rb") as handle:
        ended, _, _ = select.select([handle], [], [], 5)
        assert ended


def test_a_command_that_cannot_be_started_is_told():
    outcome = trio.run(perform_one, scene(passes), CommandDriver.of(["/no/such/command"]))
    assert outcome.ending.says == "/no/such/command: No such file or directory"


def test_an_initiator_that_ends_as_soon_as_it_has_connected_has_connected():
    class Brief(InHouse):
        async def drive(self, drive: Drive, where: Where) -> Ending:
            stream = await trio.open_tcp_stream(where.host, where.port)
            stream.socket.close()
            return Ending(How.DONE)

    outcome = played_by(scene(passes), Brief())
    assert outcome.says == "the initiator has closed the connection"


def test_an_initiator_that_floods_ends_its_scenario():
    flood = (
        "import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "try:\n"
        "    while True: s.sendall(bytes(65536))\n"
        "except OSError: pass\n"
    )
    outcome = trio.run(perform_one, scene(passes, limit=2.0), command(flood))
    assert outcome.verdict is Verdict.NOT_EXERCISED


def test_an_initiator_that_breaks_its_connections_off_at_once_ends_its_scenario():
    rude = (
        "import socket, struct, sys\n"
        "for _ in range(50):\n"
        "    s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "    s.close()\n"
    )
    outcome = trio.run(perform_one, scene(passes, limit=2.0), command(rude))
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert outcome.ending.how is How.DONE


async def perform_one(scenario: Scenario, driver: CommandDriver) -> Outcome:
    (outcome,) = await perform_all([scenario], driver)
    return outcome


# The stage.


def test_the_target_goes_on_where_the_scenario_has_had_its_word():
    async def act(play: Play) -> None:
        link = await play.session()
        await link.say(ping(ttt=3), ping(ttt=4))
        for ttt in (3, 4):
            answer = await play.expect(link, NopOut, breach="no answer")
            play.check(answer.ttt == ttt, "another tag")
        ending = await play.ending()
        play.check(ending.how is How.DONE, str(ending))

    outcome = outcome_of(act, Drive.WRITE)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


def test_a_command_may_be_answered_by_the_scenario_and_the_next_by_the_target():
    async def act(play: Play) -> None:
        link = await play.session()
        command = await link.take(ScsiCommand)
        await link.answer(command, status=0x18)  # RESERVATION CONFLICT
        ending = await play.ending()
        play.check(ending.how is How.FAILED, str(ending))

    outcome = outcome_of(act)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


def test_wrong_data_are_noticed():
    async def act(play: Play) -> None:
        link = await play.session()
        data = await link.take(DataIn, where=lambda pdu: len(pdu.data) > 100)
        await link.forward(data, data=bytes(len(data.data)))
        ending = await play.ending()
        play.check(ending.how is not How.WRONG_DATA, str(ending))

    assert outcome_of(act, Drive.READ).verdict is Verdict.FAIL


def test_a_breach_by_the_target_has_to_be_declared():
    async def act(play: Play) -> None:
        link = await play.connection()
        await link.take(LoginResponse, where=lambda pdu: pdu.transit)
        await link.say(ping())
        play.check(True, "")

    assert outcome_of(act).own
    assert not outcome_of(act, stimulus=Stimulus.BREACH).own
    assert not outcome_of(act, breaches=frozenset({"7143-4.2.4-3"})).own


def test_the_ladder_has_both_sides():
    outcome = outcome_of(passes)
    senders = [line.sender for line in outcome.ladder]
    assert len(set(senders)) == 2
    assert [line.number for line in outcome.ladder] == list(range(len(senders)))
    assert not outcome.unlisted


def test_outcomes_come_in_the_order_of_the_scenarios():
    told: list[str] = []
    scenarios = [
        Scenario(id=name, says="It works.", rule=RULE, drive=Drive.LOGIN, act=act)
        for name, act in (("XX-01", passes), ("XX-02", fails))
    ]

    async def run() -> list[Outcome]:
        return await perform_all(
            scenarios, InHouse(), at_once=2, tell=lambda outcome: told.append(outcome.scenario.id)
        )

    outcomes = trio.run(run, clock=MockClock(autojump_threshold=QUIET))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS, Verdict.FAIL]
    assert sorted(told) == ["XX-01", "XX-02"]


def test_scenarios_begin_in_their_order():
    told: list[str] = []
    scenarios = [
        Scenario(id=f"XX-{n:02}", says="It works.", rule=RULE, drive=Drive.LOGIN, act=passes)
        for n in range(8)
    ]

    async def run() -> None:
        await perform_all(
            scenarios, InHouse(), tell=lambda outcome: told.append(outcome.scenario.id)
        )

    trio.run(run, clock=MockClock(autojump_threshold=QUIET))
    assert told == [scenario.id for scenario in scenarios]


def test_what_takes_longest_begins_where_several_are_played_at_a_time():
    begun: list[Drive] = []

    async def begins(play: Play) -> None:
        begun.append(play.scenario.drive)
        await passes(play)

    drives = [Drive.LOGIN, Drive.READ, Drive.IDLE, Drive.LOGIN, Drive.MIXED]
    scenarios = [
        Scenario(id=f"XX-{n}", says="It works.", rule=RULE, drive=drive, act=begins)
        for n, drive in enumerate(drives)
    ]

    async def run() -> list[Outcome]:
        return await perform_all(scenarios, InHouse(), at_once=2)

    outcomes = trio.run(run, clock=MockClock(autojump_threshold=QUIET))
    assert set(begun[:2]) == {Drive.IDLE, Drive.MIXED}
    assert [outcome.scenario for outcome in outcomes] == scenarios


def test_who_never_connects_is_not_waited_for_in_every_scenario():
    scenarios = [
        Scenario(id=f"XX-{n:02}", says="It works.", rule=RULE, drive=Drive.LOGIN, act=passes)
        for n in range(5)
    ]
    outcomes = trio.run(perform_all, scenarios, command("pass"))
    assert [outcome.ending is not None for outcome in outcomes] == [True] * 3 + [False] * 2
    assert {outcome.verdict for outcome in outcomes} == {Verdict.NOT_EXERCISED}
    assert "has never sent a PDU" in outcomes[-1].says
    assert Report("a silent one", outcomes).deserted


class Mute(InHouse):
    """Our own initiator, which logs in and says nothing for so long."""

    def __init__(self, silence: float = inf) -> None:
        super().__init__()
        self._silence = silence

    async def drive(self, drive: Drive, where: Where) -> Ending:
        async with Partner().connect(where) as session:
            await trio.sleep(self._silence)
            await session.read_capacity()
        return Ending(How.DONE)


async def waits_for_a_command(play: Play) -> None:
    link = await play.session()
    play.check(await link.take(ScsiCommand), "")


def played_in_turn(driver: InHouse, drives: list[Drive], **more: float) -> list[Outcome]:
    scenarios = [
        Scenario(id=f"XX-{n}", says="", rule=RULE, drive=drive, act=waits_for_a_command)
        for n, drive in enumerate(drives)
    ]
    return run_in_no_time(partial(perform_all, scenarios, driver, **more))


def test_who_says_nothing_after_its_logins_is_not_waited_for_in_what_is_about_more():
    outcomes = played_in_turn(Mute(), [Drive.READ] * 4 + [Drive.LOGIN, Drive.WRITE])
    assert [outcome.ending is not None for outcome in outcomes] == [True] * 3 + [False, True, False]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.NOT_EXERCISED}
    assert "never sent more than its logins" in outcomes[-1].says


@pytest.mark.parametrize(("silence", "patience"), [(40, 1.0), (100, 2.0)])
def test_who_says_nothing_for_long_after_its_logins_is_not_given_up(
    silence: float, patience: float
):
    outcomes = played_in_turn(Mute(silence), [Drive.READ] * 5, patience=patience)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.PASS}


def test_who_has_no_time_to_say_more_than_its_logins_is_not_given_up():
    async def act(play: Play) -> None:
        await play.session()
        await play.ended(10)

    scenarios = [
        Scenario(id=f"XX-{n}", says="", rule=RULE, drive=Drive.READ, act=act) for n in range(5)
    ]
    outcomes = run_in_no_time(partial(perform_all, scenarios, Mute()))
    assert all(outcome.ending is not None for outcome in outcomes)


def test_a_window_that_was_closed_can_be_opened_by_so_many_commands():
    async def act(play: Play) -> None:
        link = await play.session()
        link.close_window()
        end = link.numbers.window_end
        await link.grant(3)
        play.check(link.numbers.window_end == add(end, 3), "not granted")
        play.check(link.numbers.ceiling == add(end, 3), "the window is open")

    outcome = outcome_of(act)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])
