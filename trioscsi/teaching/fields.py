"""One PDU, field by field: where each is, what it holds, what that means, and what is wrong.

Nothing here refuses: bytes that are no PDU are explained as far as they go (RFC 7143 chapter 11).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

import attrs

from trioscsi import lun
from trioscsi.errors import PeerError
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    NO_TASK,
    AsyncEvent,
    LoginRequest,
    LoginStage,
    LoginStatus,
    LogoutReason,
    LogoutResult,
    NopOut,
    Pdu,
    Place,
    RejectReason,
    ScsiCommand,
    ScsiResult,
    SnackType,
    TaskAttribute,
    TaskFunction,
    TaskManagementRequest,
    TaskResult,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.scsi import Status
from trioscsi.teaching.meanings import CODES, FIELDS

_RESERVED_CODES: Mapping[tuple[str, str], type[enum.IntEnum]] = {
    ("ScsiCommand", "attributes"): TaskAttribute,
    ("ScsiResponse", "response"): ScsiResult,
    ("ScsiResponse", "status"): Status,
    ("DataIn", "status"): Status,
    ("TaskManagementRequest", "function"): TaskFunction,
    ("TaskManagementResponse", "response"): TaskResult,
    ("AsyncMessage", "async_event"): AsyncEvent,
    ("LoginRequest", "csg"): LoginStage,
    ("LoginRequest", "nsg"): LoginStage,
    ("LoginResponse", "csg"): LoginStage,
    ("LoginResponse", "nsg"): LoginStage,
    ("LogoutRequest", "reason"): LogoutReason,
    ("LogoutResponse", "response"): LogoutResult,
    ("SnackRequest", "type"): SnackType,
    ("Reject", "reason"): RejectReason,
}
"""The fields that hold codes; other values than these are reserved or a vendor's."""
_CODES_OF = {
    cls: [
        (name, frozenset(codes))
        for (of, name), codes in _RESERVED_CODES.items()
        if of == cls.__name__
    ]
    for cls in CLASSES.values()
}

_TITLES = {
    "itt": "Initiator Task Tag",
    "ttt": "Target Transfer Tag",
    "lun": "Logical Unit Number",
    "cdb": "SCSI Command Descriptor Block",
    "isid": "ISID",
    "tsih": "TSIH",
    "cid": "CID",
    "csg": "CSG",
    "nsg": "NSG",
    "cmd_sn": "CmdSN",
    "ref_cmd_sn": "RefCmdSN",
    "exp_cmd_sn": "ExpCmdSN",
    "max_cmd_sn": "MaxCmdSN",
    "stat_sn": "StatSN",
    "exp_stat_sn": "ExpStatSN",
    "data_sn": "DataSN",
    "exp_data_sn": "ExpDataSN",
    "r2t_sn": "R2TSN",
    "beg_run": "BegRun",
    "printed_one": "1",
    "no_task": "0xffffffff",
    "total_ahs_length": "TotalAHSLength",
    "data_segment_length": "DataSegmentLength",
    "continue_": "Continue",
    "time2wait": "Time2Wait",
    "time2retain": "Time2Retain",
    "immediate": "Immediate",
}
_PDUS = {
    "NopOut": "NOP-Out",
    "NopIn": "NOP-In",
    "ScsiCommand": "SCSI Command",
    "ScsiResponse": "SCSI Response",
    "DataOut": "SCSI Data-Out",
    "DataIn": "SCSI Data-In",
    "ReadyToTransfer": "Ready To Transfer",
    "SnackRequest": "SNACK Request",
}
_TAGS = {"itt", "ttt", "snack_tag", "referenced_task_tag"}

_OPCODE = ("opcode", Place(0, 2, 6), "What kind of PDU this is.", "11.2.1.2")
_LENGTHS = (
    (
        "total_ahs_length",
        Place(4, 0, 8),
        "Additional header segments, in words of four bytes.",
        "11.2.1.5",
    ),
    ("data_segment_length", Place(5, 0, 24), "The data, without their padding.", "11.2.1.6"),
)
_EVERY_PDU = (_OPCODE, *_LENGTHS)


@attrs.frozen
class Part:
    """One field: ``value`` is how it reads, ``meaning`` a sentence on the field and its value."""

    name: str
    title: str
    place: Place
    value: str
    meaning: str
    section: str


