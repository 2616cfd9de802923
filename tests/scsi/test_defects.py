from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Failed, Plan, Reply
from trioscsi.scsi.sense import invalid_field

Ask = Callable[[str], Plan]


@pytest.mark.parametrize("form", range(7))
def test_the_lists_of_defects_are_empty_in_every_format(ask: Ask, form: int) -> None:
    for lists in (0x00, 0x08, 0x10, 0x18):
        flags = lists | form
        assert ask(f"37 00 {flags:02x} 00000000 0020 00") == Reply(bytes((0, flags, 0, 0)))
        assert ask(f"b7 {flags:02x} 00000000 00000020 00 00") == Reply(
            bytes((0, flags, 0, 0, 0, 0, 0, 0))
        )


def test_a_format_that_there_is_not_is_refused(ask: Ask) -> None:
    assert ask("37 00 07 00000000 0020 00") == Failed(invalid_field(2, 2))
    assert ask("b7 07 00000000 00000020 00 00") == Failed(invalid_field(1, 2))


def test_an_address_beyond_the_list_finds_nothing(ask: Ask) -> None:
    assert ask("b7 08 00000007 00000020 00 00") == Reply(b"\0\x08" + bytes(6))


def test_the_answer_is_cut_to_the_allocation_length(ask: Ask) -> None:
    assert ask("37 00 18 00000000 0002 00") == Reply(b"\0\x18")
    assert ask("b7 18 00000000 00000003 00 00") == Reply(b"\0\x18\0")
