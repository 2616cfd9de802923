"""Which tests point to which requirements, read from the tests."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

from trioscsi.conformance.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
ID = re.compile(r"71(?:43|44)-[\d.]+-\d+")
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
    """A line for each duty: how many requirements tests point to, and how many there are."""
    rows = tomllib.loads((ROOT / "specs" / "requirements.toml").read_text())["requirements"]
    held, tests = Counter[str](), covering()
    total = Counter(row["duty"] for row in rows)
    held.update(row["duty"] for row in rows if row["id"] in tests)
    lines = [f"{duty:10} {held[duty]:3}/{total[duty]:<3}" for duty in sorted(total)]
    return "\n".join([*lines, f"{'all':10} {held.total():3}/{total.total():<3}"])
