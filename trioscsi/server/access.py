"""Who may log in, and what a peer is shown (RFC 7143 sections 6.3 and 13.8, appendix C)."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

import attrs

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import EVERYTHING, Node, Redirection, View
from trioscsi.server.listener import Address, format_address, literal, parse_listen

log = logging.getLogger("trioscsi")

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _written(address: str) -> str:
    return format_address(parse_listen(address))


def _several(said: str | Sequence[str]) -> Sequence[str]:
    return (said,) if isinstance(said, str) else said


@attrs.frozen
class Rules:
    """Who may log in to one target."""

    allow: tuple[str, ...] = ()
    """Initiator names, or globs of them; empty: anybody who gets this far."""
    networks: tuple[Network, ...] = ()
    """Where initiators may be; empty: anywhere."""
    open: bool = False
    """Whether others than this machine get this far without an ``allow`` list."""
    proven: bool = False
    """Whether initiators have to prove who they are later on: then anybody may try."""

    def refusal(self, initiator_name: str, peer: Address) -> str | None:
        """Why this initiator may not log in, or None if it may."""
        if self.allow and not any(fnmatchcase(initiator_name, each) for each in self.allow):
            return f"{initiator_name} is not among the initiators that are allowed"
        if self.networks and not any(literal(peer[0]) in each for each in self.networks):
            return f"{initiator_name} is at {peer[0]}, from where none is allowed"
        if self.allow or self.networks or self.open or self.proven or literal(peer[0]).is_loopback:
            return None
        return (
            f"protected mode: {initiator_name} at {peer[0]} is not on this machine; "
            "name the initiators to allow (--allow), ask them for a secret (--chap), "
            "or open the target to all (--open)"
        )

    @classmethod
    def of(
        cls,
        allow: str | Sequence[str] = (),
        networks: str | Sequence[str] = (),
        *,
        open: bool = False,  # noqa: A002 - as --open says it
        proven: bool = False,
    ) -> Rules:
        """Rules from what a user wrote; raises UsageError for what is no network.

        Patterns are compared in lower case, as names are. A string is one of them: of its
        characters, a ``*`` would let everybody in.
        """
        try:
            where = tuple(ipaddress.ip_network(each) for each in _several(networks))
        except ValueError as error:
            raise UsageError(f"not an address, nor a network: {error}") from None
        return cls(tuple(pattern.lower() for pattern in _several(allow)), where, open, proven)


@attrs.frozen
class Moved:
    """Where a target is now: ``HOST:PORT``, and whether it is there to stay (section 11.13.5)."""

    address: str = attrs.field(converter=_written)
    permanent: bool = False


@attrs.frozen
class Redirect:
    """Sends initiators to another portal.

    ``where`` is asked at each login, with the names of initiator and target, and answers None for
    those that may stay.  ``after_proof`` has it asked when the initiator has proven who it is,
    rather than before.
    """

    where: Callable[[str, str], Moved | None]
    after_proof: bool = False

    @classmethod
    def of(cls, said: Redirect | Moved | str | Mapping[str, Moved | str] | None) -> Redirect | None:
        """What a user wrote: for everybody, or by initiator names and globs; raises UsageError."""
        if said is None or isinstance(said, Redirect):
            return said
        table = said if isinstance(said, Mapping) else {"*": said}
        rows = [
            (pattern.lower(), moved if isinstance(moved, Moved) else Moved(moved))
            for pattern, moved in table.items()
        ]

        def where(initiator_name: str, _target_name: str) -> Moved | None:
            return next(
                (moved for pattern, moved in rows if fnmatchcase(initiator_name, pattern)), None
            )

        return cls(where)


@attrs.frozen
class Guarded:
    """A node and the rules of its door."""

    node: Node
    rules: Rules
    groups: frozenset[int] | None = None
    """The tags of the portal groups through which it can be reached; None: all."""
    views: Mapping[str, View] = attrs.field(factory=dict)
    """What initiators see, by their names or globs of them, the first that fits; else all."""
    redirect: Redirect | None = None
    """Where some initiators are sent instead."""

    def reached_by(self, group: int) -> bool:
        """Whether the portals of a group lead to it."""
        return self.groups is None or group in self.groups


@attrs.frozen
class Door:
    """The gatekeeper of one connection: it knows where the peer is."""

    targets_by_name: Mapping[str, Guarded]
    discovery: Node
    peer: Address
    portals: Sequence[tuple[Address, int]]
    """Where this peer can reach targets, with the tags of the groups; the one it used first."""
    removed: Container[str] = frozenset()
    """The names of targets that were here before."""
    has_discovery: bool = True

    @property
    def portal_group(self) -> int:
        """See `trioscsi.protocol.Gatekeeper`."""
        return self.portals[0][1]

    @property
    def portal(self) -> str:
        """See `trioscsi.protocol.Gatekeeper`."""
        return format_address(self.portals[0][0])

    def node(self, initiator_name: str, target_name: str | None) -> Node:
        """See `trioscsi.protocol.Gatekeeper`."""
        if target_name is None:
            if not self.has_discovery:
                raise PeerError(
                    "there is no discovery here",
                    section="11.13.5",
                    answer=LoginStatus.SESSION_TYPE_NOT_SUPPORTED,
                )
            return self.discovery
        if target_name in self.removed:
            raise PeerError(
                f"the target {target_name} is here no more",
                section="11.13.5",
                answer=LoginStatus.TARGET_REMOVED,
            )
        guarded = self.targets_by_name.get(target_name)
        if guarded is None or not guarded.reached_by(self.portal_group):
            raise PeerError(
                f"there is no target {target_name} here",
                section="11.13.5",
                answer=LoginStatus.NOT_FOUND,
            )
        refusal = guarded.rules.refusal(initiator_name, self.peer)
        if refusal is not None:
            raise PeerError(refusal, section="11.13.5", answer=LoginStatus.AUTHORIZATION_FAILURE)
        self._redirect(guarded, initiator_name, proven=False)
        return guarded.node

    def view(self, initiator_name: str, target_name: str) -> View:
        """See `trioscsi.protocol.Gatekeeper`."""
        views = self.targets_by_name[target_name].views.items()
        return next((view for each, view in views if fnmatchcase(initiator_name, each)), EVERYTHING)

    def proven(self, initiator_name: str, target_name: str) -> None:
        """See `trioscsi.protocol.Gatekeeper`."""
        self._redirect(self.targets_by_name[target_name], initiator_name, proven=True)

    def _redirect(self, guarded: Guarded, initiator_name: str, *, proven: bool) -> None:
        """Raise Redirection for an initiator that is to go elsewhere, if this is the moment."""
        redirect = guarded.redirect
        if redirect is None or redirect.after_proof != proven:
            return
        try:
            moved = redirect.where(initiator_name, guarded.node.name)
        except Exception as error:
            log.exception("where to redirect %s cannot be said", initiator_name)
            raise PeerError(
                "the target does not know where it is",
                section="11.13.5",
                answer=LoginStatus.TARGET_ERROR,
            ) from error
        if moved is not None:
            raise Redirection(moved.address, permanent=moved.permanent)

    def targets(self, initiator_name: str) -> list[tuple[str, list[str]]]:
        """See `trioscsi.protocol.Gatekeeper`; an initiator sees the targets it may log in to."""
        return [
            (
                name,
                [
                    f"{format_address(address)},{group}"
                    for address, group in self.portals
                    if guarded.reached_by(group)
                ],
            )
            for name, guarded in self.targets_by_name.items()
            if guarded.rules.refusal(initiator_name, self.peer) is None
        ]
