from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, Failed, Nexus, Plan, Reply, absent
from trioscsi.scsi.complaints import LOGICAL_UNIT_NOT_SUPPORTED, invalid_field
from trioscsi.scsi.inquiry.command import STANDARD


@pytest.fixture
def ask(nexus: Nexus) -> Callable[[str], Plan]:
    def execute(cdb: str) -> Plan:
        return absent.execute([1, 2], bytes.fromhex(cdb), nexus)

    return execute


Ask = Callable[[str], Plan]


def test_inquiry_says_that_there_is_nothing(ask: Ask) -> None:
    plan = ask("12 00 00 00ff 00")
    assert isinstance(plan, Reply)
    assert plan.data[0] == 0x7F
    assert len(plan.data) == STANDARD.length == plan.data[4] + 5
    assert ask("12 00 00 0005 00") == Reply(plan.data[:5])


def test_the_only_page_is_the_list_of_pages(ask: Ask) -> None:
    assert ask("12 01 00 00ff 00") == Reply(bytes.fromhex("7f00000100"))
    assert ask("12 01 83 00ff 00") == Failed(invalid_field(2, 7))
    assert ask("12 00 83 00ff 00") == Failed(invalid_field(2, 7))


def test_request_sense_says_it_as_data(ask: Ask) -> None:
    assert ask("03 00 0000 ff 00") == Reply(LOGICAL_UNIT_NOT_SUPPORTED.encode())
    assert ask("03 01 0000 03 00") == Reply(b"\x72\x05\x25")


def test_report_luns_lists_what_there_is(ask: Ask, nexus: Nexus) -> None:
    nexus.establish(1, AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED)
    assert ask("a0 00 00 000000 00000100 00 00") == Reply(
        bytes.fromhex("0000001000000000 0001000000000000 0002000000000000")
    )
    assert nexus.pending == {}


@pytest.mark.parametrize("opcode", ["00", "08", "1a", "25", "28", "a3", "88", "ff"])
def test_everything_else_is_refused(ask: Ask, opcode: str) -> None:
    assert ask(opcode + "00" * 15) == Failed(LOGICAL_UNIT_NOT_SUPPORTED)


@given(st.binary(max_size=260))
def test_any_cdb_gives_a_plan(cdb: bytes) -> None:
    assert isinstance(absent.execute([], cdb, Nexus("initiator", "target")), Failed | Reply)
