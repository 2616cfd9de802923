"""What a device supports: REPORT LUNS and the two REPORT SUPPORTED commands (SPC-4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi import lun
from trioscsi.scsi.cdb import WIRE_LENGTH, Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Reply

if TYPE_CHECKING:
    from collections.abc import Collection

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

COMMAND_DESCRIPTOR = layout(
    8,
    operation_code=span(0),
    service_action=span(2, 3),
    ctdp=bits(5, 1),
    servactv=bits(5, 0),
    cdb_length=span(6, 7),
)
ONE_COMMAND = layout(4, ctdp=bits(1, 7), support=bits(1, 2, 0), cdb_size=span(2, 3))
TIMEOUTS_DESCRIPTOR = layout(
    12,
    descriptor_length=span(0, 1),
    command_specific=span(3),
    nominal_command_processing_timeout=span(4, 7),
    recommended_command_timeout=span(8, 11),
)
TASK_FUNCTIONS = layout(
    16,
    ats=bits(0, 7),
    atss=bits(0, 6),
    cacas=bits(0, 5),
    ctss=bits(0, 4),
    lurs=bits(0, 3),
    qts=bits(0, 2),
    trs=bits(0, 1),
    qaes=bits(1, 2),
    qtss=bits(1, 1),
    itnrs=bits(1, 0),
    additional_data_length=span(3),
    tmftmov=bits(4, 0),
    task_management_functions_timeout=span(8, 11),
)

_NOT_SUPPORTED, _AS_THE_STANDARD_SAYS = 0b001, 0b011


@decoded
def report_luns(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """REPORT LUNS (SPC-4 section 6.33) to a unit that is there."""
    return luns(unit.luns, cdb, nexus)


def luns(numbers: Collection[int], cdb: Cdb, nexus: Nexus) -> Plan:
    """The LUNs in answer to REPORT LUNS; ``numbers`` are those of the units that are there.

    None is well known, none is an administrative one: of the six kinds of report, three are
    empty. Whoever has read the list needs no attention about it (SAM-5 section 5.14).
    """
    seen = nexus.view.luns
    if seen is not None:
        numbers = [number for number, unit in seen.items() if unit in numbers]
    match cdb["select_report"]:
        case 0x00 | 0x02 | 0x11:
            listed = sorted(numbers)
        case 0x01 | 0x10 | 0x12:
            listed = []
        case _:
            raise cdb.refusal("select_report")
    nexus.forget_luns_changed()
    entries = b"".join(lun.encode(number).to_bytes(8, "big") for number in listed)
    data = len(entries).to_bytes(4, "big") + bytes(4) + entries
    return Reply(data[: cdb["allocation_length"]])


@decoded
def report_supported_operation_codes(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REPORT SUPPORTED OPERATION CODES (SPC-4 section 6.35)."""
    timeouts = bool(cdb["rctd"])
    if cdb["reporting_options"] == 0b000:
        data = _all_commands(unit, timeouts=timeouts)
    else:
        data = _one_command(unit, _asked_for(unit, cdb), timeouts=timeouts)
    return Reply(data[: cdb["allocation_length"]])


def _asked_for(unit: LogicalUnit, cdb: Cdb) -> Command | None:
    """The command that a report about one command is about, or None if we do not have it."""
    of_opcode = unit.commands.of(cdb["requested_operation_code"])
    commands = {action: command for action, command in of_opcode.items() if command.is_of(unit)}
    action = cdb["requested_service_action"]
    plain = commands.get(None)
    match cdb["reporting_options"]:
        case 0b001:
            if commands and plain is None:
                raise cdb.refusal("requested_operation_code")
            return plain
        case 0b010:
            if plain is not None:
                raise cdb.refusal("requested_service_action")
            return commands.get(action)
        case 0b011:
            return commands.get(action) if plain is None or action else plain
        case _:
            raise cdb.refusal("reporting_options")


def _all_commands(unit: LogicalUnit, *, timeouts: bool) -> bytes:
    # Initiators have room for the usage data of 16 bytes and ask for it of all that is listed:
    # longer CDBs are described to those who ask for one.
    descriptors = b"".join(
        COMMAND_DESCRIPTOR.encode(
            operation_code=command.opcode,
            service_action=command.service_action or 0,
            ctdp=timeouts,
            servactv=command.service_action is not None,
            cdb_length=command.layout.length,
        )
        + _timeouts(unit, command, present=timeouts)
        for command in unit.commands
        if command.is_of(unit) and command.layout.length <= WIRE_LENGTH
    )
    return len(descriptors).to_bytes(4, "big") + descriptors


def _one_command(unit: LogicalUnit, command: Command | None, *, timeouts: bool) -> bytes:
    if command is None:
        return ONE_COMMAND.encode(support=_NOT_SUPPORTED)
    head = ONE_COMMAND.encode(
        ctdp=timeouts, support=_AS_THE_STANDARD_SAYS, cdb_size=command.layout.length
    )
    return head + command.usage + _timeouts(unit, command, present=timeouts)


def _timeouts(unit: LogicalUnit, command: Command, *, present: bool) -> bytes:
    """A timeouts descriptor. How long a command usually takes depends on storage we do not know."""
    if not present:
        return b""
    return TIMEOUTS_DESCRIPTOR.encode(
        descriptor_length=TIMEOUTS_DESCRIPTOR.length - 2,
        recommended_command_timeout=min(command.timeout + _paced(unit, command), 2**32 - 1),
    )


def _paced(unit: LogicalUnit, command: Command) -> int:
    """The seconds that a command takes at the pace for work on all blocks, if there is one.

    The units of a target share it: all of them may be worked on.
    """
    if unit.overhaul_rate is None:
        return 0
    together = sum(each.blocks * each.block_size for each in unit.fellows.values())
    return -(-command.passes * together // unit.overhaul_rate)


@decoded
def report_supported_task_management_functions(_unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 section 6.36)."""
    if cdb["allocation_length"] < 4:
        raise cdb.refusal("allocation_length")
    extended = cdb["repd"]
    data = TASK_FUNCTIONS.encode(
        ats=1,
        atss=1,
        ctss=1,
        cacas=1,
        lurs=1,
        trs=1,
        **dict.fromkeys(("qts", "qtss", "qaes", "itnrs"), int(nexus.queries)),
        additional_data_length=TASK_FUNCTIONS.length - 4 if extended else 0,
    )
    return Reply(data[: TASK_FUNCTIONS.length if extended else 4][: cdb["allocation_length"]])


REPORT_LUNS = cdb_layout(12, select_report=span(2), allocation_length=span(6, 9))
_SERVICE_ACTION = bits(1, 4, 0)

COMMANDS = (
    Command(0xA0, "REPORT LUNS", REPORT_LUNS, report_luns, attention=False, access=Access.ALWAYS),
    Command(
        0xA3,
        "REPORT SUPPORTED OPERATION CODES",
        cdb_layout(
            12,
            service_action=_SERVICE_ACTION,
            rctd=bits(2, 7),
            reporting_options=bits(2, 2, 0),
            requested_operation_code=span(3),
            requested_service_action=span(4, 5),
            allocation_length=span(6, 9),
        ),
        report_supported_operation_codes,
        service_action=0x0C,
        access=Access.READ,
    ),
    Command(
        0xA3,
        "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
        cdb_layout(
            12, service_action=_SERVICE_ACTION, repd=bits(2, 7), allocation_length=span(6, 9)
        ),
        report_supported_task_management_functions,
        service_action=0x0D,
        access=Access.READ,
    ),
)
