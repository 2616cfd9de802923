from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import Done, Failed, LogicalUnit, Nexus, Plan, Receive, Reply
from trioscsi.scsi.complaints import (
    COMMAND_SEQUENCE_ERROR,
    OPERATION_IN_PROGRESS,
    PARAMETER_LIST_LENGTH_ERROR,
    invalid_field,
    write_error,
)
from trioscsi.scsi.plan import Read

DATA, DESCRIPTOR, ECHO, ECHO_DESCRIPTOR, HISTORY = 0x02, 0x03, 0x0A, 0x0B, 0x1C
Ask = Callable[[str], Plan]
OTHER = Nexus("other", "target")


def read_10(mode: int, buffer: int = 0, offset: int = 0, length: int = 0xFFFFFF) -> str:
    return f"3c {mode:02x} {buffer:02x} {offset:06x} {length:06x} 00"


def read_16(mode: int, buffer: int = 0, offset: int = 0, length: int = 0xFFFFFF) -> str:
    return f"9b {mode:02x} {offset:016x} {length:08x} {buffer:02x} 00"


def write(unit: LogicalUnit, nexus: Nexus, mode: int, data: bytes, offset: int = 0) -> Plan:
    """The end of a WRITE BUFFER."""
    plan = unit.execute(bytes.fromhex(f"3b {mode:02x} 00 {offset:06x} {len(data):06x} 00"), nexus)
    if not isinstance(plan, Receive):
        return plan
    assert plan.data_out == len(data)
    return plan.received(data)


both = pytest.mark.parametrize("read", [read_10, read_16])


@both
def test_what_was_written_to_the_data_buffer_comes_back(
    ask: Ask, unit: LogicalUnit, nexus: Nexus, read: Callable[..., str]
) -> None:
    assert ask(read(DATA, length=3)) == Reply(bytes(3))
    assert write(unit, nexus, DATA, b"data", offset=65_532) == Done()
    assert ask(read(DATA, offset=65_531)) == Reply(b"\0data")
    assert ask(read(DATA, offset=65_533, length=2)) == Reply(b"at")
    assert ask(read(DATA, offset=65_536)) == Reply(b"")
    unit.reset()
    assert ask(read(DATA, offset=65_532)) == Reply(bytes(4))


@given(st.data())
def test_the_data_buffer_is_as_if_it_were_one_of_bytes(data: st.DataObject) -> None:
    unit = LogicalUnit(0, target_name="iqn.x", blocks=1)
    model = bytearray(65_536)
    places = st.integers(65_500, 65_536) | st.integers(0, 20)
    for _ in range(data.draw(st.integers(1, 5))):
        offset, piece = data.draw(places), data.draw(st.binary(max_size=30))
        if write(unit, OTHER, DATA, piece, offset) == Done():
            model[offset : offset + len(piece)] = piece
        else:
            assert offset + len(piece) > 65_536
        offset, length = data.draw(places), data.draw(st.integers(0, 60))
        cdb = bytes.fromhex(read_10(DATA, 0, offset, length))
        assert unit.execute(cdb, OTHER) == Reply(bytes(model[offset : offset + length]))


@both
def test_each_nexus_has_an_echo_of_its_own(
    ask: Ask, unit: LogicalUnit, nexus: Nexus, read: Callable[..., str]
) -> None:
    assert ask(read(ECHO)) == Failed(COMMAND_SEQUENCE_ERROR)
    assert write(unit, nexus, ECHO, b"echo") == Done()
    assert write(unit, OTHER, ECHO, b"other") == Done()
    assert ask(read(ECHO)) == Reply(b"echo")
    assert ask(read(ECHO, length=2)) == Reply(b"ec")
    unit.forget(nexus)
    assert ask(read(ECHO)) == Failed(COMMAND_SEQUENCE_ERROR)


@both
def test_the_buffers_are_described(ask: Ask, read: Callable[..., str]) -> None:
    assert ask(read(DESCRIPTOR)) == Reply(b"\0\1\0\0")
    assert ask(read(DESCRIPTOR, 1)) == Reply(bytes(4))
    assert ask(read(ECHO_DESCRIPTOR)) == Reply(b"\1\0\x10\0")
    assert ask(read(ECHO_DESCRIPTOR, length=2)) == Reply(b"\1\0")


