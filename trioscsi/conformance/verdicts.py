"""What a judge can say, in one place: rules, findings and verdicts."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from trioscsi.conformance.stream import Seen

KEPT = 16
"""Findings of one monitor that are kept; of those after them, only how many there were is known."""


class Level(enum.Enum):
    """How much a rule binds; the value is what a breach of it leads to."""

    MUST = "FAIL"
    SHOULD = "WARN"
    NOTE = "info"
    """Nothing forbids it, and it is worth knowing."""


class Verdict(enum.StrEnum):
    """What became of a monitor or of a scenario."""

    PASS = "pass"
    FAIL = "FAIL"
    WARN = "WARN"
    INFO = "info"
    NOT_EXERCISED = "not-exercised"
    """Nothing was seen that the rules are about; this is never a pass."""
    INCONCLUSIVE = "inconclusive"
    """The end came before what the rules ask for had to be there."""


@attrs.frozen
class Rule:
    """A requirement of ``specs/requirements.toml`` that a monitor can see kept or broken."""

    id: str
    level: Level = Level.MUST

    @property
    def section(self) -> str:
        """The section of the RFC that it stands in."""
        return self.id.split("-")[1]

    def holds(self, kept: object, breach: str = "") -> Remark:
        """The rule was put to the test here; ``breach`` says what is wrong if it is not kept."""
        return Remark(self, bool(kept), breach)


@attrs.frozen
class Remark:
    """What a monitor says of one PDU."""

    rule: Rule
    kept: bool
    breach: str


@attrs.frozen
class Finding:
    """A breach, and the PDU that proves it."""

    monitor: str
    rule: Rule
    says: str
    evidence: Seen

    def __str__(self) -> str:
        return f"{self.monitor}: {self.says} ({self.rule.id}), as {self.evidence} shows"


@attrs.define
class Result:
    """What became of one monitor: its verdict, and the findings that led to it."""

    monitor: str
    exercised: int = 0
    """How often a rule was put to the test."""
    broken: dict[Level, int] = attrs.field(factory=lambda: dict.fromkeys(Level, 0))
    findings: list[Finding] = attrs.field(factory=list)
    """The first ones of them, at most `KEPT`."""
    unfinished: bool = False
    """Whether something was still to come when the record ended."""

    def note(self, remark: Remark, seen: Seen) -> Finding | None:
        """Count a remark; the finding, if it is one."""
        self.exercised += 1
        if remark.kept:
            return None
        self.broken[remark.rule.level] += 1
        finding = Finding(self.monitor, remark.rule, remark.breach, seen.without_data())
        if len(self.findings) < KEPT:
            self.findings.append(finding)
        return finding

    @property
    def verdict(self) -> Verdict:
        """The worst that was found; only what was put to the test can pass."""
        for level, count in self.broken.items():
            if count:
                return Verdict(level.value)
        if self.unfinished:
            return Verdict.INCONCLUSIVE
        return Verdict.PASS if self.exercised else Verdict.NOT_EXERCISED
