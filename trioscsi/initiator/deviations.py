"""How an initiator breaks a rule on purpose: the hook for the bench, and for whoever tests targets.

A `Deviation` is one fault.  It may change, drop or repeat PDUs where they leave (``alter``) or are
heard (``hears``), and it may switch off a rule where the initiator decides (``breaks``): one for
what it sends, or one for what it does not let a target do.  An initiator without a deviation asks
nobody; `trioscsi.initiator.mutants` has a table of named ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from trioscsi.initiator.rules import Rule
from trioscsi.pdu import Pdu

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection


__all__ = ["Deviation", "Rule", "changing", "dropping", "following", "repeating"]

Alter: TypeAlias = Callable[[Any, "InitiatorConnection"], Iterable[Pdu]]
"""Gives what leaves (or is heard) instead of a PDU."""


@attrs.frozen(kw_only=True)
class Deviation:
    """One fault: which rule of which section of RFC 7143 it breaks, and how."""

    id: str
    section: str
    says: str
    """What the initiator does wrong, in one sentence."""
    breaks: frozenset[Rule] = frozenset()
    alter: Alter | None = None
    hears: Alter | None = None
    """Gives what is heard instead of a PDU of the target."""
    wire: Callable[[bytes, Any], bytes] | None = None
    """Gives the bytes that leave instead of those of a PDU."""
    pair: Callable[[str, str], Iterable[tuple[str, str]]] | None = None
    """Gives what is said in a login instead of a key and its value."""


def changing(
    *classes: type[Pdu], when: Callable[[Any], bool] | None = None, **fields: Any
) -> Alter:
    """Set fields of all PDUs of these classes; a callable value is given the PDU."""

    def alter(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
        if isinstance(pdu, classes) and (when is None or when(pdu)):
            changed = {
                name: value(pdu) if callable(value) else value for name, value in fields.items()
            }
            for name, value in changed.items():
                setattr(pdu, name, value)
        return (pdu,)

    return alter


def dropping(*classes: type[Pdu], when: Callable[[Any], bool] | None = None) -> Alter:
    """Send none of the PDUs of these classes."""

    def alter(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
        return () if isinstance(pdu, classes) and (when is None or when(pdu)) else (pdu,)

    return alter


def repeating(*classes: type[Pdu], **fields: Any) -> Alter:
    """Send each PDU of these classes twice, the second time with other values of some fields."""

    def alter(pdu: Any, _connection: InitiatorConnection) -> Iterable[Pdu]:
        if not isinstance(pdu, classes):
            return (pdu,)
        second = copy(pdu)
        for name, value in fields.items():
            setattr(second, name, value)
        return pdu, second

    return alter


def following(*classes: type[Pdu], by: Callable[[Any, InitiatorConnection], Pdu]) -> Alter:
    """Send something more behind each PDU of these classes."""

    def alter(pdu: Any, connection: InitiatorConnection) -> Iterable[Pdu]:
        return (pdu, by(pdu, connection)) if isinstance(pdu, classes) else (pdu,)

    return alter