@both
def test_the_error_history_tells_what_storage_failed(
    ask: Ask, unit: LogicalUnit, read: Callable[..., str]
) -> None:
    unit.storage_failed(Read(5, 1, fua=False), write_error())
    directory = ask(read(HISTORY, 0x01))
    assert isinstance(directory, Reply)
    line = b"0.000 Read at block 5: MEDIUM_ERROR 0Ch/00h\n"
    assert directory.data[:8] == b"TRIOSCSI"
    assert directory.data[32:].hex() == f"10000100{len(line):08x}"
    assert ask(read(HISTORY, 0x10)) == Reply(line)
    assert ask(read(HISTORY, 0x10, 6, 4)) == Reply(b"Read")
    assert unit.execute(bytes.fromhex(read(HISTORY, 0)), OTHER) == Failed(OPERATION_IN_PROGRESS)
    assert isinstance(unit.execute(bytes.fromhex(read(HISTORY, 2)), OTHER), Reply)
    assert ask(read(HISTORY, 0xFF)) == Failed(OPERATION_IN_PROGRESS)
    assert unit.execute(bytes.fromhex(read(HISTORY, 0xFE)), OTHER) == Reply(b"")
    assert ask(read(HISTORY, 0x10)) == Failed(COMMAND_SEQUENCE_ERROR)


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        pytest.param(read_10(0x00), 1, 4, id="combined header and data"),
        pytest.param(read_10(0x01), 1, 4, id="vendor specific"),
        pytest.param(read_10(0x22), 1, 7, id="mode specific"),
        pytest.param(read_10(DATA, 1), 2, 7, id="data buffer 1"),
        pytest.param(read_16(DATA, 1), 14, 7, id="data buffer 1, READ BUFFER(16)"),
        pytest.param(read_10(DATA, 0, 65_537), 3, 7, id="offset"),
        pytest.param(read_16(DATA, 0, 2**40), 2, 7, id="offset, READ BUFFER(16)"),
        pytest.param(read_10(HISTORY, 0, 1), 3, 7, id="offset in a directory"),
        pytest.param(read_10(HISTORY, 4), 2, 7, id="reserved error history"),
        pytest.param(read_10(HISTORY, 0x11), 2, 7, id="other error history"),
        pytest.param("3b 00 00 000000 000001", 1, 4, id="write combined header and data"),
        pytest.param("3b 02 01 000000 000001", 2, 7, id="write to data buffer 1"),
        pytest.param("3b 02 00 010001 000000", 3, 7, id="write beyond the data buffer"),
        pytest.param("3b 02 00 00ffff 000002", 6, 7, id="write too much data"),
        pytest.param("3b 0a 00 000000 001001", 6, 7, id="write too long an echo"),
        *(
            pytest.param(f"3b {mode:02x} 00 000000 000001", 1, 4, id=f"microcode, mode {mode:02X}h")
            for mode in (0x04, 0x05, 0x06, 0x07, 0x0D, 0x0E, 0x0F)
        ),
    ],
)
def test_what_there_is_not_is_refused_by_its_field(ask: Ask, cdb: str, byte: int, bit: int) -> None:
    assert ask(cdb) == Failed(invalid_field(byte, bit))


def test_an_offset_beyond_the_error_history_is_refused(ask: Ask) -> None:
    ask(read_10(HISTORY))
    assert ask(read_10(HISTORY, 0x10, 0)) == Reply(b"")
    assert ask(read_10(HISTORY, 0x10, 1)) == Failed(invalid_field(3, 7))


@pytest.mark.parametrize("mode", [DATA, ECHO])
def test_data_that_did_not_all_come_are_not_written(ask: Ask, mode: int) -> None:
    plan = ask(f"3b {mode:02x} 00 000000 000004")
    assert isinstance(plan, Receive)
    assert plan.received(b"abc") == Failed(PARAMETER_LIST_LENGTH_ERROR)
    assert ask(read_10(DATA, length=3)) == Reply(bytes(3))


def test_no_data_are_no_error(ask: Ask) -> None:
    assert ask("3b 02 00 000000 000000") == Done()
