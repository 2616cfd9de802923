from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.cdbs import plain
from trioscsi.scsi import Failed, LogicalUnit, Nexus, Plan, Read
from trioscsi.scsi.cdb import cdb_layout, cdb_layout_32, is_preempt_and_abort, naca, whole
from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.plan import Refusal

LAYOUT = cdb_layout(10, {"protect": bits(1, 7, 5)}, service_action=bits(1, 4, 0), length=span(7, 8))
UNIT = LogicalUnit(
    0,
    target_name="iqn.2026-11.example:disk",
    blocks=2**64 - 1,
    thin=True,
    atomic=True,
    keeps_state=True,
)


def test_fields_are_found_by_name() -> None:
    fields = LAYOUT.decode(bytes.fromhex("a3 0c 00000000 00 0102 00"))
    assert (fields["service_action"], fields["length"]) == (0x0C, 0x0102)


def test_a_refused_value_is_pointed_at_by_the_first_bit_of_its_field() -> None:
    fields = LAYOUT.decode(bytes.fromhex("a3 0c 00000000 00 0102 00"))
    assert fields.refusal("service_action").plan == Failed(invalid_field(1, 4))
    assert fields.refusal("length").plan == Failed(invalid_field(7, 7))


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        pytest.param("a3 0c 01 000000 00 0000 00", 2, 0, id="reserved"),
        pytest.param("a3 2c 00 000000 00 0000 00", 1, 7, id="any bit of a field that is zero"),
        pytest.param("a3 2c 01 000000 00 0000 01", 1, 7, id="the first of several"),
        pytest.param("a3 0c 00 000000 00 0000 05", 9, 0, id="CONTROL but NACA"),
    ],
)
def test_a_bit_that_must_be_zero_is_refused(cdb: str, byte: int, bit: int) -> None:
    with pytest.raises(Refusal) as refusal:
        LAYOUT.decode(bytes.fromhex(cdb))
    assert refusal.value.plan == Failed(invalid_field(byte, bit))


def test_usage_data_has_the_bits_that_are_looked_at() -> None:
    assert LAYOUT.usage(0xA3, 0x0C).hex() == "a30c0000000000ffff04"
    assert LAYOUT.usage(0xA3, None).hex() == "a31f0000000000ffff04"


def test_usage_data_of_32_bytes_has_the_length_and_the_service_action_as_they_are() -> None:
    layout = cdb_layout_32({"protect": bits(10, 7, 5)}, {"tag": span(20, 23)}, fua=bits(10, 3))
    assert layout.usage(0x7F, 0x0B).hex() == "7f04000000000018000b08" + "00" * 21


def reserved_bits() -> list[tuple[bytes, int, int]]:
    """Each bit of each command that no field has: the CDB with it set, and where it is."""
    found = []
    for command in DISK:
        layout = command.layout
        control = 1 if command.opcode == 0x7F else layout.length - 1
        taken = (
            layout.record.mask(*layout.record.fields) | 0x04 << (layout.length - 1 - control) * 8
        )
        for position in range((layout.length - 1) * 8):
            if not taken >> position & 1:
                number = int.from_bytes(plain(command), "big") | 1 << position
                cdb = number.to_bytes(layout.length, "big")
                found.append((cdb, layout.length - 1 - position // 8, position % 8))
    return found


def test_any_reserved_bit_of_any_command_is_refused_and_pointed_at(nexus: Nexus) -> None:
    cases = reserved_bits()
    assert len(cases) > 500
    for cdb, byte, bit in cases:
        assert UNIT.execute(cdb, nexus) == Failed(invalid_field(byte, bit)), cdb.hex()


def test_naca_is_taken_in_every_command(nexus: Nexus) -> None:
    for command in DISK:
        cdb = bytearray(plain(command))
        control = 1 if command.opcode == 0x7F else command.layout.length - 1
        assert not naca(cdb)
        cdb[control] |= 0x04
        assert naca(cdb)
        command.layout.check(cdb)  # raises nothing
    read = bytes.fromhex("28 00 00000007 00 0001 04")
    assert UNIT.execute(read, nexus) == Read(7, 1, fua=False)


def test_where_control_is_in_a_vendors_cdb_is_not_known() -> None:
    assert not naca(b"\xff" * 16)


def test_preempt_and_abort_is_known() -> None:
    assert is_preempt_and_abort(b"\x5f\x05" + bytes(8))
    assert not is_preempt_and_abort(b"\x5f\x04" + bytes(8))
    assert not is_preempt_and_abort(b"\x5e\x05" + bytes(8))


def test_any_value_in_a_field_that_must_be_zero_is_refused(nexus: Nexus) -> None:
    for command in DISK:
        for name in command.layout.zero:
            field = command.layout.record.fields[name]
            for value in (1, 2**field.width - 1):
                cdb = plain(command, **{name: value})
                assert UNIT.execute(cdb, nexus) == Failed(invalid_field(field.byte, field.bit))


def test_what_is_in_an_ignored_field_makes_no_difference(nexus: Nexus) -> None:
    ignoring = [(c, name) for c in DISK for name in c.layout.ignored]
    assert len(ignoring) > 30
    for command, name in ignoring:
        most = 2 ** command.layout.record.fields[name].width - 1
        same = UNIT.execute(plain(command), nexus)
        assert UNIT.execute(plain(command, **{name: most}), nexus) == same
        mask = command.layout.record.mask(name)
        assert not int.from_bytes(command.usage, "big") & mask


@pytest.mark.parametrize(
    ("cdb", "byte"),
    [("", 0), ("12 00 00 00 60", 5), ("28 00 00", 3), ("a0" + "00" * 10, 11), ("88" * 15, 15)],
)
def test_a_cdb_cut_short_is_refused_where_it_ends(
    ask: Callable[[str], Plan], unit: LogicalUnit, nexus: Nexus, cdb: str, byte: int
) -> None:
    assert unit.execute(bytes.fromhex(cdb), nexus) == Failed(invalid_field(byte))


@pytest.mark.parametrize("cdb", ["00" * 6, "28" + "00" * 9, "a8" + "00" * 11, "7f", "c0"])
def test_a_whole_cdb_is_filled_up_as_on_the_wire(cdb: str) -> None:
    assert whole(bytes.fromhex(cdb)) == bytes.fromhex(cdb).ljust(16, b"\0")


@given(st.binary(max_size=260))
def test_bytes_and_memoryviews_are_taken_alike(cdb: bytes) -> None:
    def plan(cdb: bytes | memoryview) -> Plan:
        return UNIT.execute(cdb, Nexus("initiator", "target"))

    assert plan(cdb) == plan(memoryview(cdb))
