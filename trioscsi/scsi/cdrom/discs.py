"""What a disc and its drive are: READ TOC, READ DISC INFORMATION and others (MMC-6 section 6).

The disc has one session of one track of data, and is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.modes.page import fixed, mode_page
from trioscsi.scsi.plan import Reply

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

LEAD_OUT = 0xAA
_DATA_TRACK = 0x14
"""ADR and CONTROL of a track of data."""
_FIRST_FRAME = 150
"""Frames before the first block: two seconds."""
_FRAMES, _SECONDS, _MINUTES = 75, 60, 256

CD_CAPACITY = 90 * _SECONDS * _FRAMES
"""The blocks of the largest CD; a larger disc is a DVD."""
NO_PROFILE, CD_ROM, DVD_ROM = 0x0000, 0x0008, 0x0010

TOC_HEADER = layout(4, toc_data_length=span(0, 1), first=span(2), last=span(3))
TRACK = layout(8, adr_control=span(1), track_number=span(2), start=span(4, 7))
FULL_TOC_ENTRY = layout(
    11,
    session_number=span(0),
    adr_control=span(1),
    point=span(3),
    pmin=span(8),
    psec=span(9),
    pframe=span(10),
)
DISC_INFORMATION = layout(
    34,
    disc_information_length=span(0, 1),
    state_of_last_session=bits(2, 3, 2),
    disc_status=bits(2, 1, 0),
    first_track_number=span(3),
    number_of_sessions=span(4),
    first_track_of_last_session=span(5),
    last_track_of_last_session=span(6),
    uru=bits(7, 5),
    disc_type=span(8),
    last_session_lead_in_start=span(16, 19),
    last_possible_lead_out_start=span(20, 23),
)
_COMPLETE_SESSION, _COMPLETE_DISC = 0b11, 0b10
FEATURES_HEADER = layout(8, data_length=span(0, 3), current_profile=span(6, 7))
FEATURE = layout(
    4,
    feature_code=span(0, 1),
    version=bits(2, 5, 2),
    persistent=bits(2, 1),
    current=bits(2, 0),
    additional_length=span(3),
)
MECHANISM_STATUS = layout(8, door_open=bits(1, 4), current_lba=span(2, 4))

CAPABILITIES = mode_page(
    0x2A,
    "CD/DVD Capabilities and Mechanical Status",
    22,
    dvd_rom_read=fixed(bits(2, 3), 1),
    multi_session=fixed(bits(4, 6), 1),
    mode_2_form_2=fixed(bits(4, 5), 1),
    mode_2_form_1=fixed(bits(4, 4), 1),
    loading_mechanism_type=fixed(bits(6, 7, 5), 0b001),
    eject=fixed(bits(6, 3), 1),
    lock_state=fixed(bits(6, 1), lambda unit: unit.removal.prevented),
    lock=fixed(bits(6, 0), 1),
    maximum_read_speed=fixed(span(8, 9), 0xFFFF),
    buffer_size=fixed(span(12, 13), 2048),
    current_read_speed=fixed(span(14, 15), 0xFFFF),
)


def _frames(lba: int) -> tuple[int, int, int]:
    """Minutes, seconds and frames of a block; of one too far away, the largest that there are."""
    seconds, frame = divmod(lba + _FIRST_FRAME, _FRAMES)
    minutes, second = divmod(seconds, _SECONDS)
    if minutes >= _MINUTES:
        return _MINUTES - 1, _SECONDS - 1, _FRAMES - 1
    return minutes, second, frame


def _place(lba: int, *, msf: int) -> int:
    """A start address: a block, or minutes, seconds and frames."""
    return int.from_bytes(bytes((0, *_frames(lba))), "big") if msf else min(lba, 0xFFFFFFFF)


@decoded
def read_toc(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ TOC/PMA/ATIP; older initiators say in the CONTROL byte which format they want."""
    match cdb["format"] or cdb["old_format"]:
        case 0b0000:
            entries = _tracks(unit, cdb)
        case 0b0001:
            entries = _track(1, 0, cdb)
        case 0b0010:
            entries = _full_toc(unit)
        case _:
            raise cdb.refusal("format")
    head = TOC_HEADER.encode(toc_data_length=2 + len(entries), first=1, last=1)
    return Reply((head + entries)[: cdb["allocation_length"]])


def _tracks(unit: LogicalUnit, cdb: Cdb) -> bytes:
    """The tracks from one on, and the lead-out."""
    first = cdb["track_or_session_number"]
    if first > 1 and first != LEAD_OUT:
        raise cdb.refusal("track_or_session_number")
    lead_out = _track(LEAD_OUT, unit.blocks, cdb)
    return lead_out if first == LEAD_OUT else _track(1, 0, cdb) + lead_out


