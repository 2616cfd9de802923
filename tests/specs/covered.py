"""Which tests point to which requirements, read from the tests."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from trioscsi.conformance.coverage import judged
from trioscsi.conformance.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
ID = re.compile(r"71(?:43|44)-[\dA-F.]+-\d+")
_WORDS = {"requirement", "fault"}
"""How a test points to a requirement: see tests/requirements.py and tests/conformance/faults.py."""


def pointing(tests: Path = ROOT / "tests") -> dict[str, set[str]]:
    """The files whose tests point to each requirement."""
    found: dict[str, set[str]] = {}
    for path in sorted(tests.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in _WORDS:
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and ID.fullmatch(str(argument.value)):
                        found.setdefault(argument.value, set()).add(path.name)
    return found


def covering() -> dict[str, set[str]]:
    """The same, with the scenarios whose rules are broken in test_scenarios.py."""
    found = pointing()
    for scenario in SCENARIOS.values():
        if scenario.mutants:
            for rule in (scenario.rule, *scenario.also):
                found.setdefault(rule.id, set()).add("test_scenarios.py")
    return found


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def table() -> str:
    """A line for each duty: how many requirements there are, and how many of them who covers.

    Later are those about what is not there yet, not ours those that nothing will ever cover.
    """
    rows = tomllib.loads((ROOT / "specs" / "requirements.toml").read_text())["requirements"]
    judges, tests = judged(), covering()
    columns = {
        "requirements": {row["id"] for row in rows},
        "scenarios": {id_ for id_, each in judges.items() if each.scenarios},
        "monitors": {id_ for id_, each in judges.items() if each.monitors},
        "tests": tests.keys(),
        "later": {row["id"] for row in rows if row["state"] == "later"},
        "not ours": {row["id"] for row in rows if row["state"] == "not ours"},
        "open": {row["id"] for row in rows if row["state"] == "open"},
    }
    lines = [" " * 10 + "".join(f"{name:>14}" for name in columns)]
    for duty in ("initiator", "target", "both", "all"):
        ids = {row["id"] for row in rows if duty in (row["duty"], "all")}
        lines.append(f"{duty:10}" + "".join(f"{len(ids & each):>14}" for each in columns.values()))
    return "\n".join(lines)
