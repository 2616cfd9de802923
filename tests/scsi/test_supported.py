from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense, Done, Failed, LogicalUnit, Nexus, Plan, Reply
from trioscsi.scsi.command import CommandSet
from trioscsi.scsi.complaints import INVALID_COMMAND_OPERATION_CODE, invalid_field
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.nexus import Everything
from trioscsi.scsi.supported import COMMAND_DESCRIPTOR, ONE_COMMAND

Ask = Callable[[str], Plan]

ALL, ONE, ACTION, EITHER, RCTD = 0, 1, 2, 3, 0x80
RECOMMENDED_TIMEOUTS = {
    # What goes through all blocks: FORMAT UNIT, SEND DIAGNOSTIC, SANITIZE.
    **dict.fromkeys([(0x04, 0), (0x1D, 0)], 86_400),
    **dict.fromkeys([(0x48, action) for action in (0x01, 0x02, 0x03, 0x1F)], 86_400),
    # SYNCHRONIZE CACHE, WRITE SAME, EXTENDED COPY, POPULATE TOKEN, WRITE USING TOKEN.
    **dict.fromkeys([(0x35, 0), (0x91, 0), (0x41, 0), (0x93, 0)], 3600),
    **dict.fromkeys([(0x83, action) for action in (0x00, 0x01, 0x10, 0x11)], 3600),
}
NOT_SUPPORTED = "0001 0000"
READ_10 = "0003 000a 2818ffffffff00ffff04"
VERIFY_10 = "0003 000a 2f16ffffffff00ffff04"
WRITE_32 = "0003 0020 7f04000000000018 000b18 00 ffffffffffffffff 0000000000000000 ffffffff"
RSOC = "0003 000c a30c87ffffffffffffff0004"


def codes(options: int, opcode: int = 0, action: int = 0, length: int = 0xFFFF) -> str:
    return f"a30c {options:02x} {opcode:02x} {action:04x} {length:08x} 0000"


def data_of(plan: Plan) -> bytes:
    assert isinstance(plan, Reply)
    return plan.data


def test_the_luns_are_those_of_the_target(ask: Ask, unit: LogicalUnit) -> None:
    unit.fellows = dict.fromkeys([256, 0, 3], unit)
    for report in ("00", "02", "11"):
        assert data_of(ask(f"a0 00 {report} 000000 00000400")).hex() == (
            "0000001800000000000000000000000000030000000000004100000000000000"
        )


def test_of_the_luns_that_an_initiator_may_see_those_are_told_that_are_there(
    ask: Ask, unit: LogicalUnit, nexus: Nexus
) -> None:
    unit.fellows = dict.fromkeys([256, 0, 3], unit)
    nexus.view = Everything()
    nexus.view.luns = {5: 256, 1: 3, 2: 7}
    assert data_of(ask("a0 00 00 000000 00000400")).hex() == (
        "000000100000000000010000000000000005000000000000"
    )


@pytest.mark.parametrize("report", ["01", "10", "12"])
def test_no_lun_is_well_known_or_administrative(ask: Ask, report: str) -> None:
    assert ask(f"a0 00 {report} 000000 00000400") == Reply(bytes(8))


@pytest.mark.parametrize("report", ["03", "13", "ff"])
def test_another_report_of_luns_is_refused(ask: Ask, report: str) -> None:
    assert ask(f"a0 00 {report} 000000 00000400") == Failed(invalid_field(2, 7))


def test_reading_the_luns_settles_that_they_changed(ask: Ask, nexus: Nexus) -> None:
    nexus.establish(0, AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED)
    ask("a0 00 00 000000 00000400")
    assert nexus.pending == {}


