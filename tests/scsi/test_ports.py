from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.store import Blocks
from trioscsi.errors import UsageError
from trioscsi.scsi import (
    AccessState,
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Outcome,
    Reply,
    ScsiTarget,
)
from trioscsi.scsi.command import VARIABLE_LENGTH, Command
from trioscsi.scsi.complaints import (
    PARAMETER_LIST_LENGTH_ERROR,
    PORT_IN_STANDBY,
    invalid_field,
    invalid_parameter,
    unit_attention,
)
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.ports import Cause, PortGroups
from trioscsi.scsi.sense import Sense, SenseKey

NAME = "iqn.2026-11.example:disk"
ALUA = tomllib.loads(
    (Path(__file__).parents[2] / "specs" / "scsi" / "alua.toml").read_text("utf-8")
)
OPTIMIZED, STANDBY = AccessState.ACTIVE_OPTIMIZED, AccessState.STANDBY
CHANGED = AdditionalSense.ASYMMETRIC_ACCESS_STATE_CHANGED
REPORT, SET = "a3 {} 00000000 {:08x} 00 00", "a4 0a 00000000 {:08x} 00 00"


@pytest.fixture
def target() -> ScsiTarget:
    units = [LogicalUnit(number, target_name=NAME, blocks=1000) for number in (0, 3)]
    return ScsiTarget(NAME, units, {1: OPTIMIZED, 2: STANDBY})


@pytest.fixture
def one(target: ScsiTarget) -> Nexus:
    return attached(target, 1)


@pytest.fixture
def two(target: ScsiTarget) -> Nexus:
    return attached(target, 2)


def attached(target: ScsiTarget, group: int) -> Nexus:
    nexus = Nexus(f"initiator {group}", "port", group, group)
    target.attach(nexus)
    nexus.pending.clear()
    return nexus


def ask(target: ScsiTarget, nexus: Nexus, cdb: str, data: bytes = b"", lun: int = 0) -> Outcome:
    plan = target.execute(lun, bytes.fromhex(cdb).ljust(16, b"\0"), nexus)
    return Blocks(target.units[lun]).perform(plan, data)


def change(target: ScsiTarget, nexus: Nexus, parameters: str) -> Outcome:
    data = bytes.fromhex(parameters)
    return ask(target, nexus, SET.format(len(data)), data)


def cdb_of(command: Command) -> bytes:
    cdb = bytearray(command.layout.length)
    cdb[0] = command.opcode
    if command.opcode == VARIABLE_LENGTH:
        cdb[7], cdb[8:10] = 24, (command.service_action or 0).to_bytes(2, "big")
    else:
        cdb[1] = command.service_action or 0
    return bytes(cdb)


@pytest.mark.parametrize("row", ALUA["state"], ids=lambda row: row["name"])
@pytest.mark.parametrize("command", [*DISK], ids=lambda command: command.name)
def test_a_command_passes_in_a_state_as_the_table_says(
    command: Command, row: dict[str, Any], nexus: Nexus
) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1000, atomic=True, thin=True, keeps_state=True)
    ScsiTarget(NAME, [unit], {1: AccessState(row["code"])})
    names = {f"{command.opcode:02X}", f"{command.opcode:02X}/{command.service_action or 0:02X}"}
    plan = unit.execute(cdb_of(command), nexus)
    if "passes" not in row or names & {*row["passes"]}:
        assert not (isinstance(plan, Failed) and plan.sense.key is SenseKey.NOT_READY)
    else:
        assert plan == Failed(Sense(SenseKey.NOT_READY, AdditionalSense[row["sense"]]))


def test_the_table_names_commands_that_there_are() -> None:
    known = {f"{c.opcode:02X}" for c in DISK}
    known |= {f"{c.opcode:02X}/{c.service_action or 0:02X}" for c in DISK}
    for row in ALUA["state"]:
        assert {*row.get("passes", ())} <= known


