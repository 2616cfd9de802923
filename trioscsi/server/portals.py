"""Portals and portal groups: where targets can be reached, and what initiators are told of it.

RFC 7143 sections 4.2.7.1, 4.3 and 13.8.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import attrs

from trioscsi.errors import UsageError
from trioscsi.server.listener import Address, literal, parse_listen

Listen: TypeAlias = str | Address | socket.socket
"""``HOST:PORT`` as a user writes it, the same in two parts, or a socket that listens already."""

_UNSPECIFIED = {"0.0.0.0", "::"}


def _address(listen: Listen) -> Address | socket.socket:
    return parse_listen(listen) if isinstance(listen, str) else listen


def _advertised(text: str | Address | None) -> Address | None:
    return parse_listen(text) if isinstance(text, str) else text


@attrs.frozen
class Portal:
    """A place to wait for initiators.

    ``group`` is the tag of its portal group: a session lives within one group, and each group is
    a SCSI port of its own.  ``advertise`` is what initiators are told instead of the address
    itself, where that is not the one they can reach: behind NAT, or where a port is forwarded.

    Raises UsageError for what is no address and no tag.
    """

    listen: Address | socket.socket = attrs.field(converter=_address)
    group: int = attrs.field(default=1)
    advertise: Address | None = attrs.field(default=None, converter=_advertised)

    def __attrs_post_init__(self) -> None:
        # Tag 0 exists, but a portal group is a SCSI port too, and those are counted from 1.
        if not 1 <= self.group <= 0xFFFF:
            raise UsageError(f"the tag of a portal group is from 1 to 65535, not {self.group}")


def parse_portals(portals: Iterable[Portal | Listen]) -> list[Portal]:
    """Portals out of what users wrote; raises UsageError."""
    return [each if isinstance(each, Portal) else Portal(each) for each in portals]


@attrs.frozen
class Open:
    """A portal that is listened at, and the address at which it really is."""

    portal: Portal
    address: Address


def reachable(doors: Sequence[Open], used: Open, own: Address) -> list[tuple[Address, int]]:
    """The addresses at which a peer can reach the portals, with the tags of their groups.

    ``used`` is the portal that it came through, ``own`` our end of its connection: that one it
    can reach for certain, so it comes first.  A portal at all addresses of this machine is told
    by the address that the peer has used; one on the loopback interface to this machine alone.
    """
    others = [door for door in doors if door is not used and _can_reach(door, own)]
    return list(dict.fromkeys(_shown(door, own) for door in (used, *others)))


def _can_reach(door: Open, own: Address) -> bool:
    host = door.address[0]
    if door.portal.advertise is not None:
        return True
    if host in _UNSPECIFIED:
        # Of our addresses in the other family, nothing tells which one the peer could reach.
        return literal(host).version == literal(own[0]).version
    return literal(own[0]).is_loopback or not literal(host).is_loopback


def _shown(door: Open, own: Address) -> tuple[Address, int]:
    address = door.portal.advertise
    if address is None:
        host, port = door.address
        address = (own[0] if host in _UNSPECIFIED else host), port
    return address, door.portal.group
