"""What units say of themselves, decoded by name (SPC-4 sections 6.4 and 7.8, SBC-3 section 6.6).

Nothing here trusts a length that a target gives: what is cut short is decoded as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from trioscsi.scsi.blocks.referrals import REFERRALS_PAGE
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.inquiry import vpd
from trioscsi.scsi.inquiry.abilities import EXTENDED_INQUIRY_PAGE
from trioscsi.scsi.inquiry.command import STANDARD
from trioscsi.scsi.inquiry.designation import DESIGNATOR
from trioscsi.scsi.layout import Layout
from trioscsi.scsi.power import POWER_CONDITION_PAGE
from trioscsi.scsi.sense import AdditionalSense, SenseKey
from trioscsi.scsi.supported import COMMAND_DESCRIPTOR, TIMEOUTS_DESCRIPTOR

Field = tuple[str, str]
"""A name and its value, to show."""

_HEADER = 4
_TYPES = {0x00: "disk", 0x05: "CD or DVD", 0x0C: "storage array controller", 0x1F: "none"}
_ASSOCIATIONS = ("logical unit", "target port", "target device", "reserved")
_DESIGNATORS = {
    0: "vendor specific",
    1: "T10 vendor id",
    2: "EUI-64",
    3: "NAA",
    4: "relative target port",
    5: "target port group",
    6: "logical unit group",
    7: "MD5",
    8: "SCSI name",
}
_TEXTUAL = (2, 3)

PAGE_NAMES: Mapping[int, str] = {
    0x00: "supported VPD pages",
    0x80: "unit serial number",
    0x83: "device identification",
    0x85: "management network addresses",
    0x86: "extended INQUIRY data",
    0x87: "mode page policy",
    0x88: "SCSI ports",
    0x8A: "power condition",
    0x8F: "third-party copy",
    0x92: "SCSI feature sets",
    0xB0: "block limits",
    0xB1: "block device characteristics",
    0xB2: "logical block provisioning",
    0xB3: "referrals",
}


def standard(data: bytes) -> list[Field]:
    """The standard INQUIRY data."""
    values = STANDARD.decode(data.ljust(STANDARD.length, b"\0"))
    kind = values["peripheral_device_type"]
    return [
        ("type", _TYPES.get(kind, f"{kind:#04x}")),
        ("vendor", _text(data[8:16])),
        ("product", _text(data[16:32])),
        ("revision", _text(data[32:36])),
        ("version", f"{values['version']:#04x}"),
        *(
            (name, str(values[name]))
            for name in ("rmb", "tpgs", "third_party_copy", "protect", "multip", "cmdque")
        ),
    ]


def page_name(code: int) -> str:
    """What a VPD page is called."""
    return PAGE_NAMES.get(code, "vendor specific" if code >= 0xC0 else "unknown")


def page(data: bytes) -> list[Field]:
    """A VPD page: its fields by name, or its content where nobody knows them."""
    if len(data) < _HEADER:
        return [("content", data.hex())]
    decode = _PAGES.get(data[1])
    end = _HEADER + int.from_bytes(data[2:4])
    return _content(data[:end]) if decode is None else decode(data[:end])


def pages(data: bytes) -> list[int]:
    """The codes of the pages that there are, out of page 00h."""
    return list(data[_HEADER : _HEADER + int.from_bytes(data[2:4])])


def operation_codes(data: bytes) -> list[str]:
    """The names of all commands that REPORT SUPPORTED OPERATION CODES lists."""
    return list(_operation_codes(data[4 : 4 + int.from_bytes(data[:4])]))


def sense(data: bytes) -> str:
    """Sense data in words, of either format."""
    if len(data) < _HEADER:
        return "no sense data"
    if data[0] & 0x7F in (0x72, 0x73):
        key, code = data[1] & 0xF, int.from_bytes(data[2:4])
    else:
        key, code = data[2] & 0xF, int.from_bytes(data[12:14].ljust(2, b"\0"))
    key_name = SenseKey(key).name if key in set(SenseKey) else f"{key:#x}"
    known = code in set(AdditionalSense)
    code_name = AdditionalSense(code).name if known else f"{code >> 8:02X}h/{code & 0xFF:02X}h"
    return f"{key_name}, {code_name}".replace("_", " ")


def _operation_codes(data: bytes) -> Iterator[str]:
    names = {(each.opcode, each.service_action): each.name for each in DISK}
    place = 0
    while place + COMMAND_DESCRIPTOR.length <= len(data):
        values = COMMAND_DESCRIPTOR.decode(data[place:])
        place += COMMAND_DESCRIPTOR.length + values["ctdp"] * TIMEOUTS_DESCRIPTOR.length
        opcode = values["operation_code"]
        action = values["service_action"] if values["servactv"] else None
        shown = f"{opcode:02X}" if action is None else f"{opcode:02X}/{action:02X}"
        yield f"{shown} {names.get((opcode, action), 'unknown here')}"


def _text(data: bytes) -> str:
    """Text of a target, without what would move a terminal's cursor."""
    text = data.decode(errors="replace").strip(" \0")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _content(data: bytes) -> list[Field]:
    return [("content", data[_HEADER:].hex())]


def _supported(data: bytes) -> list[Field]:
    return [(f"{code:02X}h", page_name(code)) for code in pages(data)]


def _serial(data: bytes) -> list[Field]:
    return [("serial number", _text(data[_HEADER:]))]


def _identification(data: bytes) -> list[Field]:
    fields: list[Field] = []
    rest = data[_HEADER:]
    while len(rest) >= DESIGNATOR.length:
        values = DESIGNATOR.decode(rest)
        end = DESIGNATOR.length + values["designator_length"]
        content, rest = rest[DESIGNATOR.length : end], rest[end:]
        kind = values["designator_type"]
        name = _DESIGNATORS.get(kind, f"type {kind}")
        textual = values["code_set"] in _TEXTUAL
        shown = _text(content) if textual else content.hex()
        fields.append((f"{_ASSOCIATIONS[values['association']]}, {name}", shown))
    return fields


def _laid_out(layout: Layout) -> Callable[[bytes], list[Field]]:
    def decode(data: bytes) -> list[Field]:
        values = layout.decode(data.ljust(layout.length, b"\0"))
        return [(name, str(value)) for name, value in values.items()]

    return decode


_PAGES: Mapping[int, Callable[[bytes], list[Field]]] = {
    vpd.SUPPORTED_VPD_PAGES: _supported,
    vpd.UNIT_SERIAL_NUMBER: _serial,
    vpd.DEVICE_IDENTIFICATION: _identification,
    vpd.EXTENDED_INQUIRY_DATA: _laid_out(EXTENDED_INQUIRY_PAGE),
    vpd.POWER_CONDITION: _laid_out(POWER_CONDITION_PAGE),
    vpd.REFERRALS: _laid_out(REFERRALS_PAGE),
    vpd.BLOCK_LIMITS: _laid_out(vpd.BLOCK_LIMITS_PAGE),
    vpd.BLOCK_DEVICE_CHARACTERISTICS: _laid_out(vpd.CHARACTERISTICS_PAGE),
    vpd.LOGICAL_BLOCK_PROVISIONING: _laid_out(vpd.PROVISIONING_PAGE),
}