def test_a_state_is_that_of_the_way_in(target: ScsiTarget, one: Nexus, two: Nexus) -> None:
    assert ask(target, one, "00") == Done()
    assert ask(target, two, "00") == Failed(PORT_IN_STANDBY)
    assert ask(target, Nexus("initiator", "another way in", 9, 9), "00") == Done()


def test_request_sense_tells_the_state(target: ScsiTarget, one: Nexus, two: Nexus) -> None:
    assert ask(target, two, "03 00 0000 fc 00") == Reply(PORT_IN_STANDBY.encode())
    assert ask(target, one, "03 00 0000 fc 00") == Reply(Sense(SenseKey.NO_SENSE).encode())


def test_without_a_passive_group_no_command_is_looked_at(target: ScsiTarget) -> None:
    unit = target.units[0]
    assert unit.guards
    target.set_access_state(2, AccessState.ACTIVE_NON_OPTIMIZED)
    assert not unit.guards


def test_all_groups_are_reported(target: ScsiTarget, one: Nexus) -> None:
    groups = bytes.fromhex("008f000100000001 00000001 028f000200000001 00000002")
    assert ask(target, one, REPORT.format("0a", 256)) == Reply(bytes.fromhex("00000018") + groups)
    assert ask(target, one, REPORT.format("2a", 256)) == Reply(
        bytes.fromhex("0000001c 10000000") + groups
    )


def test_a_report_of_groups_is_cut_to_its_allocation_length(target: ScsiTarget, one: Nexus) -> None:
    assert ask(target, one, REPORT.format("0a", 6)) == Reply(bytes.fromhex("00000018 008f"))


def test_a_format_of_the_report_that_is_not_there_is_refused(
    target: ScsiTarget, one: Nexus
) -> None:
    assert ask(target, one, REPORT.format("4a", 256)) == Failed(invalid_field(1, 7))


def test_a_unit_of_no_target_has_one_group(unit: LogicalUnit, nexus: Nexus) -> None:
    plan = unit.execute(bytes.fromhex(REPORT.format("0a", 256)), nexus)
    assert plan == Reply(bytes.fromhex("0000000c 008f000100000001 00000001"))


def test_an_initiator_changes_states_and_all_others_hear_of_it(
    target: ScsiTarget, one: Nexus, two: Nexus
) -> None:
    assert change(target, one, "00000000 01000001 00000002") == Done()
    assert [group.state for group in target.port_groups] == [
        AccessState.ACTIVE_NON_OPTIMIZED,
        OPTIMIZED,
    ]
    assert {group.cause for group in target.port_groups} == {Cause.SET_TARGET_PORT_GROUPS}
    assert one.pending == {}
    assert two.pending == {0: [CHANGED], 3: [CHANGED]}
    assert ask(target, two, "00") == Failed(unit_attention(CHANGED))
    assert ask(target, two, "00") == Done()


def test_states_are_changed_through_a_port_in_standby(target: ScsiTarget, two: Nexus) -> None:
    assert change(target, two, "00000000 00000002") == Done()
    assert ask(target, two, "00") == Done()


def test_nobody_hears_of_a_state_that_stays(target: ScsiTarget, one: Nexus, two: Nexus) -> None:
    assert change(target, one, "00000000 00000001 02000002") == Done()
    assert change(target, one, "00000000") == change(target, one, "") == Done()
    assert {group.cause for group in target.port_groups} == {Cause.NONE}
    assert two.pending == {}


@pytest.mark.parametrize("state", ["04", "05", "0e", "0f"])
def test_a_state_that_cannot_be_set_is_refused(target: ScsiTarget, one: Nexus, state: str) -> None:
    assert change(target, one, f"00000000 01000001 {state}000002") == Failed(
        invalid_parameter(8, 3)
    )
    assert target.port_groups.state_for(one) is OPTIMIZED


@pytest.mark.parametrize("group", ["0000", "0003", "0001"])
def test_a_group_that_is_not_there_or_comes_twice_is_refused(
    target: ScsiTarget, one: Nexus, group: str
) -> None:
    assert change(target, one, f"00000000 01000001 0000{group}") == Failed(invalid_parameter(10, 7))
    assert target.port_groups.state_for(one) is OPTIMIZED


