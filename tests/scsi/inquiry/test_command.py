from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AccessState, Failed, LogicalUnit, Nexus, Plan, Reply, ScsiTarget
from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.inquiry.command import STANDARD

Ask = Callable[[str], Plan]


def data_of(plan: Plan) -> bytes:
    assert isinstance(plan, Reply)
    return plan.data


def test_a_disk_says_which_standards_it_follows(ask: Ask) -> None:
    data = data_of(ask("12 00 00 00ff 00"))
    fields = STANDARD.decode(data)
    assert len(data) == fields["additional_length"] + 5
    assert (fields["peripheral_qualifier"], fields["peripheral_device_type"]) == (0, 0)
    assert (fields["version"], fields["response_data_format"]) == (6, 2)
    assert [fields[f"version_descriptor_{n}"] for n in range(1, 5)] == [
        0x00A0,
        0x0960,  # the test's transport claims no version
        0x0460,
        0x04C0,
    ]
    assert fields["cmdque"]
    assert not fields["rmb"]


def test_the_identification_is_padded_text(nexus: Nexus) -> None:
    unit = LogicalUnit(
        0, target_name="iqn.x", blocks=1, vendor="ACME", product="ANVIL", revision="7"
    )
    data = data_of(unit.execute(bytes.fromhex("1200000060000000"), nexus))
    assert data[8:36] == b"ACME    ANVIL           7   "


def test_access_states_change_by_the_target_and_by_initiators(ask: Ask) -> None:
    data = data_of(ask("12 00 00 0060 00"))
    assert STANDARD.decode(data)["tpgs"] == 0b11


def test_a_page_without_evpd_is_refused(ask: Ask) -> None:
    assert ask("12 00 01 0100 00") == Failed(invalid_field(2, 7))


@pytest.mark.parametrize("page", ["01", "81", "b4", "ff"])
def test_a_page_that_there_is_not_is_refused(ask: Ask, page: str) -> None:
    assert ask(f"12 01 {page} 00ff 00") == Failed(invalid_field(2, 7))


@given(st.integers(0, 600), st.sampled_from(["0000", "0100", "0180", "0183", "01b0", "01b2"]))
def test_data_are_cut_exactly_to_the_allocation_length(length: int, which: str) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    nexus = Nexus("initiator", "target")

    def data(length: int) -> bytes:
        cdb = bytes.fromhex(f"12{which}{length:04x}00")
        return data_of(unit.execute(cdb, nexus))

    assert data(length) == data(0xFFFF)[:length]


def test_a_unit_behind_several_ports_says_so(unit: LogicalUnit, nexus: Nexus) -> None:
    cdb = bytes.fromhex("120000006000")
    active = AccessState.ACTIVE_OPTIMIZED
    for ports, several in (({1: active}, 0), ({1: active, 2: active}, 1)):
        ScsiTarget(unit.target_name, port_groups=ports).add(unit)
        plan = unit.execute(cdb, nexus)
        assert isinstance(plan, Reply)
        assert STANDARD.decode(plan.data)["multip"] == several