@given(st.integers(0, 40))
def test_the_luns_are_cut_but_their_length_is_whole(length: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    unit.fellows = dict.fromkeys(range(3), unit)
    cdb = bytes.fromhex(f"a0 00 00 000000 {length:08x} 0000")
    data = data_of(unit.execute(cdb, Nexus("initiator", "target")))
    assert len(data) == min(length, 32)
    assert data[:4] == (24).to_bytes(4, "big")[:length]


@pytest.mark.parametrize("timeouts", [False, True])
def test_all_commands_are_listed_with_their_length(
    ask: Ask, unit: LogicalUnit, timeouts: bool
) -> None:
    unit.keeps_state = True
    data = data_of(ask(codes(ALL | RCTD * timeouts)))
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    size = 20 if timeouts else 8
    rest, listed = data[4:], []
    while rest:
        fields = COMMAND_DESCRIPTOR.decode(rest)
        assert fields["ctdp"] == timeouts
        if timeouts:
            assert rest[8:16] == b"\0\x0a" + bytes(6)
            named = fields["operation_code"], fields["service_action"]
            assert int.from_bytes(rest[16:20], "big") == RECOMMENDED_TIMEOUTS.get(named, 60)
        action = fields["service_action"] if fields["servactv"] else None
        listed.append((fields["operation_code"], action, fields["cdb_length"]))
        rest = rest[size:]
    short = [c for c in DISK if c.layout.length <= 16 and c.is_of(unit)]
    assert listed == [(c.opcode, c.service_action, c.layout.length) for c in short]


def test_what_only_thin_units_have_is_reported_by_them_alone(ask: Ask, unit: LogicalUnit) -> None:
    unmap = codes(ONE, 0x42)
    assert data_of(ask(unmap)) == bytes.fromhex(NOT_SUPPORTED)
    assert ask("42 00 00000000 00 0000 00") == Failed(INVALID_COMMAND_OPERATION_CODE)
    unit.thin = True
    assert data_of(ask(unmap))[1] == 0b011
    assert ask("42 00 00000000 00 0000 00") == Done()


@pytest.mark.parametrize(
    ("options", "opcode", "action", "answer"),
    [
        pytest.param(ONE, 0x28, 0, READ_10, id="an opcode"),
        pytest.param(ONE, 0x2F, 0, VERIFY_10, id="an opcode with a field in the middle of a byte"),
        pytest.param(ONE, 0x28, 9, READ_10, id="an opcode, whatever the service action"),
        pytest.param(ACTION, 0x7F, 0x0B, WRITE_32, id="a service action of a long CDB"),
        pytest.param(ONE, 0xFF, 0, NOT_SUPPORTED, id="an opcode that there is not"),
        pytest.param(ACTION, 0xA3, 0x0C, RSOC, id="a service action"),
        pytest.param(ACTION, 0xA3, 0x05, NOT_SUPPORTED, id="a service action that there is not"),
        pytest.param(ACTION, 0xFF, 0x05, NOT_SUPPORTED, id="neither opcode nor service action"),
        pytest.param(EITHER, 0x28, 0, READ_10, id="either: an opcode"),
        pytest.param(EITHER, 0x28, 1, NOT_SUPPORTED, id="either: no service actions"),
        pytest.param(EITHER, 0xA3, 0x0C, RSOC, id="either: a service action"),
        pytest.param(EITHER, 0xA3, 0x05, NOT_SUPPORTED, id="either: another service action"),
        pytest.param(EITHER, 0xFF, 0, NOT_SUPPORTED, id="either: nothing"),
    ],
)
def test_one_command_is_described_by_its_usage_data(
    ask: Ask, options: int, opcode: int, action: int, answer: str
) -> None:
    assert data_of(ask(codes(options, opcode, action))) == bytes.fromhex(answer)


def test_what_a_unit_lacks_is_not_reported(nexus: Nexus) -> None:
    class Small(LogicalUnit):
        commands = CommandSet(
            [attrs.evolve(command, needs=lambda unit: unit.thin) for command in DISK]
        )

    unit = Small(0, target_name="iqn.x", blocks=1)
    report = DISK.of(0xA3)[0x0C]
    layout = report.layout

    def ask(cdb: str) -> bytes:
        return data_of(report.bind(layout)(unit, bytes.fromhex(cdb), nexus))

    assert ask(codes(ALL)) == bytes(4)
    assert ask(codes(ONE, 0x28)) == bytes.fromhex(NOT_SUPPORTED)
    assert ask(codes(ACTION, 0xA3, 0x0C)) == bytes.fromhex(NOT_SUPPORTED)
    unit.thin = True
    assert ask(codes(ONE, 0x28)) == bytes.fromhex(READ_10)


def test_one_command_can_come_with_timeouts(ask: Ask) -> None:
    data = data_of(ask(codes(ONE | RCTD, 0x28)))
    assert ONE_COMMAND.decode(data)["ctdp"] == 1
    assert data[14:] == b"\0\x0a" + bytes(9) + b"\x3c"


@pytest.mark.parametrize(
    ("options", "opcode", "action", "passes"),
    [
        pytest.param(ONE, 0x04, 0, 1, id="FORMAT UNIT"),
        pytest.param(ACTION, 0x48, 0x01, 31, id="SANITIZE, OVERWRITE"),
        pytest.param(ACTION, 0x48, 0x03, 1, id="SANITIZE, CRYPTOGRAPHIC ERASE"),
        pytest.param(ACTION, 0x48, 0x1F, 0, id="SANITIZE, EXIT FAILURE MODE"),
    ],
)
def test_what_writes_all_blocks_is_given_the_time_that_its_pace_takes_of_it(
    ask: Ask, unit: LogicalUnit, options: int, opcode: int, action: int, passes: int
) -> None:
    def recommended() -> int:
        return int.from_bytes(data_of(ask(codes(options | RCTD, opcode, action)))[-4:], "big")

    assert recommended() == 86_400
    unit.blocks, unit.overhaul_rate = 2**20, 2**19
    assert recommended() == 86_400 + 1024 * passes
    unit.fellows = {0: unit, 1: unit}
    assert recommended() == 86_400 + 2048 * passes


def test_no_time_is_longer_than_its_field(ask: Ask, unit: LogicalUnit) -> None:
    unit.overhaul_rate, unit.blocks = 1, 2**40
    assert data_of(ask(codes(ONE | RCTD, 0x04)))[-4:] == b"\xff" * 4
    assert data_of(ask(codes(ONE | RCTD, 0x28)))[-4:] == b"\0\0\0\x3c"


def test_service_actions_must_be_asked_for_where_there_are_some_and_only_there(ask: Ask) -> None:
    assert ask(codes(ONE, 0xA3)) == Failed(invalid_field(3, 7))
    assert ask(codes(ACTION, 0x28)) == Failed(invalid_field(4, 7))


@pytest.mark.parametrize("options", range(4, 8))
def test_another_report_of_commands_is_refused(ask: Ask, options: int) -> None:
    assert ask(codes(options)) == Failed(invalid_field(2, 2))


@given(st.integers(0, 300))
def test_the_report_of_commands_is_cut_exactly(length: int) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    nexus = Nexus("initiator", "target")
    whole = data_of(unit.execute(bytes.fromhex(codes(ALL)), nexus))
    assert data_of(unit.execute(bytes.fromhex(codes(ALL, length=length)), nexus)) == whole[:length]


def test_task_management_functions_are_reported_short_and_long(ask: Ask) -> None:
    assert ask("a30d 00 000000 00000010 0000") == Reply(bytes.fromhex("fa000000"))
    assert ask("a30d 80 000000 00000010 0000") == Reply(bytes.fromhex("fa00000c") + bytes(12))
    assert ask("a30d 80 000000 00000006 0000") == Reply(bytes.fromhex("fa00000c0000"))


def test_functions_of_newer_transports_are_reported_where_the_nexus_has_them(
    ask: Ask, nexus: Nexus
) -> None:
    nexus.queries = True
    assert ask("a30d 00 000000 00000010 0000") == Reply(bytes.fromhex("fe070000"))


def test_task_management_functions_need_room_for_four_bytes(ask: Ask) -> None:
    assert ask("a30d 00 000000 00000003 0000") == Failed(invalid_field(6, 7))
