from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan
from trioscsi.scsi.cdb import Bytes, Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, CommandSet, Concern, Guard, decoded
from trioscsi.scsi.complaints import INVALID_COMMAND_OPERATION_CODE, START_REQUIRED, invalid_field
from trioscsi.scsi.layout import bits, span


@decoded
def done(_unit: LogicalUnit, _cdb: Cdb, _nexus: Nexus) -> Plan:
    return Done()


ACTION = cdb_layout(10, service_action=bits(1, 4, 0))
ANY = Access.ALWAYS
LONG = cdb_layout(32, additional_cdb_length=span(7), service_action=span(8, 9))
PLAIN = Command(0x40, "PLAIN", cdb_layout(10), done, access=ANY)
SECOND = Command(0x5E, "SECOND", ACTION, done, service_action=2, medium=True, access=ANY)
FIRST = Command(0x5E, "FIRST", ACTION, done, service_action=1, attention=False, access=ANY)
THIRD = Command(0x7F, "THIRD", LONG, done, service_action=9, access=ANY)
COMMANDS = CommandSet((THIRD, SECOND, PLAIN, FIRST))


@pytest.fixture
def unit() -> LogicalUnit:
    class Small(LogicalUnit):
        commands = COMMANDS

    return Small(0, target_name="iqn.x", blocks=8)


@pytest.fixture
def run(unit: LogicalUnit, nexus: Nexus) -> Callable[..., Plan]:
    def run(opcode: int, action: int = 0, *, stopped: bool = False) -> Plan:
        unit.stopped = stopped
        return unit.execute(bytes((opcode, action)).ljust(16, b"\0"), nexus)

    return run


def long_cdb(action: int, *, length: int = 32, additional: int = 24) -> bytes:
    return bytes((0x7F, *bytes(6), additional, 0, action)).ljust(length, b"\0")


def test_the_commands_come_in_order() -> None:
    assert [command.name for command in COMMANDS] == ["PLAIN", "FIRST", "SECOND", "THIRD"]


def test_commands_are_found_by_opcode_and_service_action() -> None:
    assert COMMANDS.of(0x40) == {None: PLAIN}
    assert COMMANDS.of(0x5E) == {1: FIRST, 2: SECOND}
    assert COMMANDS.of(0x00) == {}


def test_a_command_is_performed_by_opcode_and_service_action(run: Callable[..., Plan]) -> None:
    assert run(0x40) == run(0x5E, 1) == run(0x5E, 2) == Done()


def test_an_unknown_opcode_is_invalid(run: Callable[..., Plan]) -> None:
    assert run(0x41) == Failed(INVALID_COMMAND_OPERATION_CODE)


def test_an_unknown_service_action_is_an_invalid_field(run: Callable[..., Plan]) -> None:
    assert run(0x5E, 3) == Failed(invalid_field(1, 4))


def test_a_cdb_of_32_bytes_has_its_service_action_further_on(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    assert unit.execute(long_cdb(9), nexus) == Done()
    assert unit.execute(long_cdb(8), nexus) == Failed(invalid_field(8, 7))
    assert COMMANDS.find(long_cdb(9)) is THIRD
    assert COMMANDS.find(long_cdb(8)) is None


@pytest.mark.parametrize("wrong", [{"length": 16}, {"length": 36}, {"additional": 25}])
def test_a_cdb_of_another_length_than_it_says_is_refused(
    unit: LogicalUnit, nexus: Nexus, wrong: dict[str, int]
) -> None:
    assert unit.execute(long_cdb(9, **wrong), nexus) == Failed(invalid_field(7, 7))


def test_a_command_is_found_by_its_cdb() -> None:
    assert COMMANDS.find(bytes((0x40, 7)).ljust(16)) is PLAIN
    assert COMMANDS.find(bytes((0x5E, 2)).ljust(16)) is SECOND
    assert COMMANDS.find(bytes((0x5E, 3)).ljust(16)) is None
    assert COMMANDS.find(bytes((0x41, 3)).ljust(16)) is None


def test_guards_look_at_a_command_in_the_order_of_their_concerns(
    unit: LogicalUnit, nexus: Nexus
) -> None:
    asked: list[str] = []

    def guard(name: str, plan: Plan | None = None) -> Guard:
        def look(_unit: LogicalUnit, command: Command, _cdb: Bytes, _nexus: Nexus) -> Plan | None:
            asked.append(f"{name} {command.name}")
            return plan

        return look

    cdb = bytes((0x40,)).ljust(16, b"\0")
    unit.guard(Concern.RESERVATION, guard("reservation", Failed(START_REQUIRED)))
    unit.guard(Concern.PORT, guard("port"))
    unit.guard(Concern.MEDIUM, guard("medium"))
    assert unit.execute(cdb, nexus) == Failed(START_REQUIRED)
    assert asked == ["port PLAIN", "reservation PLAIN"]
    unit.guard(Concern.RESERVATION, None)
    assert unit.execute(cdb, nexus) == Done()
    assert asked[2:] == ["port PLAIN", "medium PLAIN"]


def test_what_is_no_command_concerns_no_guard(run: Callable[..., Plan]) -> None:
    assert run(0x41, stopped=True) == Failed(INVALID_COMMAND_OPERATION_CODE)


def test_a_stopped_unit_performs_what_needs_no_medium(run: Callable[..., Plan]) -> None:
    assert run(0x40, stopped=True) == run(0x5E, 1, stopped=True) == Done()
    assert run(0x5E, 2, stopped=True) == Failed(START_REQUIRED)


def test_the_exempt_opcodes_are_those_that_no_attention_holds_up() -> None:
    assert COMMANDS.exempt == {0x5E}


def test_a_unit_may_lack_what_a_command_needs(unit: LogicalUnit, nexus: Nexus) -> None:
    def is_thin(unit: LogicalUnit) -> bool:
        return unit.thin

    plain, action = attrs.evolve(PLAIN, needs=is_thin), attrs.evolve(FIRST, needs=is_thin)

    class Thin(LogicalUnit):
        commands = CommandSet((plain, action))

    unit = Thin(0, target_name="iqn.x", blocks=8)
    assert not plain.is_of(unit)
    for stopped in (False, True):
        unit.stopped = stopped
        assert unit.execute(bytes((0x40,)), nexus) == Failed(invalid_field(1))
        assert unit.execute(bytes((0x40,)).ljust(16, b"\0"), nexus) == Failed(
            INVALID_COMMAND_OPERATION_CODE
        )
        assert unit.execute(bytes((0x5E, 1)).ljust(16, b"\0"), nexus) == Failed(invalid_field(1, 4))
    unit.thin, unit.stopped = True, False
    assert plain.is_of(unit)
    for opcode, service_action in ((0x40, 0), (0x5E, 1)):
        cdb = bytes((opcode, service_action)).ljust(16, b"\0")
        assert unit.execute(cdb, nexus) == Done()


def test_usage_data_shows_the_service_action() -> None:
    assert SECOND.usage == b"\x5e\x02" + bytes(7) + b"\x04"
