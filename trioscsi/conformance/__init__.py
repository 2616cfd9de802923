"""Judging initiators, and ourselves: what is seen on the wire against the RFC.

There are two ways to it.  `Judge` listens: it is given the bytes that go over connections, in both
directions and in their order, and says of every monitor what became of it.  It sends nothing and
changes nothing.  `perform` plays: an initiator is made to do something by a `Driver` while a target
with a stage in front of it does what a `Scenario` says, and the `Outcome` tells what came of it::

    outcome = trio.run(perform, SCENARIOS["NP-01"], CommandDriver.of(["iscsi-inq", "{url}"]))
    print(outcome.verdict, outcome.says)

The package; no part knows one that comes later, but ``bench`` and ``drivers`` know each other:

- ``stream``: bytes as PDUs; ``verdicts``: rules, findings, and what they lead to;
- ``dialogue``: what is negotiated; ``record``: all that a listener knows, and ``notes``: how it
  comes to know it;
- ``monitors``: one function for each rule, which is asked of every PDU; ``judge``: streams, record
  and monitors together; ``recorded``: the same for captures;
- ``bench``: the stage.  ``scenario`` (how one is declared), ``link`` on ``relay`` on ``wire`` (one
  connection: the words of scenarios, how PDUs go through, TCP), ``play`` (all connections, and the
  checks), ``faults``, ``words`` and the modules for reads, writes, logins and so on; ``run`` plays
  them, ``selftest`` plays them with initiators that have a fault, ``proxy`` only listens;
- ``drivers``: initiators that can be made to do things, our own and commands;
- ``scenarios``: the catalogue, one module a group;
- ``report``: what is said of a run, as lines, JSON, JUnit and a page.
"""

from __future__ import annotations

from trioscsi.conformance.bench import faults
from trioscsi.conformance.bench.link import Left, Link, Silence
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.run import perform, perform_all
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenario, Scenarios, Stimulus
from trioscsi.conformance.drivers.command import CommandDriver, Recipe
from trioscsi.conformance.drivers.driver import Driver, Ending, How, Where
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.judge import Judge
from trioscsi.conformance.report import Report
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Finding, Level, Result, Rule, Verdict

__all__ = [
    "SCENARIOS",
    "Ability",
    "CommandDriver",
    "Drive",
    "Driver",
    "Ending",
    "Finding",
    "How",
    "InHouse",
    "Judge",
    "Left",
    "Level",
    "Link",
    "NotExercised",
    "Outcome",
    "Play",
    "Recipe",
    "Report",
    "Result",
    "Rule",
    "Scenario",
    "Scenarios",
    "Silence",
    "Stimulus",
    "Verdict",
    "Where",
    "faults",
    "perform",
    "perform_all",
]
