"""Load that changes all the time, and what becomes of the server's memory meanwhile."""

from __future__ import annotations

import random
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import attrs

from tests.performance.cells import KIB, MIB
from tests.performance.measure import SPAN, WARM, bench
from tests.performance.others import cpu_time
from tests.performance.programs import BenchmarkError, Programs, result
from tests.performance.rude import MANNERS, Rude, leave_in_login
from tests.performance.servers import Unit

SHARE = 0.25
"""Processors that server and clients may keep busy together: others want to work as well."""
INTERVAL = 5.0
"""Seconds from one look at the memory to the next."""
ALLOWED = 2 * MIB
"""Growth from the first to the last sixth after warming up that is no growth yet."""

_SHAPES = ((4 * KIB, 32), (4 * KIB, 1), (64 * KIB, 8), (256 * KIB, 8), (MIB, 4))
_SESSIONS = (1, 1, 2, 4, 16)
_READS = (100, 0, 70)
_SECONDS = 0.5
_IDLE = 40
_WARM = 6
"""The part of the time (one in so many) that is for warming up."""


@attrs.define
class Counts:
    """What was done."""

    loads: int = 0
    operations: int = 0
    sessions: int = 0
    aborted: int = 0
    """Sessions that aborted commands, or left in the midst of them."""
    killed: int = 0
    """Clients that were killed under load."""

    def __str__(self) -> str:
        return (
            f"{self.operations:,} operations in {self.loads:,} loads, {self.sessions:,} sessions,"
            f" {self.aborted:,} rude ones, {self.killed:,} clients killed"
        )


@attrs.frozen
class Look:
    """Bytes that the server has for itself, at a time in seconds."""

    time: float
    resident: int


@attrs.frozen
class Soaked:
    """What came of it."""

    looks: list[Look]
    counts: Counts

    @property
    def growth(self) -> int:
        """Bytes by which the last sixth is above the first one after warming up."""
        part = max(len(self.looks) // _WARM, 1)
        first = median(look.resident for look in self.looks[part : 2 * part] or self.looks)
        return round(median(look.resident for look in self.looks[-part:]) - first)


def soak(
    seconds: float,
    seed: int = 1,
    tell: Callable[[str], None] = lambda _: None,
    folder: Path | None = None,
) -> Soaked:
    """Keep the server busy for so long; ``tell`` gets a line a minute; ``folder``: see `bench`."""
    with bench(with_tgt=False, folder=folder) as running:
        units = [unit for unit in running.units if unit.keeps_data]
        return _Soak(running.programs, units, random.Random(seed), tell).run(seconds)


@attrs.define
class _Soak:
    programs: Programs
    units: list[Unit]
    random: random.Random
    tell: Callable[[str], None]
    counts: Counts = attrs.field(factory=Counts)
    looks: list[Look] = attrs.field(factory=list)
    begun: float = attrs.field(factory=time.monotonic)
    idle: subprocess.Popen[str] | None = None

    def run(self, seconds: float) -> Soaked:
        told = 0
        try:
            while (now := time.monotonic() - self.begun) < seconds:
                if not self.looks or now - self.looks[-1].time >= INTERVAL:
                    self.looks.append(Look(now, own_memory(self.units[0].process)))
                if now // 60 > told:
                    told = int(now // 60)
                    self.tell(f"{told} min: {self.looks[-1].resident / MIB:.1f} MiB, {self.counts}")
                self._something()
        finally:
            self._end_idle()
        return Soaked(self.looks, self.counts)

    def _something(self) -> None:
        """One event, and a rest that makes it cost no more than its share."""
        began, used = time.monotonic(), self._used()
        self.random.choices(
            (self._load, self._kill, self._be_rude, self._change_idle), weights=(6, 1, 2, 1)
        )[0]()
        rest = (self._used() - used) / SHARE - (time.monotonic() - began)
        if rest > 0:
            time.sleep(min(rest, 2 * INTERVAL))

    def _used(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cpu_time(self.units[0].process) + children.ru_utime + children.ru_stime

    def _load(self) -> None:
        found = result(self._start(verify=True), _SECONDS)
        self.counts.loads += 1
        self.counts.operations += int(found["operations"])

    def _kill(self) -> None:
        """A client dies with commands under way."""
        client = self._start(verify=False)
        time.sleep(_SECONDS / 2)
        client.kill()
        client.communicate()
        self.counts.killed += 1

    def _start(self, *, verify: bool) -> subprocess.Popen[str]:
        choose = self.random.choice
        unit, (size, depth), digests = choose(self.units), choose(_SHAPES), choose((False, True))
        sessions = min(choose(_SESSIONS), SPAN // size // depth)
        self.counts.sessions += sessions
        arguments = [
            *unit.address(digests=digests),
            f"--sessions={sessions}",
            f"--depth={depth}",
            f"--size={size}",
            f"--reads={choose(_READS)}",
            f"--span={SPAN}",
            f"--warm={WARM}",
            f"--seconds={_SECONDS}",
            *(["--sequential"] if choose((False, True)) else []),
            *(["--digests"] if digests else []),
            *(["--verify"] if verify else []),
        ]
        return self.programs.start("raw" if digests else choose(("driver", "raw")), arguments)

    def _be_rude(self) -> None:
        unit = self.random.choice(self.units)
        manner = self.random.choice(MANNERS)
        rude = Rude(unit.port, unit.target, unit.lun, self.counts.sessions)
        with rude, suppress(ConnectionError):  # whoever babbles may be cut off
            manner(rude)
        leave_in_login(unit.port)
        self.counts.sessions += 1
        self.counts.aborted += 1

    def _change_idle(self) -> None:
        """Idle sessions vanish, and others come."""
        self._end_idle()
        arguments = [*self.units[0].address(), "--mode=idle", f"--sessions={_IDLE}"]
        self.idle = self.programs.start("driver", [*arguments, f"--span={SPAN}"])
        assert self.idle.stdout is not None
        if not self.idle.stdout.readline():
            raise BenchmarkError(f"idle sessions: {self.idle.communicate()[1]}")
        self.counts.sessions += _IDLE

    def _end_idle(self) -> None:
        if self.idle is not None:
            self.idle.kill()
            self.idle.communicate()
            self.idle = None


def own_memory(process: int) -> int:
    """Resident bytes of a process without what it shares: the blocks of a memory disk are shared.

    Raises BenchmarkError if the process has ended.
    """
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * KIB
    raise BenchmarkError(f"process {process} has ended")


def report(soaked: Soaked) -> str:
    """One paragraph."""
    resident: Sequence[int] = [look.resident for look in soaked.looks]
    minutes = soaked.looks[-1].time / 60
    return (
        f"{minutes:.0f} minutes: {soaked.counts}; memory of its own"
        f" {min(resident) / MIB:.1f} to {max(resident) / MIB:.1f} MiB,"
        f" {soaked.growth / MIB:+.2f} MiB from the first to the last sixth after warming up"
    )
