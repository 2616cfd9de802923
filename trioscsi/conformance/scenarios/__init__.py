"""All scenarios, by id: one module for each group of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.bench.scenario import Scenario
from trioscsi.conformance.scenarios import (
    chap,
    chap_faults,
    command_numbers,
    connections,
    damages,
    data_in,
    data_in_faults,
    data_out,
    digests,
    discovery,
    keys,
    login,
    login_faults,
    login_sessions,
    login_statuses,
    logouts,
    losses,
    management,
    messages,
    negotiation,
    pings,
    protocol_levels,
    r2t_faults,
    r2ts,
    reassignments,
    recoveries,
    rejects,
    residuals,
    responses,
    snacks,
    status_numbers,
    text_format,
    texts,
    windows,
)

_MODULES = (
    login,
    login_sessions,
    login_faults,
    login_statuses,
    negotiation,
    text_format,
    keys,
    digests,
    discovery,
    chap,
    chap_faults,
    command_numbers,
    windows,
    status_numbers,
    data_in,
    data_in_faults,
    data_out,
    r2ts,
    r2t_faults,
    responses,
    residuals,
    pings,
    messages,
    texts,
    logouts,
    rejects,
    damages,
    management,
    recoveries,
    snacks,
    losses,
    reassignments,
    connections,
    protocol_levels,
)  # fmt: skip

_ALL = [each for module in _MODULES for each in module.SCENARIOS]
_GROUPS = list(dict.fromkeys(each.group for each in _ALL))

SCENARIOS: Mapping[str, Scenario] = {
    each.id: each for each in sorted(_ALL, key=lambda s: (_GROUPS.index(s.group), s.id))
}

__all__ = ["SCENARIOS"]
