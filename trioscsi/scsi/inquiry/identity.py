"""Names of a logical unit that no restart changes, as nothing needs to be stored for them."""

from __future__ import annotations

import hashlib

_LOCALLY_ASSIGNED = 0x3


def fingerprint(target_name: str, lun: int) -> int:
    """60 bits that follow from the target name and the LUN alone."""
    digest = hashlib.sha256(f"{target_name}\0{lun}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 4


def naa(target_name: str, lun: int) -> bytes:
    """The NAA locally assigned designator (SPC-4 section 7.8).

    The formats that are unique in the world need a company identifier from the IEEE, and we
    have none; borrowing one, as others do, makes a promise that is not ours.
    """
    return (_LOCALLY_ASSIGNED << 60 | fingerprint(target_name, lun)).to_bytes(8, "big")


def serial_number(target_name: str, lun: int) -> str:
    """A unit serial number of 15 hexadecimal digits."""
    return f"{fingerprint(target_name, lun):015x}"


def target_port(target_name: str, portal_group: int) -> str:
    """The name of an iSCSI target port: a portal group of a target (RFC 7143 section 4.4.2)."""
    return f"{target_name},t,0x{portal_group:04x}"
