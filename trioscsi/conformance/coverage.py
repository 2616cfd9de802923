"""Which requirements scenarios and monitors judge by, read from the code.

Ids are those of ``specs/requirements.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import attrs

from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Rule


@attrs.define
class Judged:
    """Who judges by one requirement."""

    rule: Rule
    scenarios: list[str] = attrs.field(factory=list)
    monitors: list[str] = attrs.field(factory=list)


def judged() -> Mapping[str, Judged]:
    """All that is judged by, in the order of sections."""
    found: dict[str, Judged] = {}
    for scenario in SCENARIOS.values():
        for rule in dict.fromkeys((scenario.rule, *scenario.also)):
            found.setdefault(rule.id, Judged(rule)).scenarios.append(scenario.id)
    for monitor in MONITORS.values():
        for rule in rules_of(monitor.check):
            found.setdefault(rule.id, Judged(rule)).monitors.append(monitor.id)
    return {id_: found[id_] for id_ in sorted(found, key=_place)}


def rules_of(function: Callable[..., Any]) -> list[Rule]:
    """The rules that a function names, or a function of its module that it calls."""
    found: dict[Rule, None] = {}
    seen: set[Callable[..., Any]] = set()
    waiting = [function]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        for name in _names(each.__code__):
            value = each.__globals__.get(name)
            if isinstance(value, Rule):
                found[value] = None
            elif callable(value) and getattr(value, "__module__", "") == function.__module__:
                waiting += [value] if hasattr(value, "__code__") else []
    return list(found)


def _names(code: CodeType) -> list[str]:
    """The names that some code looks up, with what is written within it."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [*code.co_names, *(name for each in inner for name in _names(each))]


def _place(id_: str) -> tuple[str, list[tuple[bool, int, str]], int]:
    rfc, section, number = id_.split("-")
    parts = section.split(".")
    key = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
    return rfc, key, int(number)
