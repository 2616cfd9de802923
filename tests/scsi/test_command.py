from __future__ import annotations

from collections.abc import Callable

import pytest

from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Command, CommandSet, decoded
from trioscsi.scsi.layout import bits
from trioscsi.scsi.sense import INVALID_COMMAND_OPERATION_CODE, START_REQUIRED, invalid_field


@decoded
def done(_unit: LogicalUnit, _cdb: Cdb, _nexus: Nexus) -> Plan:
    return Done()


ACTION = cdb_layout(10, service_action=bits(1, 4, 0))
PLAIN = Command(0x40, "PLAIN", cdb_layout(10), done)
SECOND = Command(0x5E, "SECOND", ACTION, done, service_action=2, medium=True)
FIRST = Command(0x5E, "FIRST", ACTION, done, service_action=1, attention=False)
COMMANDS = CommandSet((SECOND, PLAIN, FIRST))


@pytest.fixture
def run(unit: LogicalUnit, nexus: Nexus) -> Callable[..., Plan]:
    def run(opcode: int, action: int = 0, *, stopped: bool = False) -> Plan:
        table = COMMANDS.stopped if stopped else COMMANDS.ready
        return table[opcode](unit, bytes((opcode, action)).ljust(16, b"\0"), nexus)

    return run


def test_the_commands_come_in_order() -> None:
    assert [command.name for command in COMMANDS] == ["PLAIN", "FIRST", "SECOND"]


def test_commands_are_found_by_opcode_and_service_action() -> None:
    assert COMMANDS.of(0x40) == {None: PLAIN}
    assert COMMANDS.of(0x5E) == {1: FIRST, 2: SECOND}
    assert COMMANDS.of(0x00) == {}


def test_a_command_is_performed_by_opcode_and_service_action(run: Callable[..., Plan]) -> None:
    assert run(0x40) == run(0x5E, 1) == run(0x5E, 2) == Done()


def test_an_unknown_opcode_is_invalid(run: Callable[..., Plan]) -> None:
    assert run(0x41) == Failed(INVALID_COMMAND_OPERATION_CODE)


def test_an_unknown_service_action_is_an_invalid_field(unit: LogicalUnit, nexus: Nexus) -> None:
    for cdb in ("9e 11", "a3 00"):
        plan = unit.execute(bytes.fromhex(cdb).ljust(16, b"\0"), nexus)
        assert plan == Failed(invalid_field(1, 4))


def test_a_stopped_unit_performs_what_needs_no_medium(run: Callable[..., Plan]) -> None:
    assert run(0x40, stopped=True) == run(0x5E, 1, stopped=True) == Done()
    assert run(0x5E, 2, stopped=True) == Failed(START_REQUIRED)


def test_the_exempt_opcodes_are_those_that_no_attention_holds_up() -> None:
    assert COMMANDS.exempt == {0x5E}


def test_usage_data_shows_the_service_action() -> None:
    assert SECOND.usage == b"\x5e\x02" + bytes(8)
