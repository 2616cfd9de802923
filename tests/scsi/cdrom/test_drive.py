from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import CdRom, Done, Failed, Nexus, Plan, Read, Reply, ScsiTarget
from trioscsi.scsi.cdrom.drive import CDROM
from trioscsi.scsi.complaints import INVALID_COMMAND_OPERATION_CODE, invalid_field, out_of_range
from trioscsi.scsi.inquiry.command import STANDARD

NAME = "iqn.2026-11.example:disk"


@pytest.fixture
def drive() -> CdRom:
    return CdRom(0, target_name=NAME, block_size=2048, blocks=1000, read_only=True)


def ask(drive: CdRom, nexus: Nexus, cdb: str) -> Plan:
    return drive.execute(bytes.fromhex(cdb).ljust(16, b"\0"), nexus)


def data_of(drive: CdRom, nexus: Nexus, cdb: str) -> bytes:
    plan = ask(drive, nexus, cdb)
    assert isinstance(plan, Reply)
    return plan.data


def test_it_is_a_cd_rom_whose_medium_can_be_taken_out(drive: CdRom, nexus: Nexus) -> None:
    fields = STANDARD.decode(data_of(drive, nexus, "12 00 00 0060 00"))
    assert (fields["peripheral_device_type"], fields["rmb"]) == (5, 1)
    assert fields["third_party_copy"] == 0
    assert fields["version_descriptor_4"] == 0x04E0


def test_each_page_that_is_listed_is_that_of_a_cd_rom(drive: CdRom, nexus: Nexus) -> None:
    pages = data_of(drive, nexus, "12 01 00 00ff 00")
    assert pages[0] == 5
    for code in pages[4:]:
        assert data_of(drive, nexus, f"12 01 {code:02x} 00ff 00")[:2] == bytes((5, code))
    assert not {0x8F, 0xB0, 0xB1, 0xB2} & {*pages[4:]}
    assert ask(drive, nexus, "12 01 b0 00ff 00") == Failed(invalid_field(2, 7))


def test_it_is_read_in_blocks_of_2048_bytes(drive: CdRom, nexus: Nexus) -> None:
    assert data_of(drive, nexus, "25") == bytes.fromhex("000003e7 00000800")
    assert ask(drive, nexus, "28 00 000003e7 00 0001 00") == Read(999, 1, fua=False)
    assert ask(drive, nexus, "a8 00 00000000 00000002 00 00") == Read(0, 2, fua=False)
    assert ask(drive, nexus, "28 00 000003e7 00 0002 00") == Failed(out_of_range(1000))


@pytest.mark.parametrize("opcode", ["0a", "2a", "aa", "8a", "41", "42", "04", "83", "89"])
def test_it_has_no_command_that_writes(drive: CdRom, nexus: Nexus, opcode: str) -> None:
    assert ask(drive, nexus, opcode) == Failed(INVALID_COMMAND_OPERATION_CODE)


def test_its_mode_pages_are_its_own(drive: CdRom, nexus: Nexus) -> None:
    data = data_of(drive, nexus, "5a 08 2a 00 000000 00ff 00")
    assert data[3] & 0x80
    assert data[8:10] == bytes.fromhex("2a14")
    assert len(data) == 8 + 22
    assert data[8 + 6] == 0x29
    drive.removal.prevent(nexus)
    assert data_of(drive, nexus, "5a 08 2a 00 000000 00ff 00")[8 + 6] == 0x2B
    assert ask(drive, nexus, "5a 08 08 00 000000 00ff 00") == Failed(invalid_field(2, 5))


def test_all_its_commands_are_reported(drive: CdRom, nexus: Nexus) -> None:
    data = data_of(drive, nexus, "a3 0c 00 00 0000 0000ffff 00 00")
    assert int.from_bytes(data[:4], "big") == 8 * sum(command.is_of(drive) for command in CDROM)


def test_it_lives_beside_disks(drive: CdRom, nexus: Nexus) -> None:
    target = ScsiTarget(NAME, [drive])
    assert target.execute(0, bytes(6), nexus) == Done()


@given(st.binary(min_size=1, max_size=16))
def test_any_cdb_gets_a_plan(cdb: bytes) -> None:
    drive = CdRom(0, target_name=NAME, block_size=2048, blocks=1000, read_only=True)
    drive.execute(cdb, Nexus("initiator", "port"))
