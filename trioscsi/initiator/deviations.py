"""How an initiator breaks a rule on purpose: the hook for the bench, and for whoever tests targets.

A `Deviation` is one fault.  It may change, drop or repeat PDUs where they leave (``alter``), and it
may switch off a rule where the initiator decides (``breaks``).  An initiator without a deviation
asks nobody; `trioscsi.initiator.mutants` has a table of named ones.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from copy import copy
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from trioscsi.pdu import Pdu

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection


class Rule(enum.Enum):
    """What an initiator decides by; each member can be switched off."""

    WINDOW = "A command waits while its CmdSN is above MaxCmdSN."
    ANSWER_PING = "A NOP-In with a Target Transfer Tag is answered."
    ANSWER_LOGOUT_REQUEST = "Asynchronous event 1 is answered by a logout."
    ANSWER_NEGOTIATION_REQUEST = "Asynchronous event 4 is answered by a Text Request."
    ANSWER_TERMINATION = "Asynchronous event 5 is acknowledged by a NOP-Out."
    ACKNOWLEDGE_DATA = "A Data-In with the A bit is acknowledged above error recovery level 0."
    NOTHING_AFTER_LOGOUT = "After a Logout Request nothing new is sent."
    IMMEDIATE_DATA = "There is immediate data only where ImmediateData=Yes was agreed."
    INITIAL_R2T = "There is an unsolicited burst only where InitialR2T=No was agreed."
    FIRST_BURST = "Unsolicited data is no longer than FirstBurstLength."
    SEGMENT = "A data segment is no longer than the target's MaxRecvDataSegmentLength."
    UNIQUE_TAGS = "No two requests that are under way have the same Initiator Task Tag."
    CHECK_PROOF = "A target that was asked to prove itself has to."
    FRESH_CHALLENGE = "A challenge that comes back is not answered."
    OFFERED_ALGORITHM = "An algorithm that was not offered is not used."
    CHALLENGE_LENGTH = "A challenge of more than 1024 bytes is not answered."


Alter: TypeAlias = Callable[[Any, "InitiatorConnection"], Iterable[Pdu]]
"""Gives what leaves instead of a PDU."""


@attrs.frozen(kw_only=True)
class Deviation:
    """One fault: which rule of which section of RFC 7143 it breaks, and how."""

    id: str
    section: str
    says: str
    """What the initiator does wrong, in one sentence."""
    breaks: frozenset[Rule] = frozenset()
    alter: Alter | None = None
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
