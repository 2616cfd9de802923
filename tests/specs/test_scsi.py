"""The tables in specs/scsi equal the code, both ways."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from trioscsi.scsi import (
    AdditionalSense,
    LogicalUnit,
    SenseKey,
    identifying,
    ports,
    power,
    supported,
    timestamp,
)
from trioscsi.scsi import sense as sense_data
from trioscsi.scsi.blocks import capacity, defects, provisioning, referrals
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.inquiry import abilities, designation
from trioscsi.scsi.inquiry import command as inquiry
from trioscsi.scsi.inquiry import vpd as pages
from trioscsi.scsi.layout import Layout
from trioscsi.scsi.logs import page as log
from trioscsi.scsi.logs import pages as log_pages
from trioscsi.scsi.modes import pages as mode_pages
from trioscsi.scsi.modes import sense as modes
from trioscsi.scsi.upkeep import buffers, diagnostics, formatting, history, sanitize, self_test
from trioscsi.teaching import opcodes

SPECS = Path(__file__).parents[2] / "specs" / "scsi"


def load(name: str) -> dict[str, Any]:
    return tomllib.loads((SPECS / f"{name}.toml").read_text())


OPCODES, SENSE = load("opcodes"), load("sense")
VPD, MODES, ALUA, LOG, SERVICE = map(load, ("vpd", "modes", "alua", "log", "service"))
MEDIUM = load("medium")

RECORDS = {
    "Standard INQUIRY data": inquiry.STANDARD,
    "VPD page header": pages.HEADER,
    "Designation descriptor": designation.DESIGNATOR,
    "Extended INQUIRY Data": abilities.EXTENDED_INQUIRY_PAGE,
    "Mode page policy descriptor": abilities.MODE_PAGE_POLICY,
    "SCSI port designation descriptor": abilities.PORT_DESCRIPTOR,
    "Power Condition": power.POWER_CONDITION_PAGE,
    "Timestamp parameter data": timestamp.REPORTED,
    "Timestamp parameter list": timestamp.TO_SET,
    "Identifying information": identifying.HEADER,
    "Identifying information supported": identifying.SUPPORTED,
    "Block Limits": pages.BLOCK_LIMITS_PAGE,
    "Block Device Characteristics": pages.CHARACTERISTICS_PAGE,
    "Logical Block Provisioning": pages.PROVISIONING_PAGE,
    "READ CAPACITY(10) data": capacity.CAPACITY_10,
    "READ CAPACITY(16) data": capacity.CAPACITY_16,
    "Command descriptor": supported.COMMAND_DESCRIPTOR,
    "One command": supported.ONE_COMMAND,
    "Command timeouts descriptor": supported.TIMEOUTS_DESCRIPTOR,
    "Task management functions": supported.TASK_FUNCTIONS,
    "REPORT TARGET PORT GROUPS header": ports.LENGTH_ONLY_HEADER,
    "REPORT TARGET PORT GROUPS extended header": ports.EXTENDED_HEADER,
    "Target port group descriptor": ports.GROUP_DESCRIPTOR,
    "Target port descriptor": ports.PORT_DESCRIPTOR,
    "Set target port group descriptor": ports.SET_DESCRIPTOR,
    "Mode parameter header(6)": modes.HEADER_6,
    "Mode parameter header(10)": modes.HEADER_10,
    "Short LBA mode parameter block descriptor": modes.SHORT_DESCRIPTOR,
    "Long LBA mode parameter block descriptor": modes.LONG_DESCRIPTOR,
    "Log page header": log.PAGE_HEADER,
    "Log parameter header": log.PARAMETER_HEADER,
    "Temperature log parameter": log_pages.TEMPERATURE,
    "LBA mapping resource count log parameter": log_pages.RESOURCE_COUNT,
    "Background scan status log parameter": log_pages.BACKGROUND_SCAN_STATUS,
    "General access statistics and performance log parameter": log_pages.STATISTICS,
    "Time interval log parameter": log_pages.TIME_INTERVAL,
    "Informational exceptions log parameter": log_pages.INFORMATIONAL_EXCEPTIONS,
    "Self-test results log parameter": self_test.RESULT,
    "READ BUFFER descriptor": buffers.DESCRIPTOR,
    "Echo buffer descriptor": buffers.ECHO_DESCRIPTOR,
    "Error history directory": history.DIRECTORY,
    "Error history directory entry": history.ENTRY,
    "Diagnostic page header": diagnostics.PAGE_HEADER,
    "Translate Address diagnostic page": diagnostics.TRANSLATE_ADDRESS,
    "UNMAP parameter list header": provisioning.UNMAP_HEADER,
    "UNMAP block descriptor": provisioning.UNMAP_DESCRIPTOR,
    "GET LBA STATUS data header": provisioning.LBA_STATUS_HEADER,
    "LBA status descriptor": provisioning.LBA_STATUS_DESCRIPTOR,
    "READ DEFECT DATA(10) header": defects.DEFECT_DATA_10,
    "READ DEFECT DATA(12) header": defects.DEFECT_DATA_12,
    "REASSIGN BLOCKS short header": defects.SHORT_REASSIGN_HEADER,
    "REASSIGN BLOCKS long header": defects.LONG_REASSIGN_HEADER,
    "FORMAT UNIT short header": formatting.SHORT_HEADER,
    "FORMAT UNIT long header": formatting.LONG_HEADER,
    "Initialization pattern descriptor": formatting.INITIALIZATION,
    "SANITIZE overwrite header": sanitize.OVERWRITE,
    "Referrals VPD page": referrals.REFERRALS_PAGE,
    "REPORT REFERRALS header": referrals.REFERRALS_HEADER,
    "User data segment referral descriptor": referrals.SEGMENT,
    "Target port group descriptor of a referral": referrals.PORT_GROUP,
}


def fields(layout: Layout) -> dict[str, list[int]]:
    return {name: [f.byte, f.bit, f.width] for name, f in layout.fields.items()}


def test_the_page_of_the_commands_is_made_of_the_table() -> None:
    # If this fails: trioscsi opcodes --write, and look at what has changed.
    assert opcodes.is_current(SPECS)


def test_the_commands_are_those_of_the_table_in_its_order() -> None:
    coded = [
        (c.opcode, c.service_action, c.name, c.layout.length, c.medium, c.access.name.lower())
        for c in DISK
    ]
    rows = OPCODES["command"]
    assert coded == [
        (
            row["opcode"],
            row.get("service_action"),
            *(row[key] for key in ("name", "length", "medium", "access")),
        )
        for row in rows
    ]


@pytest.mark.parametrize(
    ("command", "row"),
    list(zip(DISK, OPCODES["command"], strict=True)),
    ids=[command.name for command in DISK],
)
def test_each_cdb_has_the_fields_of_its_row(command: Any, row: dict[str, Any]) -> None:
    zero, ignored = row.get("zero", {}), row.get("ignored", {})
    assert fields(command.layout.record) == row["fields"] | zero | ignored
    assert command.layout.zero == zero.keys()
    assert command.layout.ignored == ignored.keys()


def test_the_sense_keys_and_codes_are_those_of_the_table() -> None:
    assert {key.name: key.value for key in SenseKey} == SENSE["keys"]
    assert {code.name: code.value for code in AdditionalSense} == SENSE["codes"]


def test_fixed_sense_has_the_fields_of_the_table() -> None:
    assert fields(sense_data.FIXED) == SENSE["fixed"]["fields"]
    assert sense_data.FIXED.length == SENSE["fixed"]["length"]


def test_the_vpd_pages_are_those_of_the_table() -> None:
    assert [f"{code:02X}" for code in pages.PAGES] == list(VPD["pages"])


def test_every_record_has_the_fields_of_its_row() -> None:
    tables = (VPD, MODES, ALUA, LOG, SERVICE, MEDIUM)
    rows = {row["name"]: row for table in tables for row in table["record"]}
    assert {name: fields(layout) for name, layout in RECORDS.items()} == {
        name: row["fields"] for name, row in rows.items()
    }
    assert {name: layout.length for name, layout in RECORDS.items()} == {
        name: row["length"] for name, row in rows.items()
    }


def test_the_mode_pages_are_those_of_the_table() -> None:
    unit = LogicalUnit(0, target_name="iqn.2026-11.example:disk", blocks=2**21)
    assert {
        page.key: (
            page.name,
            page.layout.length,
            fields(page.layout),
            {name: value for name, value in page.defaults(unit).items() if value},
            {
                name: "any" if isinstance(each.takes, range) else [*each.takes]
                for name, each in page.settings.items()
                if each.takes
            },
        )
        for page in mode_pages.DISK_PAGES.values()
    } == {
        (row["code"], row.get("subpage", 0)): tuple(
            row[key] for key in ("name", "length", "fields", "default", "changeable")
        )
        for row in MODES["page"]
    }


def test_the_access_states_are_those_of_the_table() -> None:
    assert [(state.label, state.value) for state in ports.AccessState] == [
        (row["name"], row["code"]) for row in ALUA["state"]
    ]
    refusing = {row["name"]: row for row in ALUA["state"] if "passes" in row}
    assert {
        state.label: (AdditionalSense(sense.code).name, sense.key)
        for state, sense in ports.REFUSALS.items()
    } == {name: (row["sense"], SenseKey.NOT_READY) for name, row in refusing.items()}
    assert {state.label: {*map(row_of, passing)} for state, passing in ports.PASSING.items()} == {
        name: {*row["passes"]} for name, row in refusing.items()
    }


def row_of(command: tuple[int, int | None]) -> str:
    opcode, action = command
    return f"{opcode:02X}" if action is None else f"{opcode:02X}/{action:02X}"


def test_the_log_pages_and_their_parameters_are_those_of_the_table() -> None:
    unit = LogicalUnit(0, target_name="iqn.2026-11.example:disk", blocks=1)
    assert {
        f"{page.code:02X}": [page.name, *(each.code for each in page.parameters(unit))]
        for page in log_pages.PAGES
    } == LOG["pages"]
    assert [page.code for page in log_pages.PAGES] == sorted(page.code for page in log_pages.PAGES)


@pytest.mark.parametrize(
    "record",
    [
        *RECORDS.values(),
        *(c.layout.record for c in DISK),
        *(page.layout for page in mode_pages.DISK_PAGES.values()),
    ],
)
def test_no_two_fields_of_a_record_overlap_and_all_lie_in_it(record: Layout) -> None:
    masks = [record.mask(name) for name in record.fields]
    together = 0
    for mask in masks:
        assert not together & mask
        together |= mask
    assert together < 1 << record.length * 8
