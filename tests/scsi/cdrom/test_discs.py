from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import CdRom, Failed, Nexus, Plan, Reply
from trioscsi.scsi.cdrom.discs import CD_CAPACITY
from trioscsi.scsi.complaints import invalid_field

NAME = "iqn.2026-11.example:disk"


def ask(nexus: Nexus, cdb: str, blocks: int = 1000) -> Plan:
    drive = CdRom(0, target_name=NAME, block_size=2048, blocks=blocks, read_only=True)
    return drive.execute(bytes.fromhex(cdb).ljust(16, b"\0"), nexus)


def data_of(nexus: Nexus, cdb: str, blocks: int = 1000) -> bytes:
    plan = ask(nexus, cdb, blocks)
    assert isinstance(plan, Reply)
    return plan.data


TRACK_1, LEAD_OUT = "00140100 00000000", "0014aa00 000003e8"


def test_there_is_one_track_and_where_it_ends(nexus: Nexus) -> None:
    for first in ("00", "01"):
        assert data_of(nexus, f"43 00 00 000000 {first} 00ff 00") == bytes.fromhex(
            "0012 01 01" + TRACK_1 + LEAD_OUT
        )
    assert data_of(nexus, "43 00 00 000000 aa 00ff 00") == bytes.fromhex("000a 01 01" + LEAD_OUT)
    assert data_of(nexus, "43 00 00 000000 00 0004 00") == bytes.fromhex("0012 01 01")


def test_places_may_be_minutes_seconds_and_frames(nexus: Nexus) -> None:
    assert data_of(nexus, "43 02 00 000000 00 00ff 00") == bytes.fromhex(
        "0012 01 01 00140100 00000200 0014aa00 00000f19"
    )


@pytest.mark.parametrize("track", ["02", "a9", "ab", "ff"])
def test_a_track_that_is_not_there_is_refused(nexus: Nexus, track: str) -> None:
    assert ask(nexus, f"43 00 00 000000 {track} 00ff 00") == Failed(invalid_field(6, 7))


@pytest.mark.parametrize("cdb", ["43 00 01 000000 00 00ff 00", "43 00 00 000000 00 00ff 40"])
def test_there_is_one_session_in_both_ways_to_ask(nexus: Nexus, cdb: str) -> None:
    assert data_of(nexus, cdb) == bytes.fromhex("000a 01 01" + TRACK_1)


def test_the_lead_in_says_the_same(nexus: Nexus) -> None:
    assert data_of(nexus, "43 02 02 000000 00 00ff 00") == bytes.fromhex(
        "002e 01 01"
        "01 14 00 a0 000000 00 01 00 00"
        "01 14 00 a1 000000 00 01 00 00"
        "01 14 00 a2 000000 00 00 0f 19"
        "01 14 00 01 000000 00 00 02 00"
    )


@pytest.mark.parametrize("kind", ["03", "04", "05", "0f"])
def test_a_format_of_discs_that_are_written_is_refused(nexus: Nexus, kind: str) -> None:
    assert ask(nexus, f"43 00 {kind} 000000 00 00ff 00") == Failed(invalid_field(2, 3))


def test_a_place_beyond_all_minutes_is_the_last_that_there_is(nexus: Nexus) -> None:
    data = data_of(nexus, "43 02 00 000000 aa 00ff 00", blocks=2**40)
    assert data[8:] == bytes((0, 255, 59, 74))
    data = data_of(nexus, "43 00 00 000000 aa 00ff 00", blocks=2**40)
    assert data[8:] == b"\xff" * 4


def test_the_disc_is_complete(nexus: Nexus) -> None:
    data = data_of(nexus, "51 00 00000000 00 00ff 00")
    assert data == bytes.fromhex("0020 0e 01 01 01 01 20" + "00" * 8 + "ff" * 8 + "00" * 10)
    assert ask(nexus, "51 01 00000000 00 00ff 00") == Failed(invalid_field(1, 2))


def features(data: bytes) -> dict[int, tuple[int, bytes]]:
    """The flags and the data of each feature by its code."""
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    found, rest = {}, data[8:]
    while rest:
        end = 4 + rest[3]
        found[int.from_bytes(rest[:2], "big")] = (rest[2] & 3, rest[4:end])
        rest = rest[end:]
    return found


@pytest.mark.parametrize(
    ("blocks", "profile", "current"),
    [(CD_CAPACITY, 0x08, 0x1E), (CD_CAPACITY + 1, 0x10, 0x1F)],
)
def test_a_small_disc_is_a_cd_and_a_large_one_a_dvd(
    nexus: Nexus, blocks: int, profile: int, current: int
) -> None:
    data = data_of(nexus, "46 00 0000 000000 00ff 00", blocks)
    assert int.from_bytes(data[6:8], "big") == profile
    found = features(data)
    assert list(found) == [0x00, 0x01, 0x02, 0x03, 0x10, 0x1E, 0x1F, 0x100]
    assert [code for code in (0x1E, 0x1F) if found[code][0] & 1] == [current]
    assert found[0x10] == (1, bytes.fromhex("00000800 0001 00 00"))
    assert found[0x00][1] == bytes((0, 0x10, profile == 0x10, 0, 0, 8, profile == 8, 0))
    assert all(len(content) % 4 == 0 for _, content in found.values())


def test_features_can_be_asked_for(nexus: Nexus) -> None:
    assert list(features(data_of(nexus, "46 01 0002 000000 00ff 00"))) == [
        0x02,
        0x03,
        0x10,
        0x1E,
        0x100,
    ]
    assert list(features(data_of(nexus, "46 02 001f 000000 00ff 00"))) == [0x1F]
    assert list(features(data_of(nexus, "46 02 0004 000000 00ff 00"))) == []
    assert ask(nexus, "46 03 0000 000000 00ff 00") == Failed(invalid_field(1, 1))
    assert len(data_of(nexus, "46 00 0000 000000 0008 00")) == 8


def test_an_open_tray_has_no_profile(nexus: Nexus) -> None:
    drive = CdRom(0, target_name=NAME, block_size=2048, blocks=1000, read_only=True)
    drive.tray.move(out=True)
    plan = drive.execute(bytes.fromhex("46 00 0000 000000 00ff 00").ljust(16, b"\0"), nexus)
    assert isinstance(plan, Reply)
    assert plan.data[6:8] == b"\0\0"
    assert features(plan.data)[0x10][0] == 0
    plan = drive.execute(bytes.fromhex("bd 00 000000000000 0008 00 00").ljust(16, b"\0"), nexus)
    assert plan == Reply(bytes.fromhex("00 10 000000000000"))


def test_the_drive_is_idle(nexus: Nexus) -> None:
    assert data_of(nexus, "bd 00 000000000000 0008 00 00") == bytes(8)


@given(st.sampled_from([0x43, 0x46, 0x4A, 0x51, 0xBD]), st.binary(min_size=11, max_size=11))
def test_any_fields_get_an_answer(opcode: int, rest: bytes) -> None:
    drive = CdRom(0, target_name=NAME, block_size=2048, blocks=1000, read_only=True)
    plan = drive.execute(bytes((opcode,)) + rest + bytes(4), Nexus("initiator", "port"))
    assert isinstance(plan, Reply | Failed)
