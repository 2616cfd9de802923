"""What is no cell: neighbours, sleepers, and the times that users wait."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import attrs

from tests.performance.measure import SPAN, Bench
from tests.performance.others import cpu_time
from tests.performance.programs import BenchmarkError, result
from tests.performance.servers import PEER, Tgt, Trioscsi, Unit

IDLE_SESSIONS = 1000
IDLE_SECONDS = 3.0
LOGINS = 100
OURS = "trioscsi"


@attrs.frozen
class Special:
    """One figure of each server; less is better; ``wanted`` is the most that is promised."""

    name: str
    unit: str
    values: dict[str, float]
    wanted: float | None = None


Startable = Trioscsi | Tgt


@contextmanager
def fresh(bench: Bench, name: str) -> Iterator[Startable]:
    """A server that has done nothing yet (not started)."""
    server: Startable
    log = bench.folder / f"{name}-log"
    if name == PEER:
        server = Tgt(bench.folder / "fresh-tgt", SPAN, log)
    else:
        server = Trioscsi(bench.folder / "fresh", SPAN, log)
    try:
        yield server
    finally:
        server.stop()


def _for_each(bench: Bench, figure: Callable[[Startable], list[float]]) -> dict[str, list[float]]:
    """A list of figures of each kind of server, fresh ones."""
    names = [OURS, *(PEER for unit in bench.units if unit.name == PEER)]
    found = {}
    for name in names:
        with fresh(bench, name) as server:
            found[name] = figure(server)
    return found


def _disk(server: Startable) -> Unit:
    """The file of either server."""
    return server.units[-1] if isinstance(server, Trioscsi) else server.units[0]


def fairness(bench: Bench, rounds: int, seconds: float) -> list[Special]:
    """How long a session of depth 1 waits beside one of depth 120."""
    units = [unit for unit in bench.units if unit.keeps_data]
    found: dict[str, list[dict[str, float]]] = {unit.name: [] for unit in units}
    for _ in range(rounds):
        for unit in units:
            found[unit.name].append(_beside_a_greedy_one(bench, unit, seconds))
    return [
        Special(
            f"4k read beside a session of depth 120, {name}",
            "ms",
            {
                unit: median(sample[key] for sample in samples) / 1000
                for unit, samples in found.items()
            },
            wanted,
        )
        for name, key, wanted in (("median", "p50_us", None), ("99th percentile", "p99_us", 0.6))
    ]


def _beside_a_greedy_one(bench: Bench, unit: Unit, seconds: float) -> dict[str, float]:
    where = [*unit.address(), f"--span={SPAN}"]
    greedy = bench.programs.start("raw", [*where, "--depth=120", f"--seconds={seconds + 1}"])
    try:
        time.sleep(0.3)
        waited = bench.programs.run("driver", [*where, f"--seconds={seconds}"], seconds)
        if greedy.poll() is not None:
            raise BenchmarkError(f"the greedy session ended early: {greedy.communicate()[1]}")
    finally:
        greedy.kill()
        greedy.communicate()
    return waited


def idle(bench: Bench) -> list[Special]:
    """What sessions cost that do nothing."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[0] < IDLE_SESSIONS + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 8192), limit[1]))
    found = _for_each(bench, lambda server: _idle(bench, server))
    names = (
        ("memory of an idle session", "KB", 25.0),
        (f"CPU of {IDLE_SESSIONS} idle sessions", "% of a core", None),
        (f"login as one of {IDLE_SESSIONS}", "ms", None),
    )
    return [
        Special(name, unit, {server: values[number] for server, values in found.items()}, wanted)
        for number, (name, unit, wanted) in enumerate(names)
    ]


def _idle(bench: Bench, server: Startable) -> list[float]:
    server.start()
    unit = _disk(server)
    bench.programs.run("driver", [*unit.address(), "--mode=login", "--operations=20"])
    before = _resident(unit.process)
    arguments = [*unit.address(), "--mode=idle", f"--sessions={IDLE_SESSIONS}", f"--span={SPAN}"]
    client = bench.programs.start("driver", arguments)
    try:
        assert client.stdout is not None
        line = client.stdout.readline()
        if not line:
            raise BenchmarkError(f"idle sessions: {client.communicate()[1]}")
        time.sleep(0.5)
        grown = _resident(unit.process) - before
        used = cpu_time(unit.process)
        time.sleep(IDLE_SECONDS)
        used = cpu_time(unit.process) - used
    finally:
        client.kill()
        client.communicate()
    login = float(json.loads(line)["login_ms"]) / IDLE_SESSIONS
    return [grown / IDLE_SESSIONS / 1000, used / IDLE_SECONDS * 100, login]


def waits(bench: Bench, rounds: int) -> list[Special]:
    """Login, start and restart, in milliseconds."""
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for name, values in _for_each(bench, lambda server: _waits(bench, server)).items():
            for what, value in zip(
                ("from start to the first login", "to log in", "from stop to the first read again"),
                values,
                strict=True,
            ):
                found.setdefault(what, {}).setdefault(name, []).append(value)
    return [
        Special(what, "ms", {name: median(values) for name, values in by_name.items()})
        for what, by_name in found.items()
    ]


def _waits(bench: Bench, server: Startable) -> list[float]:
    first = _first_read(bench, server)[0]
    logins = bench.programs.run(
        "driver", [*_disk(server).address(), "--mode=login", f"--operations={LOGINS}"]
    )
    start = time.monotonic()
    server.stop()
    stopped = time.monotonic() - start
    return [first, float(logins["p50_us"]) / 1000, stopped * 1000 + _first_read(bench, server)[1]]


def _first_read(bench: Bench, server: Startable) -> tuple[float, float]:
    """From the start of the process to the first login, and to the first block read."""
    start = time.monotonic()
    server.spawn()
    unit = _disk(server)
    found = result(bench.programs.start("driver", [*unit.address(), "--mode=first"]))
    return (found["login"] - start) * 1000, (found["read"] - start) * 1000


def _resident(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"process {process} has ended")


def all_specials(bench: Bench, rounds: int, seconds: float) -> Sequence[Special]:
    """Everything that is no cell."""
    return [*fairness(bench, rounds, seconds), *idle(bench), *waits(bench, rounds)]
