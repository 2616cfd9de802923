"""Two reports side by side, so that known faults are no news."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from trioscsi.conformance.verdicts import Verdict
from trioscsi.errors import UsageError

_BADNESS = {Verdict.PASS: 0, Verdict.INFO: 1, Verdict.WARN: 2, Verdict.FAIL: 3}
"""Of verdicts that say something; the others say that nothing is known."""


@attrs.frozen
class Difference:
    """A scenario or a monitor whose verdict is another one than before."""

    id: str
    before: Verdict | None
    """None: it was not there."""
    now: Verdict
    why: str = ""

    @property
    def worse(self) -> bool:
        """Whether something is broken now that was not known to be."""
        if self.now not in _BADNESS:
            return False
        before = 0 if self.before is None else _BADNESS.get(self.before, 0)
        return _BADNESS[self.now] > before

    def __str__(self) -> str:
        was = "not there" if self.before is None else self.before
        mark = "WORSE" if self.worse else "other"
        return f"{mark}  {self.id:<6} {was} -> {self.now}" + (f": {self.why}" if self.why else "")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """What has changed in what is in the later report; both are as JSON has them.

    If that has fewer scenarios, it is no news that monitors have found less in them.
    """
    old, new = _verdicts(before), _verdicts(now)
    why = {row["id"]: row.get("why", "") for row in now["results"]}
    played = why.keys()
    fewer = played < {row["id"] for row in before["results"]}
    for name, verdict in new.items():
        if old.get(name) is not verdict:
            found = Difference(name, old.get(name), verdict, why.get(name, ""))
            if found.worse or name in played or not fewer:
                yield found


def parse(text: str) -> Mapping[str, Any]:
    """A report out of a file; raises UsageError if it is none."""
    try:
        found = json.loads(text)
        _verdicts(found)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"this is no report of a conformance run: {error}") from None
    assert isinstance(found, dict)
    return found


def _verdicts(report: Mapping[str, Any]) -> dict[str, Verdict]:
    return {row["id"]: Verdict(row["verdict"]) for row in (*report["results"], *report["monitors"])}
