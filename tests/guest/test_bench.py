"""Linux and iPXE as initiators that the bench judges."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import trio

from tests.interop.tools import tool
from trioscsi.conformance.bench.run import perform_all
from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers.driver import Driver, Where
from trioscsi.conformance.drivers.guest.image import PROGRAMS
from trioscsi.conformance.drivers.ipxe import IpxeDriver
from trioscsi.conformance.drivers.linux import LinuxDriver
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Verdict

pytestmark = pytest.mark.guest

LINUX = ("LG-01", "LG-34", "CH-01", "CH-09", "TX-01", "DI-01", "DO-01", "KY-06", "CN-02", "TM-01")


@pytest.fixture
def linux() -> Iterator[LinuxDriver]:
    for name in ("linux.uml", "slirp4netns", "busybox", "mke2fs", *PROGRAMS):
        tool(name)
    driver = LinuxDriver()
    driver.open()
    yield driver
    driver.close()


@pytest.fixture
def ipxe() -> Iterator[IpxeDriver]:
    tool("qemu-system-x86_64")
    driver = IpxeDriver()
    driver.open()
    yield driver
    driver.close()


PATIENCE = 4.0
"""Guests are slow, and the more so where something else runs beside them."""


def what_fails(driver: Driver, *names: str) -> list[str]:
    """The scenarios that do not pass, with why."""
    play = partial(perform_all, at_once=driver.at_once, patience=PATIENCE)
    outcomes = trio.run(play, [SCENARIOS[name] for name in names], driver)
    return [
        f"{each.scenario.id} {each.verdict} after {each.seconds:.0f} s: {each.says}; {each.ending}"
        for each in outcomes
        if each.verdict is not Verdict.PASS or each.ending is None
    ]


def test_linux_plays_scenarios_of_all_kinds(linux: LinuxDriver) -> None:
    assert what_fails(linux, *LINUX) == []


def test_a_guest_that_is_gone_is_booted_again(linux: LinuxDriver) -> None:
    assert what_fails(linux, "LG-01") == []
    linux.close()
    assert what_fails(linux, "DI-01") == []


def test_ipxe_plays_scenarios(ipxe: IpxeDriver) -> None:
    assert what_fails(ipxe, "LG-01", "LG-34", "CH-01", "CH-09", "DI-01") == []


def test_an_ipxe_that_hangs_is_started_again(ipxe: IpxeDriver) -> None:
    async def hang_then_play() -> Verdict:
        with trio.move_on_after(0):
            where = Where(host="10.0.2.2", port=1, iqn="iqn.2025-12.local:stage")
            await ipxe.drive(Drive.LOGIN, where)
        (outcome,) = await perform_all([SCENARIOS["LG-01"]], ipxe, patience=PATIENCE)
        return outcome.verdict

    assert trio.run(hang_then_play) is Verdict.PASS
