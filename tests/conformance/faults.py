"""The words in which faults are written: a conversation that breaks one rule with its last PDU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.talk import Talk
from tests.requirements import requirement
from trioscsi.conformance import Verdict

Fault = Callable[[], Talk]


class Faults(list[Any]):
    """The faults of one module, as the parameters of a test."""

    def fault(
        self, monitor: str, rule: str, verdict: Verdict = Verdict.FAIL, *, also: str = ""
    ) -> Callable[[Fault], Fault]:
        """A conversation in which this monitor, and ``also`` others, find this rule broken."""

        def add(converse: Fault) -> Fault:
            self.append(
                pytest.param(
                    monitor,
                    rule,
                    verdict,
                    {monitor, *also.split()},
                    converse,
                    id=f"{monitor} {converse.__name__}",
                    marks=requirement(rule),
                )
            )
            return converse

        return add


def check(monitor: str, rule: str, verdict: Verdict, failing: set[str], converse: Fault) -> None:
    """That the fault is found, by those who have to, with the PDU that proves it."""
    talk = converse()
    result = talk.result(monitor)
    assert result.verdict is verdict
    assert talk.failing() == failing
    *_, finding = result.findings
    assert finding.rule.id == rule
    assert finding.evidence.number == talk.judge.seen - 1
    assert finding.says
    assert str(finding).startswith(f"{monitor}: {finding.says} ({rule}), as #")
