"""All scenarios, by id: one module for each group of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.scenarios import data_in, login, pings

_MODULES = (login, data_in, pings)

SCENARIOS: Mapping[str, Scenario] = {
    each.id: each for module in _MODULES for each in sorted(module.SCENARIOS, key=lambda s: s.id)
}

__all__ = ["SCENARIOS"]
