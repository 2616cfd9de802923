"""Judging initiators, and ourselves: what is seen on the wire against the RFC.

`Judge` is where to start: it is given the bytes that go over connections, in both directions and in
their order, and says of every monitor what became of it.  It sends nothing and changes nothing.
"""

from __future__ import annotations

from trioscsi.conformance.judge import Judge
from trioscsi.conformance.verdicts import Finding, Level, Result, Rule, Verdict

__all__ = ["Finding", "Judge", "Level", "Result", "Rule", "Verdict"]
