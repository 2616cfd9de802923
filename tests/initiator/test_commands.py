from __future__ import annotations

import pytest

from trioscsi.errors import UsageError
from trioscsi.initiator import commands


def test_reads_and_writes_are_as_short_as_they_can_be():
    assert commands.read(5, 3) == bytes.fromhex("28 00 00000005 00 0003 00")
    assert commands.write(2**32 - 1, 65_535) == bytes.fromhex("2a 00 ffffffff 00 ffff 00")
    assert commands.read(2**32, 1) == bytes.fromhex("88 00 0000000100000000 00000001 00 00")
    assert commands.write(0, 65_536) == bytes.fromhex("8a 00 0000000000000000 00010000 00 00")


def test_what_no_command_can_reach_is_refused():
    for lba, blocks in ((2**64, 1), (-1, 1), (0, 2**32), (0, -1)):
        with pytest.raises(UsageError):
            commands.read(lba, blocks)


def test_cdbs_have_the_length_of_their_group():
    lengths = (6, 10, 10, 0, 16, 12)
    for cdb in (
        commands.TEST_UNIT_READY,
        commands.REQUEST_SENSE,
        commands.inquiry(),
        commands.inquiry(0x83),
        commands.read_capacity_10(),
        commands.read_capacity_16(),
        commands.report_luns(),
        commands.report_supported_operation_codes(),
    ):
        assert len(cdb) == lengths[cdb[0] >> 5]
