from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.cdbs import plain
from tests.scsi.store import Blocks
from trioscsi.errors import UsageError
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Met,
    Nexus,
    Procedure,
    Read,
    Receive,
    Refused,
    Reply,
    Sense,
    Write,
)
from trioscsi.scsi.complaints import unit_attention
from trioscsi.scsi.disk import DISK

PLANS = (Done, Met, Reply, Failed, Refused, Read, Write, Receive, Procedure)
ENDS = (Done, Met, Reply, Failed, Refused)
READY, INQUIRY = bytes(6), bytes.fromhex("120000006000")
CODE = AdditionalSense.CAPACITY_DATA_HAS_CHANGED

known = st.builds(
    lambda command, rest: bytes((command.opcode, command.service_action or 0)) + rest,
    st.sampled_from(list(DISK)),
    st.binary(max_size=30),
)


@st.composite
def spelled(draw: Callable[..., Any]) -> bytes:
    """A command with any values in its fields, most of them small."""
    command = draw(st.sampled_from(list(DISK)))
    fields = command.layout.record.fields
    small = st.integers(0, 3)
    values = {
        name: draw((small | st.integers(0, 2**field.width - 1)).filter(_fits(field.width)))
        for name, field in fields.items()
        if draw(st.booleans())
    }
    return plain(command, **values)


def _fits(width: int) -> Callable[[int], bool]:
    return lambda value: value < 2**width


@given(spelled(), st.binary(max_size=2048))
def test_any_command_with_any_data_ends_in_some_way(cdb: bytes, data: bytes) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1000, thin=True, atomic=True)
    blocks = Blocks(unit)
    plan = unit.execute(cdb, Nexus("initiator", "target"))
    data = data[: plan.data_out]
    if isinstance(plan, Procedure) and plan.exact and len(data) != plan.data_out:
        assert isinstance(plan.inexact(), Sense)  # whoever performs plans says it
        return
    if isinstance(plan, Read | Write) and not plan.blocks:
        return  # and asks no storage for nothing
    if isinstance(plan, Write):
        data = bytes(plan.data_out)
    end = blocks.perform(plan, data)
    assert isinstance(end, ENDS)
    if isinstance(end, Failed) and end.sense.field_pointer is not None:
        pointer = end.sense.field_pointer
        assert pointer.byte < len(cdb if pointer.in_cdb else data)
    blocks.run_jobs()


@given(st.binary(max_size=260) | known, st.booleans())
def test_any_cdb_gives_a_plan(cdb: bytes, stopped: bool) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1000)
    unit.stopped = stopped
    plan = unit.execute(cdb, Nexus("initiator", "target"))
    assert isinstance(plan, PLANS)
    assert plan.data_out <= unit.maximum_transfer


def test_an_attention_is_reported_once_and_then_the_command_is_performed(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    nexus.establish(0, CODE)
    assert unit.execute(READY, nexus) == Failed(unit_attention(CODE))
    assert unit.execute(READY, nexus) == Done()


def test_even_an_unknown_command_reports_an_attention(unit: LogicalUnit, nexus: Nexus) -> None:
    nexus.establish(0, CODE)
    assert unit.execute(b"\xff" * 16, nexus) == Failed(unit_attention(CODE))


def test_inquiry_leaves_an_attention_alone(unit: LogicalUnit, nexus: Nexus) -> None:
    nexus.establish(0, CODE)
    assert isinstance(unit.execute(INQUIRY, nexus), Reply)
    assert nexus.pending == {0: [CODE]}


def test_an_attention_of_another_unit_holds_nothing_up(unit: LogicalUnit, nexus: Nexus) -> None:
    nexus.establish(1, CODE)
    assert unit.execute(READY, nexus) == Done()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"number": -1}, "number is from 0 to 16383"),
        ({"number": 0x4000}, "number is from 0 to 16383"),
        ({"blocks": 0}, "blocks is from 1 to"),
        ({"blocks": 4096 / 512}, "blocks is a whole number, not 8.0"),
        ({"block_size": 512.0}, "block_size is a whole number, not 512.0"),
        ({"block_size": 520}, "block_size is a power of two"),
        ({"block_size": 256}, "block_size is a power of two"),
        ({"block_size": 2**17}, "block_size is a power of two"),
        ({"block_size": 4096, "physical_block_size": 512}, "at least block_size"),
        ({"maximum_transfer": 512}, "maximum_transfer is from 65536"),
        ({"vendor": "TOO LONG A NAME"}, "vendor is 8 printable ASCII"),
        ({"product": "\n"}, "product is 16 printable ASCII"),
        ({"serial": "é"}, "serial is 200 printable ASCII"),
    ],
)
def test_what_no_disk_can_be_is_a_usage_error(wrong: dict[str, Any], complaint: str) -> None:
    right: dict[str, Any] = {"number": 0, "target_name": "iqn.x", "blocks": 1}
    with pytest.raises(UsageError, match=complaint):
        LogicalUnit(**right | wrong)


def test_a_unit_alone_lists_itself(unit: LogicalUnit) -> None:
    assert list(unit.luns) == [0]


def test_the_maximum_transfer_is_a_whole_number_of_physical_blocks() -> None:
    unit = LogicalUnit(
        0, target_name="iqn.x", blocks=8, physical_block_size=4096, maximum_transfer=70_000
    )
    assert unit.maximum_blocks == 136


class Note:
    """Something to remember."""

    text = ""

    def restore(self, data: bytes) -> None:
        self.text = data.decode("ascii")


def test_what_was_saved_is_taken_back(unit: LogicalUnit) -> None:
    note = Note()
    unit.keepsakes = {"note": note}
    unit.restore("note", b"remember")
    assert note.text == "remember"


def test_what_cannot_be_read_is_a_usage_error(unit: LogicalUnit) -> None:
    unit.keepsakes = {"note": Note()}
    with pytest.raises(UsageError, match="LUN 0: the note that were saved"):
        unit.restore("note", b"\xff")
    with pytest.raises(UsageError, match="nothing of this name is ever saved"):
        unit.restore("other", b"")


def test_a_unit_goes_on_without_reservations_that_are_lost_and_without_nothing_else(
    unit: LogicalUnit,
) -> None:
    lost = [name for name in unit.keepsakes if unit.lose(name)]
    assert lost == ["reservations"]
    assert unit.reservations.lost
