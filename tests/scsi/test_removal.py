from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.complaints import invalid_field

Ask = Callable[[str], Plan]
PREVENT, ALLOW = "1e 000000 01", "1e 000000 00"


def test_removal_is_prevented_until_it_is_allowed(ask: Ask, unit: LogicalUnit) -> None:
    assert not unit.removal.prevented
    assert ask(PREVENT) == Done()
    assert ask(PREVENT) == Done()
    assert unit.removal.prevented
    assert ask(ALLOW) == Done()
    assert ask(ALLOW) == Done()
    assert not unit.removal.prevented


def test_each_nexus_prevents_for_itself(ask: Ask, unit: LogicalUnit) -> None:
    other = Nexus("other", "target")
    unit.execute(bytes.fromhex(PREVENT).ljust(16, b"\0"), other)
    assert ask(ALLOW) == Done()
    assert unit.removal.prevented


def test_what_is_lost_or_reset_prevents_nothing(ask: Ask, unit: LogicalUnit, nexus: Nexus) -> None:
    ask(PREVENT)
    unit.forget(Nexus("other", "target"))
    assert unit.removal.prevented
    unit.forget(nexus)
    assert not unit.removal.prevented
    ask(PREVENT)
    unit.reset()
    assert not unit.removal.prevented


@pytest.mark.parametrize("prevent", ["02", "03"])
def test_what_was_for_changers_is_refused(ask: Ask, prevent: str) -> None:
    assert ask(f"1e 000000 {prevent}") == Failed(invalid_field(4, 1))
