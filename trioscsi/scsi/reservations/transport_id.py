"""TransportIDs: initiator ports, as persistent reservations name them (SPC-4 section 7.6.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trioscsi.scsi.layout import bits, layout, span
from trioscsi.utf8 import fits

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes

HEADER = layout(
    4,
    tpid_format=bits(0, 7, 6),
    protocol_identifier=bits(0, 3, 0),
    additional_length=span(2, 3),
)
ISCSI = 5
_DEVICE, _PORT = 0b00, 0b01
SHORTEST = 24
"""The bytes of the shortest TransportID."""
_LONGEST_NAME = 223
"""Bytes of UTF-8 of an iSCSI name (RFC 7143 section 4.2.7.2)."""

_SEPARATOR = ",i,0x"
_ISID = re.compile(r"[0-9a-f]{1,12}")


def name_of(initiator: str) -> str:
    """The iSCSI name in the name of an initiator port, or of an initiator."""
    return initiator.partition(_SEPARATOR)[0]


def is_port(initiator: str) -> bool:
    """Whether this names one port of an initiator, rather than all that it has."""
    return _SEPARATOR in initiator


def encode(initiator: str) -> bytes:
    """The TransportID of an initiator port (``name,i,0xISID``), or of an initiator (``name``)."""
    text = initiator.encode() + b"\0"
    text = text.ljust(SHORTEST - HEADER.length, b"\0")
    text += bytes(-len(text) % 4)
    head = HEADER.encode(
        tpid_format=_PORT if is_port(initiator) else _DEVICE,
        protocol_identifier=ISCSI,
        additional_length=len(text),
    )
    return head + text


def length(data: Bytes) -> int:
    """The bytes of the TransportID that begins here, which may be more than there are."""
    return HEADER.length + HEADER.decode(data)["additional_length"]


def decode(data: Bytes) -> str:
    """The initiator port, or initiator, that a whole TransportID names.

    In the form in which names are compared: lower case, and an ISID of twelve digits. Raises
    ValueError if it names none.
    """
    fields = HEADER.decode(data)
    text = bytes(data[HEADER.length :])
    if fields["protocol_identifier"] != ISCSI or len(data) < SHORTEST or len(data) % 4:
        raise ValueError("it is not of iSCSI, or not of a length that one of iSCSI has")
    name, end, _ = text.partition(b"\0")
    initiator = name.decode().lower()  # a UnicodeDecodeError is a ValueError
    name_part, separator, isid = initiator.partition(_SEPARATOR)
    if not end or not name_part or not fits(name_part, _LONGEST_NAME):
        raise ValueError("the name is empty, too long, or has no end")
    match fields["tpid_format"], separator:
        case 0b00, "":
            return name_part
        case 0b01, str() if separator and _ISID.fullmatch(isid):
            return f"{name_part}{_SEPARATOR}{isid:0>12}"
        case _:
            raise ValueError("the name does not fit the format")
