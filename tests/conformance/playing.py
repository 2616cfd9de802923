"""Scenarios played with our own initiator, in no time: the clock jumps when all wait."""

from __future__ import annotations

from functools import partial

from trioscsi.conformance.bench.clock import run_in_no_time
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.run import perform
from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.drivers.driver import Driver
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.initiator.deviations import Deviation


def played(scenario: Scenario, deviation: Deviation | None = None) -> Outcome:
    """One performance with our own initiator, which may have a fault."""
    return played_by(scenario, InHouse(deviation))


def played_by(scenario: Scenario, driver: Driver) -> Outcome:
    return run_in_no_time(partial(perform, scenario, driver))
