"""libiscsi's suites for targets, several at a time.

Most of them keep one core busy and some sleep for seconds, so they are run side by side, each for
itself at a server: no suite sees what another does to a disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

import attrs

from tests.interop.serving import Serving, serving
from tests.interop.tools import run

DESTRUCTIVE = ("--dataloss", "--allow-sanitize")
_TIME = 600
"""Seconds that a suite may take, on a machine that has other things to do."""


@attrs.frozen
class Suite:
    """A suite, as "iscsi-test-cu --list" names it, and the disk that it tests.

    ``paths`` is how many times it is given the disk; ``fails``: whether it has to find faults;
    ``spares``: whether it may not destroy what is on the disk.
    """

    name: str
    disk: str
    paths: int = 1
    fails: bool = False
    spares: bool = False

    def __str__(self) -> str:
        return f"{self.name.partition('.')[2] or self.name}-{self.disk}"


@attrs.frozen
class Site:
    """A server to test: its options and its disks, by name.

    There are ``number`` of them, so that so many suites run at a time.  ``credentials`` go into the
    URL.
    """

    disks: Mapping[str, str]
    options: Sequence[str] = ()
    credentials: str = ""
    number: int = 1


class Run:
    """What the suites said, or are going to say."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._said: dict[Suite, Future[str]] = {}

    def said(self, suite: Suite) -> str:
        """What a suite printed, once it is done."""
        return self._said[suite].result()

    def begin(self, suites: Sequence[Suite], site: Site, folder: Path) -> None:
        """Begin to run those suites that test a disk of this site."""
        wanted = [suite for suite in suites if suite.disk in site.disks]
        if not wanted:
            return
        idle: SimpleQueue[Serving] = SimpleQueue()
        for number in range(site.number):
            place = folder / str(number)
            place.mkdir(parents=True)
            disks = [disk.format(folder=place) for disk in site.disks.values()]
            server = serving(place / "log", *site.options, *disks)
            idle.put(self._stack.enter_context(server))
        pool = ThreadPoolExecutor(max_workers=site.number)
        self._stack.callback(pool.shutdown, cancel_futures=True)
        for suite in wanted:
            self._said[suite] = pool.submit(_perform, suite, site, idle)


def _perform(suite: Suite, site: Site, idle: SimpleQueue[Serving]) -> str:
    server = idle.get()
    try:
        url = server.unit(list(site.disks).index(suite.disk))
        paths = [url.replace("iscsi://", f"iscsi://{site.credentials}")] * suite.paths
        flags = () if suite.spares else DESTRUCTIVE
        command = ["iscsi-test-cu", *flags, "--verbose", "--fail", f"--test={suite.name}", *paths]
        return run(*command, timeout=_TIME, status=int(suite.fails))
    finally:
        idle.put(server)


@contextmanager
def running(suites: Sequence[Suite], sites: Sequence[Site], folder: Path) -> Iterator[Run]:
    """Suites that are being run, in this order as far as there are servers for them."""
    with ExitStack() as stack:
        run = Run(stack)
        for number, site in enumerate(sites):
            run.begin(suites, site, folder / str(number))
        yield run


def check(output: str) -> None:
    """Every test of a suite was run, and passed."""
    summary = re.search(r"^ +tests +\d+ +(\d+) +(\d+) +(\d+)", output, re.MULTILINE)
    assert summary is not None, output
    ran, passed, failed = map(int, summary.groups())
    assert ran > 0, output
    assert (passed, failed) == (ran, 0), output


def failures(output: str) -> set[str]:
    """The tests that have failed, of all that were run."""
    found = {test for test, said in _tests(output) if re.search(r"FAILED\n +1\. ", said)}
    summary = re.search(r"^ +tests +\d+ +\d+ +\d+ +(\d+)", output, re.MULTILINE)
    assert summary is not None, output
    assert len(found) == int(summary[1]), output
    return found


def skipped(output: str) -> set[str]:
    """The tests that have left something out, and said so."""
    return {test for test, said in _tests(output) if "[SKIP" in said}


def _tests(output: str) -> Iterator[tuple[str, str]]:
    """The name of each test, and what it said."""
    for suite in re.split(r"^Suite: ", output, flags=re.MULTILINE)[1:]:
        name, *tests = re.split(r"^  Test: ", suite, flags=re.MULTILINE)
        for test in tests:
            yield f"{name.strip()}.{test.split()[0]}", test
