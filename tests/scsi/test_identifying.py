from __future__ import annotations

import pytest

from tests.scsi.store import Blocks, Failing
from trioscsi.errors import BackendError, UsageError
from trioscsi.scsi import (
    AdditionalSense,
    Done,
    Failed,
    LogicalUnit,
    Nexus,
    Outcome,
    Reply,
    ScsiTarget,
)
from trioscsi.scsi.complaints import invalid_field, invalid_parameter
from trioscsi.scsi.identifying import IDENTIFIER, TEXT, WHICH_THERE_ARE

NAME = "iqn.2026-11.example:disk"


@pytest.fixture
def unit() -> LogicalUnit:
    return LogicalUnit(0, target_name=NAME, blocks=8, keeps_state=True)


@pytest.fixture
def storage(unit: LogicalUnit) -> Blocks:
    return Blocks(unit)


def cdb(opcode: int, action: int, kind: int, length: int) -> bytes:
    return bytes((opcode, action, 0, 0, 0, 0, *length.to_bytes(4, "big"), kind << 1, 0))


def write(storage: Blocks, nexus: Nexus, kind: int, data: bytes) -> Outcome:
    plan = storage.unit.execute(cdb(0xA4, 0x06, kind, len(data)), nexus)
    return storage.perform(plan, data)


def read(unit: LogicalUnit, nexus: Nexus, kind: int) -> bytes:
    plan = unit.execute(cdb(0xA3, 0x05, kind, 0x1000), nexus)
    assert isinstance(plan, Reply)
    assert plan.data[:4] == (len(plan.data) - 4).to_bytes(4, "big")
    return plan.data[4:]


def test_a_unit_tells_which_information_it_takes(unit: LogicalUnit, nexus: Nexus) -> None:
    assert read(unit, nexus, WHICH_THERE_ARE).hex(" ", 4) == "00000040 04000100"


def test_what_was_written_is_read_and_the_types_are_apart(
    unit: LogicalUnit, nexus: Nexus, storage: Blocks
) -> None:
    assert read(unit, nexus, IDENTIFIER) == b""
    assert write(storage, nexus, IDENTIFIER, b"\xff\0identifier") == Done()
    assert write(storage, nexus, TEXT, "für Anna\0".encode()) == Done()
    assert read(unit, nexus, IDENTIFIER) == b"\xff\0identifier"
    assert read(unit, nexus, TEXT) == "für Anna\0".encode()
    assert write(storage, nexus, IDENTIFIER, b"") == Done()
    assert read(unit, nexus, IDENTIFIER) == b""


def test_a_report_is_cut(unit: LogicalUnit, nexus: Nexus, storage: Blocks) -> None:
    write(storage, nexus, IDENTIFIER, b"identifier")
    assert unit.execute(cdb(0xA3, 0x05, 0, 6), nexus) == Reply(b"\0\0\0\x0aid")


def test_a_restart_finds_what_was_written(unit: LogicalUnit, nexus: Nexus, storage: Blocks) -> None:
    write(storage, nexus, IDENTIFIER, b"identifier")
    unit.reset()
    again = LogicalUnit(0, target_name=NAME, blocks=8, keeps_state=True)
    for name, data in storage.saved.items():
        again.restore(name, data)
    for each in (unit, again):
        assert read(each, nexus, IDENTIFIER) == b"identifier"


def test_the_other_initiators_hear_of_it(unit: LogicalUnit, nexus: Nexus, storage: Blocks) -> None:
    target, other = ScsiTarget(NAME, [unit]), Nexus("other", "target")
    for each in (nexus, other):
        target.attach(each)
        each.take(0)
    write(storage, nexus, IDENTIFIER, b"identifier")
    assert nexus.pending == {}
    assert other.pending == {0: [AdditionalSense.DEVICE_IDENTIFIER_CHANGED]}


def test_what_cannot_be_kept_is_not_written(
    unit: LogicalUnit, nexus: Nexus, storage: Blocks
) -> None:
    storage.fails.add("save")
    with pytest.raises(BackendError):
        write(storage, nexus, IDENTIFIER, b"identifier")
    assert read(unit, nexus, IDENTIFIER) == b""


def test_what_cannot_be_kept_takes_nothing_back_that_was_kept_meanwhile(
    unit: LogicalUnit, nexus: Nexus, storage: Blocks
) -> None:
    first = unit.identifying.set(Failing(unit), IDENTIFIER, b"first")
    first.send(None)
    assert write(storage, nexus, IDENTIFIER, b"second") == Done()
    with pytest.raises(BackendError):
        first.send(None)
    assert read(unit, nexus, IDENTIFIER) == b"second"


def test_a_unit_that_keeps_no_state_has_no_such_commands(unit: LogicalUnit, nexus: Nexus) -> None:
    unit.keeps_state = False
    for command in (cdb(0xA3, 0x05, 0, 64), cdb(0xA4, 0x06, 0, 64)):
        assert unit.execute(command, nexus) == Failed(invalid_field(1, 4))


@pytest.mark.parametrize(
    ("kind", "data", "outcome"),
    [
        pytest.param(1, b"x", invalid_field(10, 7), id="no such type"),
        pytest.param(WHICH_THERE_ARE, b"x", invalid_field(10, 7), id="only to read"),
        pytest.param(IDENTIFIER, bytes(65), invalid_field(6, 7), id="too long"),
        pytest.param(TEXT, bytes(257), invalid_field(6, 7), id="too long a text"),
        pytest.param(TEXT, b"text", invalid_parameter(3), id="no null at its end"),
        pytest.param(TEXT, b"te\xffxt\0", invalid_parameter(2), id="no UTF-8"),
    ],
)
def test_what_is_wrong_is_not_written(
    unit: LogicalUnit, nexus: Nexus, storage: Blocks, kind: int, data: bytes, outcome: object
) -> None:
    assert write(storage, nexus, kind, data) == Failed(outcome)  # type: ignore[arg-type]
    assert storage.steps == []


def test_a_type_that_there_is_not_cannot_be_read(unit: LogicalUnit, nexus: Nexus) -> None:
    assert unit.execute(cdb(0xA3, 0x05, 4, 64), nexus) == Failed(invalid_field(10, 7))


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"0": "", "1": ""}',
        b'{"0": "", "2": 1}',
        b'{"0": "", "2": "x"}',
        b'{"0": "' + b"00" * 65 + b'", "2": ""}',
    ],
)
def test_what_was_never_saved_is_not_taken_back(unit: LogicalUnit, data: bytes) -> None:
    with pytest.raises(UsageError, match="LUN 0: the identifying that were saved: "):
        unit.restore("identifying", data)