def _track(number: int, lba: int, cdb: Cdb) -> bytes:
    return TRACK.encode(
        adr_control=_DATA_TRACK, track_number=number, start=_place(lba, msf=cdb["msf"])
    )


def _full_toc(unit: LogicalUnit) -> bytes:
    """What the lead-in says: the first and the last track, the lead-out, and the track."""
    places = ((0xA0, (1, 0, 0)), (0xA1, (1, 0, 0)), (0xA2, _frames(unit.blocks)), (1, _frames(0)))
    return b"".join(
        FULL_TOC_ENTRY.encode(
            session_number=1,
            adr_control=_DATA_TRACK,
            point=point,
            pmin=minute,
            psec=second,
            pframe=frame,
        )
        for point, (minute, second, frame) in places
    )


@decoded
def read_disc_information(_unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """READ DISC INFORMATION, of the standard kind."""
    if cdb["data_type"]:
        raise cdb.refusal("data_type")
    data = DISC_INFORMATION.encode(
        disc_information_length=DISC_INFORMATION.length - 2,
        state_of_last_session=_COMPLETE_SESSION,
        disc_status=_COMPLETE_DISC,
        first_track_number=1,
        number_of_sessions=1,
        first_track_of_last_session=1,
        last_track_of_last_session=1,
        uru=1,
        last_session_lead_in_start=0xFFFFFFFF,
        last_possible_lead_out_start=0xFFFFFFFF,
    )
    return Reply(data[: cdb["allocation_length"]])


def profile(unit: LogicalUnit) -> int:
    """What kind of disc is in the drive."""
    if unit.tray.open:
        return NO_PROFILE
    return CD_ROM if unit.blocks <= CD_CAPACITY else DVD_ROM


def _features(unit: LogicalUnit) -> dict[int, tuple[int, bool, bool, bytes]]:
    """By code: the version of each feature, whether it is always there, and now, and its data."""
    now = profile(unit)
    profiles = b"".join(
        code.to_bytes(2, "big") + bytes((code == now, 0)) for code in (DVD_ROM, CD_ROM)
    )
    readable = unit.block_size.to_bytes(4, "big") + bytes((0, 1, 0, 0))
    return {
        0x0000: (0, True, True, profiles),
        0x0001: (2, True, True, bytes.fromhex("00000001 01 000000")),  # SCSI; DBE
        0x0002: (1, True, True, bytes.fromhex("02 000000")),  # changes are polled
        0x0003: (0, True, True, bytes.fromhex("29 000000")),  # a tray that is ejected and locked
        0x0010: (0, False, now != NO_PROFILE, readable),
        0x001E: (2, False, now == CD_ROM, bytes(4)),
        0x001F: (0, False, now == DVD_ROM, b""),
        0x0100: (0, True, True, b""),
    }


@decoded
def get_configuration(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """GET CONFIGURATION: the features, all of them, those of now, or one."""
    first, wanted = cdb["starting_feature_number"], cdb["rt"]
    if wanted == 0b11:
        raise cdb.refusal("rt")
    found = b""
    for code, (version, persistent, current, data) in _features(unit).items():
        if code < first or (wanted == 0b01 and not current) or (wanted == 0b10 and code != first):
            continue
        found += FEATURE.encode(
            feature_code=code,
            version=version,
            persistent=persistent,
            current=current,
            additional_length=len(data),
        )
        found += data
    head = FEATURES_HEADER.encode(
        data_length=FEATURES_HEADER.length - 4 + len(found), current_profile=profile(unit)
    )
    return Reply((head + found)[: cdb["allocation_length"]])


@decoded
def mechanism_status(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """MECHANISM STATUS: a drive without a changer."""
    data = MECHANISM_STATUS.encode(door_open=unit.tray.open)
    return Reply(data[: cdb["allocation_length"]])


COMMANDS = (
    Command(
        0x43,
        "READ TOC/PMA/ATIP",
        cdb_layout(
            10,
            msf=bits(1, 1),
            format=bits(2, 3, 0),
            track_or_session_number=span(6),
            allocation_length=span(7, 8),
            old_format=bits(9, 7, 6),
        ),
        read_toc,
        medium=True,
        access=Access.READ,
    ),
    Command(
        0x46,
        "GET CONFIGURATION",
        cdb_layout(
            10, rt=bits(1, 1, 0), starting_feature_number=span(2, 3), allocation_length=span(7, 8)
        ),
        get_configuration,
        attention=False,
        access=Access.ALWAYS,
    ),
    Command(
        0x51,
        "READ DISC INFORMATION",
        cdb_layout(10, data_type=bits(1, 2, 0), allocation_length=span(7, 8)),
        read_disc_information,
        medium=True,
        access=Access.READ,
    ),
    Command(
        0xBD,
        "MECHANISM STATUS",
        cdb_layout(12, allocation_length=span(8, 9)),
        mechanism_status,
        access=Access.READ,
    ),
)
