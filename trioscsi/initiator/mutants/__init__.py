"""Initiators with exactly one fault each, by name (RFC 7143; sections are its own).

Each row is one fault, one line where that is possible: an id, the section of the rule that it
breaks, what it does, and how.  `MUTANTS` is all of them; a test sees to it that each changes what
is on the wire.  The bench has to catch them, and a target has to survive them.
"""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.mutants import (
    chap,
    data,
    keys,
    login,
    numbers,
    others,
    receiving,
    recovery,
    writing,
)

MODULES = (login, keys, chap, numbers, data, writing, receiving, others, recovery)

MUTANTS: Mapping[str, Deviation] = {each.id: each for module in MODULES for each in module.MUTANTS}
"""All of them, by id."""

__all__ = ["MODULES", "MUTANTS"]
