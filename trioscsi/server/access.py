"""Who may log in, and what a peer is shown (RFC 7143 sections 6.3 and 13.8, appendix C)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

import attrs

from trioscsi.errors import PeerError
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import Node

Address: TypeAlias = tuple[str, int]
"""Host (a literal IP address) and port."""


@attrs.frozen
class Rules:
    """Who may log in to one target."""

    allow: tuple[str, ...] = ()
    """Initiator names, or globs of them; empty: anybody who gets this far."""
    open: bool = False
    """Whether others than this machine get this far without an ``allow`` list."""
    proven: bool = False
    """Whether initiators have to prove who they are later on: then anybody may try."""

    def refusal(self, initiator_name: str, peer: Address) -> str | None:
        """Why this initiator may not log in, or None if it may."""
        if self.allow:
            if any(fnmatchcase(initiator_name, pattern) for pattern in self.allow):
                return None
            return f"{initiator_name} is not among the initiators that are allowed"
        if self.open or self.proven or _literal(peer[0]).is_loopback:
            return None
        return (
            f"protected mode: {initiator_name} at {peer[0]} is not on this machine; "
            "name the initiators to allow (--allow), ask them for a secret (--chap), "
            "or open the target to all (--open)"
        )

    @classmethod
    def of(
        cls,
        allow: Sequence[str],
        *,
        open: bool,  # noqa: A002 - as --open says it
        proven: bool = False,
    ) -> Rules:
        """Rules from what a user wrote; patterns are compared in lower case, as names are."""
        return cls(tuple(pattern.lower() for pattern in allow), open, proven)


@attrs.frozen
class Guarded:
    """A node and the rules of its door."""

    node: Node
    rules: Rules


@attrs.frozen
class Door:
    """The gatekeeper of one connection: it knows where the peer is."""

    targets_by_name: Mapping[str, Guarded]
    discovery: Node
    peer: Address
    portals: Sequence[Address]
    """Where the targets can be reached, the address that this peer used first."""

    def node(self, initiator_name: str, target_name: str | None) -> Node:
        """See `trioscsi.protocol.Gatekeeper`."""
        if target_name is None:
            return self.discovery
        guarded = self.targets_by_name.get(target_name)
        if guarded is None:
            raise PeerError(
                f"there is no target {target_name} here",
                section="11.13.5",
                answer=LoginStatus.NOT_FOUND,
            )
        refusal = guarded.rules.refusal(initiator_name, self.peer)
        if refusal is not None:
            raise PeerError(refusal, section="11.13.5", answer=LoginStatus.AUTHORIZATION_FAILURE)
        return guarded.node

    def targets(self, initiator_name: str) -> list[tuple[str, list[str]]]:
        """See `trioscsi.protocol.Gatekeeper`; an initiator sees the targets it may log in to."""
        return [
            (
                name,
                [
                    f"{format_address(portal)},{guarded.node.offer.target_portal_group_tag}"
                    for portal in self.portals
                ],
            )
            for name, guarded in self.targets_by_name.items()
            if guarded.rules.refusal(initiator_name, self.peer) is None
        ]


def format_address(address: Address) -> str:
    """``host:port``, with an IPv6 address in brackets (RFC 7143 section 13.8)."""
    host, port = address
    try:
        host = str(_literal(host))
    except ValueError:
        return f"{host}:{port}"  # a name
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """A literal address without the zone that says on which link it holds.

    An IPv4 peer of a socket that is for both comes with an address that wraps its own.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
