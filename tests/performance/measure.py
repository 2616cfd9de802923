"""Interleaved runs: every round drives each server once, in an order that changes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from tests.performance.cells import MIB, Cell
from tests.performance.figures import Result, Sample
from tests.performance.others import Others
from tests.performance.programs import BenchmarkError, Program, Programs
from tests.performance.servers import ECHO, Echo, Server, Tgt, Trioscsi, Unit, memory_folder

SPAN = 256 * MIB
"""Bytes of each disk that are used; all of them are written before anything is timed."""
WARM = 0.15
"""Seconds of load before figures are taken."""


@attrs.frozen
class Bench:
    """Running servers, and the programs that drive them."""

    programs: Programs
    units: list[Unit]
    folder: Path

    def load(self, unit: Unit, cell: Cell, seconds: float) -> Sample:
        """One run of one cell; the unit is verified first, if it keeps what is written."""
        arguments = [
            *unit.address(digests=cell.digests),
            f"--server={unit.process}",
            f"--sessions={cell.sessions}",
            f"--depth={cell.depth}",
            f"--size={cell.size}",
            f"--reads={cell.reads}",
            f"--span={SPAN}",
            f"--warm={WARM}",
            f"--seconds={seconds}",
            *(["--sequential"] if cell.sequential else []),
            *(["--digests"] if cell.digests else []),
            *(["--verify"] if unit.keeps_data else []),
        ]
        with Others(unit.process) as others:
            found = self.programs.run(client_for(unit, cell), arguments, seconds)
        return Sample.of(found, others.cores)

    def fill(self, unit: Unit) -> None:
        """Write all of the span once, so that no run is the first to touch a page."""
        writes = [f"--size={MIB}", "--depth=4", "--reads=0", "--sequential"]
        count = [f"--operations={SPAN // MIB}", f"--span={SPAN}"]
        self.programs.run("driver", [*unit.address(), *writes, *count])


def client_for(unit: Unit, cell: Cell) -> Program:
    """libiscsi, but for what it cannot do."""
    if unit.name == ECHO:
        return "echo"
    return "raw" if cell.digests else "driver"


@contextmanager
def bench(*, with_tgt: bool, pin: bool = False, folder: Path | None = None) -> Iterator[Bench]:
    """Everything that is needed, built, started and filled; all of it is gone afterwards.

    ``pin`` keeps servers and clients on different processors, ``folder`` is for the files that are
    served, which are in memory otherwise.
    """
    with ExitStack() as stack:
        for_servers, for_clients = processors() if pin else (None, None)
        stack.enter_context(on(for_servers))

        def temporary(parent: Path | None = None) -> Path:
            made = tempfile.TemporaryDirectory(prefix="performance-", dir=parent)
            return Path(stack.enter_context(made))

        work, files = temporary(), temporary(folder or memory_folder())
        programs = Programs.build(work)
        servers: list[Server] = [Trioscsi(files / "disk", SPAN, work / "log")]
        if with_tgt:
            servers.append(Tgt(files / "tgt", SPAN, work / "tgt-log"))
        servers.append(Echo(programs))
        units: list[Unit] = []
        for server in servers:
            stack.callback(server.stop)
            server.start()
            units += server.units
        stack.enter_context(on(for_clients))
        running = Bench(programs, units, files)
        for unit in units:
            if unit.keeps_data:
                running.fill(unit)
        yield running


def processors() -> tuple[set[int], set[int]]:
    """Those for the servers, and those for the clients."""
    ours = sorted(os.sched_getaffinity(0))
    if len(ours) < 2:
        raise BenchmarkError("servers and clients cannot be parted: there is one processor only")
    half = len(ours) // 2
    return set(ours[:half]), set(ours[half:])


@contextmanager
def on(cpus: set[int] | None) -> Iterator[None]:
    """Processes that are started here stay on these processors; None: on any."""
    before = os.sched_getaffinity(0)
    if cpus is not None:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(
    bench: Bench,
    cell: Cell,
    *,
    rounds: int,
    seconds: float,
    units: Sequence[Unit] | None = None,
    done: Callable[[], None] = lambda: None,
) -> Result:
    """All rounds of a cell; ``done`` is called after each run."""
    units = bench.units if units is None else units
    samples: dict[str, list[Sample]] = {unit.name: [] for unit in units}
    for number in range(rounds):
        shift = number % len(units)
        for unit in (*units[shift:], *units[:shift]):
            try:
                samples[unit.name].append(bench.load(unit, cell, seconds))
            except BenchmarkError as error:
                raise BenchmarkError(f"{cell.name}, {unit.name}: {error}") from error
            done()
    return Result(cell, samples)
