"""Playing scenarios with an initiator."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import trio

from trioscsi.backends import MemoryDisk
from trioscsi.capture import Spool
from trioscsi.conformance.bench.captures import Captured
from trioscsi.conformance.bench.cast import DriverEnded
from trioscsi.conformance.bench.doors import Doors
from trioscsi.conformance.bench.ladder import Ladder, Watchers
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import PATTERN, NotExercised, Play, Stop
from trioscsi.conformance.bench.scenario import LOGIN_DRIVES, Ability, Drive, Scenario, Stimulus
from trioscsi.conformance.drivers.driver import Driver, Ending, How, Where
from trioscsi.conformance.judge import Judge
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.verdicts import Finding, Level, Remark
from trioscsi.errors import DriverError
from trioscsi.limits import Limits
from trioscsi.server.portals import Portal
from trioscsi.server.target import Target
from trioscsi.text import Side

log = logging.getLogger("trioscsi")

IQN = "iqn.2025-12.local:stage"
USER, SECRET = "bench", "secret-of-the-bench"
TARGET_USER, TARGET_SECRET = "stage", "secret-of-the-stage"
SIZE = 4 * 2**20
"""Bytes of the disk."""
_REST = 10.0
"""Seconds that an initiator gets to end when the scenario is over."""
_LONGEST = (Drive.RECOVER, Drive.PING, Drive.MIXED, Drive.IDLE)
"""Drives that take many seconds: begun first, as everything else can be done beside them."""
_DESERTED = "the initiator was given up, as it has never sent a PDU"
_MUTE = "the initiator was given up, as it has never sent more than its logins"
_TRIALS = 3
"""Scenarios after which one is given up that was heard in none: each may take a minute."""
_SILENCE = 50.0
"""Seconds after a login without a PDU, in each of them, that are as bad."""


async def perform(
    scenario: Scenario, driver: Driver, captures: Path | None = None, patience: float = 1.0
) -> Outcome:
    """Play one scenario; whatever the initiator does, this ends within its bound.

    ``captures`` is the folder in which a pcapng capture of it is written; raises CaptureError if
    that cannot be done. All that an initiator has some time for, it has ``patience`` times that.
    """
    missing = _missing(scenario, driver)
    if missing:
        return Outcome(scenario=scenario, interrupted=missing)
    try:
        await driver.prepare()
    except DriverError as error:
        return Outcome(scenario=scenario, interrupted=str(error), faulty=True)
    if captures is None:
        return await _Performance(scenario, driver, patience).run()
    captured = Captured(Spool(captures / f"{scenario.id}.pcapng"))
    try:
        return await _Performance(scenario, driver, patience, captured).run()
    finally:
        captured.close()


async def perform_all(
    scenarios: Iterable[Scenario],
    driver: Driver,
    *,
    at_once: int = 1,
    captures: Path | None = None,
    patience: float = 1.0,
    tell: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Play scenarios as `perform` does, so many at a time; the outcomes are in their order.

    Several at a time begin with what takes longest, so that nobody waits for it at the end.
    If the initiator sends no PDU in any of the first few, the others are not played; if it sends
    logins alone and then hangs, those that are about more are not.
    """
    wanted = list(scenarios)
    found: dict[str, Outcome] = {}
    next_ones = iter(wanted)
    if at_once > 1:
        next_ones = iter(sorted(wanted, key=lambda scenario: scenario.drive not in _LONGEST))

    async def play() -> None:
        for scenario in next_ones:
            given_up = _why_given_up(scenario, found.values(), _SILENCE * patience)
            if given_up:
                outcome = Outcome(scenario=scenario, interrupted=given_up)
            else:
                outcome = await perform(scenario, driver, captures, patience)
            found[scenario.id] = outcome
            tell(outcome)

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(play)
    return [found[scenario.id] for scenario in wanted]


def _why_given_up(scenario: Scenario, outcomes: Iterable[Outcome], silence: float) -> str:
    """Why an initiator is not started any more: it does not speak, or not after its logins.

    "" as long as it may yet, be it slow.
    """
    started = [outcome for outcome in outcomes if outcome.ending is not None]
    if len(started) >= _TRIALS and not any(outcome.is_heard for outcome in started):
        return _DESERTED
    if scenario.drive in LOGIN_DRIVES or any(outcome.is_used for outcome in started):
        return ""
    mute = [outcome for outcome in started if outcome.silence > silence]
    return _MUTE if len(mute) >= _TRIALS else ""


def _missing(scenario: Scenario, driver: Driver) -> str:
    """Why an initiator cannot take part, if it cannot."""
    if scenario.drive not in driver.drives:
        return f"{driver.name} cannot be made to {scenario.drive}"
    missing = sorted(scenario.needs - driver.abilities)
    return f"{driver.name} cannot {missing[0]}" if missing else ""