@pytest.mark.parametrize("length", [1, 3, 5, 7])
def test_a_list_of_a_wrong_length_is_refused(target: ScsiTarget, one: Nexus, length: int) -> None:
    assert change(target, one, "00" * length) == Failed(PARAMETER_LIST_LENGTH_ERROR)


def test_a_list_that_comes_in_part_is_refused(target: ScsiTarget, one: Nexus) -> None:
    assert ask(target, one, SET.format(12), bytes(8)) == Failed(PARAMETER_LIST_LENGTH_ERROR)


def test_a_list_longer_than_all_groups_are_is_not_taken(target: ScsiTarget, one: Nexus) -> None:
    assert ask(target, one, SET.format(16)) == Failed(invalid_field(6, 7))
    assert ask(target, one, SET.format(2**32 - 1)) == Failed(invalid_field(6, 7))


@given(st.binary(max_size=12), st.integers(0, 12))
def test_any_list_gets_an_answer(data: bytes, length: int) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1000)
    target = ScsiTarget(NAME, [unit], {1: OPTIMIZED, 2: STANDBY})
    outcome = ask(target, Nexus("initiator", "port"), SET.format(length), data)
    assert isinstance(outcome, Done | Failed)
    if isinstance(outcome, Failed):
        assert {group.cause for group in target.port_groups} == {Cause.NONE}


def test_the_target_changes_a_state_and_everybody_hears_of_it(
    target: ScsiTarget, one: Nexus, two: Nexus
) -> None:
    target.set_access_state(1, AccessState.TRANSITIONING)
    assert one.pending == two.pending == {0: [CHANGED], 3: [CHANGED]}
    one.pending.clear()
    report = ask(target, one, REPORT.format("0a", 12), lun=3)
    assert report == Reply(bytes.fromhex("00000018 0f8f000100020001"))
    with pytest.raises(UsageError, match="no target port group 5"):
        target.set_access_state(5, STANDBY)


def test_everybody_hears_of_a_change_that_failed(
    target: ScsiTarget, one: Nexus, two: Nexus
) -> None:
    target.access_state_transition_failed()
    failed = AdditionalSense.IMPLICIT_ASYMMETRIC_ACCESS_STATE_TRANSITION_FAILED
    assert one.pending == two.pending == {0: [failed], 3: [failed]}


def test_a_unit_that_leaves_its_target_is_accessed_as_one_of_its_own(
    target: ScsiTarget, two: Nexus
) -> None:
    unit = target.remove(0)
    assert not unit.guards
    assert unit.execute(bytes(16), two) == Done()
    target.add(unit)
    two.pending.clear()
    assert unit.execute(bytes(16), two) == Failed(PORT_IN_STANDBY)


def test_a_state_has_the_name_that_people_write() -> None:
    assert [state.label for state in AccessState] == [
        "active/optimized",
        "active/non-optimized",
        "standby",
        "unavailable",
        "transitioning",
    ]
    assert AccessState.of("active/non-optimized") is AccessState.ACTIVE_NON_OPTIMIZED
    with pytest.raises(UsageError, match="'offline' is no access state"):
        AccessState.of("offline")


@pytest.mark.parametrize("numbers", [(), (0,), (1, 65_536)])
def test_groups_have_possible_numbers(numbers: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="from 1 to 65535"):
        PortGroups(dict.fromkeys(numbers, OPTIMIZED))


def test_groups_that_were_not_known_at_first_are_included_as_active() -> None:
    groups = PortGroups()
    groups.include([3, 7])
    assert [(group.number, group.state) for group in groups] == [(3, OPTIMIZED), (7, OPTIMIZED)]
    groups.change({7: STANDBY}, Cause.IMPLICIT)
    groups.include([1])
    assert [(group.number, group.state) for group in groups] == [(1, OPTIMIZED), (7, STANDBY)]
