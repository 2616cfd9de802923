"""The table specs/scsi/cdrom.toml equals the code, both ways."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from trioscsi.scsi.cdrom import discs, tray
from trioscsi.scsi.cdrom.drive import CDROM
from trioscsi.scsi.command import Command
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.layout import Layout

TABLE = tomllib.loads((Path(__file__).parents[2] / "specs" / "scsi" / "cdrom.toml").read_text())

RECORDS: dict[str, Layout] = {
    "Table of contents header": discs.TOC_HEADER,
    "Track": discs.TRACK,
    "Full table of contents entry": discs.FULL_TOC_ENTRY,
    "Disc information": discs.DISC_INFORMATION,
    "Features header": discs.FEATURES_HEADER,
    "Feature": discs.FEATURE,
    "Mechanism status": discs.MECHANISM_STATUS,
    "Event header": tray.EVENT_HEADER,
    "Media event": tray.MEDIA_EVENT,
}


def fields(record: Layout) -> dict[str, list[int]]:
    return {name: [field.byte, field.bit, field.width] for name, field in record.fields.items()}


def code(command: Command) -> str:
    action = "" if command.service_action is None else f"/{command.service_action:02X}"
    return f"{command.opcode:02X}{action}"


def row(command: Command) -> dict[str, Any]:
    return {
        "opcode": command.opcode,
        "name": command.name,
        "length": command.layout.length,
        "medium": command.medium,
        "access": command.access.name.lower(),
        "fields": fields(command.layout.record),
    }


def test_the_commands_are_those_of_disks_and_its_own() -> None:
    of_disks = {code(command): command for command in DISK}
    shared = [command for command in CDROM if of_disks.get(code(command)) is command]
    assert [code(command) for command in shared] == TABLE["disk"]
    assert [row(command) for command in CDROM if command not in shared] == [
        {key: value for key, value in row.items() if key != "standard"} for row in TABLE["command"]
    ]


def test_every_record_has_the_fields_of_its_row() -> None:
    assert {name: (record.length, fields(record)) for name, record in RECORDS.items()} == {
        row["name"]: (row["length"], row["fields"]) for row in TABLE["record"]
    }


def test_the_mode_page_is_that_of_the_table() -> None:
    page = discs.CAPABILITIES
    (found,) = TABLE["page"]
    assert (found["name"], found["code"], found["length"]) == (
        page.name,
        page.key[0],
        page.layout.length,
    )
    assert found["fields"] == fields(page.layout)