class _Performance:
    """One scenario with one initiator."""

    def __init__(
        self,
        scenario: Scenario,
        driver: Driver,
        patience: float,
        captured: Captured | None = None,
    ) -> None:
        self._scenario, self._driver, self._captured = scenario, driver, captured
        self._patience = patience
        self._own: list[Finding] = []
        self._outer = Judge(tell=self._judged)
        self._inner = Judge(())
        self._ladder = Ladder()
        self._watchers = Watchers([self._ladder])
        if captured is not None:
            self._watchers.append(captured)
        self._interrupted, self._faulty = "", False
        self._ending: Ending | None = None

    async def run(self) -> Outcome:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._play = Play(self._scenario, self._leave, self._patience)
            self._play.seen = lambda: self._ladder.seen - 1
            self._play.on_remark = self._remarked
            self._doors = Doors(nursery, self._come)
            self._where, self._address = await self._open(nursery)
            self._play.begin_again = self._drive_again
            self._begin()
            await self._act()
            self._play.let_go()
            if self._scenario.drive is not Drive.LOGINS:
                rest = 0 if self._play.is_hung else _REST * self._patience
                with trio.move_on_after(rest):
                    await self._play.ending()
            nursery.cancel_scope.cancel()
        return Outcome(
            scenario=self._scenario,
            remarks=self._play.remarks,
            notes=self._play.notes,
            interrupted=self._interrupted,
            faulty=self._faulty,
            ending=self._ending or Ending(self._unended),
            monitors=self._outer.end(),
            own=self._own,
            ladder=self._ladder.lines,
            unlisted=self._ladder.seen - len(self._ladder.lines),
            seconds=trio.current_time() - began,
        )

    @property
    def _unended(self) -> How:
        """How an initiator has ended that has not ended."""
        return How.UNKNOWN if self._scenario.drive is Drive.LOGINS else How.HUNG

    async def _act(self) -> None:
        limit = self._scenario.limit * self._patience
        try:
            with trio.fail_after(limit):
                await self._scenario.act(self._play)
        except Stop:
            pass
        except (Left, Silence, DriverEnded, NotExercised) as what:
            self._interrupted = str(what)
        except trio.TooSlowError:
            self._interrupted = f"it was not over after {limit:g} seconds"
        except DriverError as error:
            self._interrupted, self._faulty = str(error), True
        except Exception as error:  # - the run goes on
            log.exception("scenario %s", self._scenario.id)
            self._interrupted, self._faulty = f"a fault of the bench: {error!r}", True

    def _remarked(self, remark: Remark) -> None:
        if self._captured is not None:
            what = "kept" if remark.kept else f"BROKEN ({remark.rule.level.name}): {remark.breach}"
            self._captured.note(f"{self._scenario.id}, {remark.rule.id}: {what}")

    # The stage.

    async def _open(self, nursery: trio.Nursery) -> tuple[Where, tuple[str, int]]:
        scenario = self._scenario
        port = await self._doors.open("127.0.0.1", 0)
        host = self._play.host = self._driver.reaches_us_at
        self._play.listen = self._doors.open
        self._play.secret = self._login().get("secret", "")
        addresses = await nursery.start(
            self._target(Portal(("127.0.0.1", 0), advertise=(host, port))).serve
        )
        where = Where(host=host, port=port, iqn=IQN, offer=scenario.initiator, **self._login())
        return where, addresses[0]

    def _login(self) -> dict[str, Any]:
        """Who the initiator is, and who the target: ours, or what the scenario says."""
        needs, target = self._scenario.needs, self._scenario.target
        login: dict[str, Any] = {}
        if Ability.CHAP in needs or Ability.MUTUAL_CHAP in needs:
            user, secret = target.get("chap", (USER, SECRET))
            login |= {"user": user, "secret": secret}
        if Ability.MUTUAL_CHAP in needs:
            user, secret = target.get("mutual_chap", (TARGET_USER, TARGET_SECRET))
            login |= {"target_user": user, "target_secret": secret}
        return login

    def _target(self, portal: Portal) -> Target:
        scenario, login = self._scenario, self._login()
        settings: dict[str, Any] = dict(scenario.target)
        if "user" in login:
            settings.setdefault("chap", (USER, SECRET))
        if "target_user" in login:
            settings.setdefault("mutual_chap", (TARGET_USER, TARGET_SECRET))
        settings.setdefault("disk", None)
        disk = settings.pop("disk") or filled_disk()
        limits = Limits(**{"ping_interval": 0, **scenario.limits})
        return Target(IQN, disk, listen=[portal], limits=limits, **settings)

    async def _come(self, initiator: trio.SocketStream, entered: Callable[[], None]) -> None:
        target = await trio.open_tcp_stream(*self._address)
        link = Link(initiator, target, self._outer, self._inner, self._watchers)
        self._play.came(link)
        entered()
        await link.run()

    def _leave(self, link: Link) -> None:
        self._nursery.start_soon(link.rest)

    def _begin(self) -> None:
        """The initiator's part begins."""
        self._ending = None
        self._part, self._parted = trio.CancelScope(), trio.Event()
        self._nursery.start_soon(self._drive)

    async def _drive(self) -> None:
        with self._part:
            self._ending = await self._driver.drive(self._scenario.drive, self._where)
            # Who connects and ends at once has connected all the same.
            await self._doors.are_clear()
            self._play.driver_ended(self._ending)
        self._parted.set()

    async def _drive_again(self) -> None:
        """See `Cast.begin_again`."""
        self._part.cancel()
        await self._parted.wait()
        await self._driver.prepare()
        self._begin()

    def _judged(self, finding: Finding) -> None:
        """A finding about the target that its scenario does not account for is ours to mend."""
        monitor = MONITORS[finding.monitor]
        if (
            monitor.sender is Side.TARGET
            and self._scenario.stimulus is not Stimulus.BREACH
            and finding.rule.level is Level.MUST
            and finding.rule.id not in self._scenario.breaches
        ):
            self._own.append(finding)


def filled_disk() -> MemoryDisk:
    """The disk that initiators see: nothing but the pattern."""
    disk = MemoryDisk(SIZE)
    disk.write_now(0, bytes([PATTERN]) * SIZE)
    return disk