@attrs.frozen
class Explained:
    """A PDU, as far as it is there."""

    name: str
    title: str
    section: str
    wrong: tuple[str, ...]
    """What is wrong with it, a sentence each."""
    pdu: Pdu | None
    """The PDU itself, if its header is whole and of a known kind."""
    _header: bytes

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its fields, as far as they are there: found anew each time, as few ask for them."""
        header = self._header
        cls = _class_of(header)
        whole = header.ljust(BHS_LENGTH, b"\0")
        return tuple(
            _part(cls, name, place, whole, self.pdu)
            for name, place in places(cls)
            if place.first + place.width <= len(header) * 8
        )


def title(name: str) -> str:
    """A field as the RFC writes it."""
    return _TITLES.get(name) or name.replace("_", " ").title()


def title_of(cls: type[Pdu]) -> str:
    """A PDU in words: ``Login Request``."""
    return _PDUS.get(cls.__name__) or cls.opcode.name.replace("_", " ").title()


def places(cls: type[Pdu] | None) -> tuple[tuple[str, Place], ...]:
    """The names and places of all fields of the basic header segment, in their order."""
    return _PLACES[cls]


def _places(cls: type[Pdu] | None) -> tuple[tuple[str, Place], ...]:
    found = [(name, place) for name, place, _, _ in _EVERY_PDU]
    if cls is not None:
        found += [(field.name, field.place) for field in cls.fields]
    return tuple(sorted(found, key=lambda each: each[1].first))


_PLACES = {cls: _places(cls) for cls in (None, *CLASSES.values())}


def explain(header: bytes, data: bytes = b"", *, missing: int = 0) -> Explained:
    """Explain a PDU out of all its header segments and its data.

    ``missing`` is how many bytes of data are not there; a header may be cut anywhere.
    """
    cls = _class_of(header)
    pdu = None
    wrong = list(_cut(header, missing))
    if cls is not None and len(header) >= BHS_LENGTH:
        pdu = cls.unpack(header[:BHS_LENGTH], 0, data)
        if len(header) >= BHS_LENGTH + (header[4] << 2):
            wrong += _ahs(pdu, header[BHS_LENGTH : BHS_LENGTH + (header[4] << 2)])
    if cls is None:
        opcode = f"0x{header[0] & OPCODE_BITS if header else 0:02x}"
        wrong.append(f"no PDU has the opcode {opcode} (RFC 7143 section 11.2.1.2)")
        return Explained("", f"Opcode {opcode}", "11.2.1.2", tuple(wrong), None, header)
    wrong += _stray(cls, header[:BHS_LENGTH])
    if pdu is not None:
        wrong += _contradictions(pdu, data)
    return Explained(cls.__name__, title_of(cls), cls.section, tuple(wrong), pdu, header)


def _class_of(header: bytes) -> type[Pdu] | None:
    return CLASSES.get(header[0] & OPCODE_BITS) if header else None


def _part(cls: type[Pdu] | None, name: str, place: Place, header: bytes, pdu: Pdu | None) -> Part:
    number = value_at(header, place)
    for common, _, meaning, section in _EVERY_PDU:
        if name == common:
            shown = f"0x{number:02x}" if name == "opcode" else str(number)
            if name == "opcode" and cls is not None:
                shown += f" {title_of(cls)}"
            return Part(name, title(name), place, shown, meaning, section)
    assert cls is not None, "only known PDUs have other fields"
    value, more = _reads(cls, name, place, number, pdu)
    meaning = FIELDS[cls.__name__][name]
    return Part(name, title(name), place, value, f"{meaning} {more}".rstrip(), cls.section)


def value_at(header: bytes, place: Place) -> int:
    """The bits of a field as a number."""
    bits = int.from_bytes(header[:BHS_LENGTH], "big")
    return bits >> (BHS_LENGTH * 8 - place.first - place.width) & (1 << place.width) - 1


def _reads(
    cls: type[Pdu], name: str, place: Place, number: int, pdu: Pdu | None
) -> tuple[str, str]:
    """How a value reads, and what is to be said of it besides."""
    codes = _RESERVED_CODES.get((cls.__name__, name))
    if codes is not None:
        return _code(codes, number)
    if name == "status_detail" and pdu is not None:
        whole = value_at(pdu.pack(0), Place(36, 0, 16))
        return _code(LoginStatus, whole)
    if name in _TAGS or place.ones:
        tag = f"0x{number:0{(place.width + 3) // 4}x}"
        return (f"{tag} none", "") if number == NO_TASK and not place.ones else (tag, "")
    if name == "lun":
        unit = lun.decode(number)
        return f"0x{number:016x}" + ("" if unit is None else f" unit {unit}"), ""
    if place.octets:
        return number.to_bytes(place.width // 8).hex(" "), ""
    return str(number), ""


def _code(codes: type[enum.IntEnum], number: int) -> tuple[str, str]:
    width = 4 if codes is LoginStatus else 2
    try:
        member = codes(number)
    except ValueError:
        return f"0x{number:0{width}x} reserved", ""
    sentence = CODES.get(codes.__name__, {}).get(member.name, "")
    return f"0x{number:0{width}x} {member.name}", sentence


# What is wrong.


def _cut(header: bytes, missing: int) -> Iterator[str]:
    if len(header) < BHS_LENGTH:
        yield f"the header ends after {len(header)} of {BHS_LENGTH} bytes"
    else:
        lacking = BHS_LENGTH + (header[4] << 2) - len(header)
        if lacking > 0:
            yield f"{lacking} bytes of additional header segments are missing"
    if missing:
        yield f"{missing} bytes of the data segment are missing"


def _ahs(pdu: Pdu, ahs: bytes) -> Iterator[str]:
    if ahs:
        try:
            pdu.unpack_ahs(ahs)
        except PeerError as error:
            yield f"{error.reason} (RFC 7143 section {error.section})"


def _mask(place: Place) -> int:
    return ((1 << place.width) - 1) << (BHS_LENGTH * 8 - place.first - place.width)


_KNOWN = {cls: sum(_mask(place) for _, place in places(cls)) for cls in CLASSES.values()}
"""The bits of a header that belong to a field."""
_ONES = {
    cls: [(name, place) for name, place in places(cls) if place.ones] for cls in CLASSES.values()
}
"""Those that are to be 1."""


def _stray(cls: type[Pdu], header: bytes) -> Iterator[str]:
    """Bits that are set and belong to no field, and bits that are to be 1."""
    bits = int.from_bytes(header.ljust(BHS_LENGTH, b"\0"), "big")
    for name, place in _ONES[cls]:
        if place.byte < len(header) and ~bits & _mask(place):
            yield f"{title(name)} at byte {place.byte} is to be all ones (section {cls.section})"
    if stray := bits & ~_KNOWN[cls]:
        for byte, value in enumerate(stray.to_bytes(BHS_LENGTH, "big")):
            if value:
                yield f"reserved bits are set in byte {byte}: 0x{value:02x} (RFC 7143 section 11.1)"


def _contradictions(pdu: Pdu, data: bytes) -> Iterator[str]:
    cls = type(pdu)
    if data and not cls.data_segment:
        yield f"a {title_of(cls)} has no data segment (RFC 7143 section {cls.section})"
    for name, codes in _CODES_OF[cls]:
        if getattr(pdu, name) not in codes:
            if cls.__name__ == "DataIn" and not getattr(pdu, "has_status", True):
                continue
            yield f"{title(name)} has a reserved value (RFC 7143 section {cls.section})"
    if getattr(pdu, "continue_", False) and (
        getattr(pdu, "transit", False) or getattr(pdu, "final", False)
    ):
        yield f"text that goes on cannot end a step (RFC 7143 section {cls.section})"
    section = _immediate_by(pdu)
    if section and not getattr(pdu, "immediate", True):
        yield f"it has to be immediate, and I is 0 (RFC 7143 section {section})"
    if isinstance(pdu, ScsiCommand) and not pdu.write and data:
        yield "a command that takes no data has immediate data (RFC 7143 section 11.3.4)"


def _immediate_by(pdu: Pdu) -> str:
    """The section by which a request can only be immediate; empty if there is none."""
    match pdu:
        case LoginRequest():
            return "11.12"
        case TaskManagementRequest(function=TaskFunction.TASK_REASSIGN):
            return "11.5.1"
        case NopOut(itt=itt) if itt == NO_TASK:
            return "11.18.1"
    return ""
