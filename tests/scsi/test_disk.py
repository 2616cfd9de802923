from __future__ import annotations

from trioscsi.scsi.disk import DISK

MANDATORY = {0x00, 0x03, 0x12, 0x25, 0x28, 0x88, 0x9E, 0xA0, 0xA3}


def test_a_disk_has_what_every_disk_must_have() -> None:
    assert {command.opcode for command in DISK} >= MANDATORY


def test_only_three_commands_are_performed_while_an_attention_is_pending() -> None:
    assert DISK.exempt == {0x03, 0x12, 0xA0}
