from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Done, Failed, Plan
from trioscsi.scsi.complaints import invalid_field

Ask = Callable[[str], Plan]


@pytest.mark.parametrize("control", ["00", "40", "80"])
def test_there_is_nothing_to_start_or_stop(ask: Ask, control: str) -> None:
    assert ask(f"9e15 {control} ff 00000000 00000000 0000 00 00") == Done()


def test_another_control_is_refused(ask: Ask) -> None:
    assert ask("9e15 c0 00 00000000 00000000 0000 00 00") == Failed(invalid_field(2, 7))
