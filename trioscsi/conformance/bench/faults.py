"""What may go wrong with what a target says: faults that are laid over its PDUs and its bytes.

A `Fault` is asked for each PDU that goes to an initiator and gives what goes instead: other PDUs,
nothing, or bytes as they are.  They work on a `Link` (``link.spoil(...)``) and are values, so that
whoever tests an initiator by other means can use them, too::

    link.spoil(changing(DataIn, buffer_offset=4))
    link.spoil(once(dropping(DataIn)))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from trioscsi.initiator.deviations import changing as _changing
from trioscsi.initiator.deviations import dropping as _dropping
from trioscsi.initiator.deviations import repeating as _repeating
from trioscsi.pdu import BHS_LENGTH, Pdu
from trioscsi.text import decode
from trioscsi.text import encode as encode_text

Fault: TypeAlias = Callable[[Any], Iterable["Pdu | bytes"]]
"""Gives what is sent instead of a PDU; bytes are sent as they are."""
Damage: TypeAlias = Callable[[bytes, Any], bytes]
"""Gives the bytes that are sent instead of those of a PDU."""
When: TypeAlias = Callable[[Any], bool]

_NOBODY: Any = None
"""Faults of targets do not look at the connection."""


class Overlay:
    """The faults that are laid over what goes to one initiator, one upon the other."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.damages: list[Damage] = []

    def instead_of(self, pdu: Pdu) -> list[Pdu | bytes]:
        """What is sent instead of a PDU."""
        sent: list[Pdu | bytes] = [pdu]
        for fault in self.faults:
            sent = [
                other
                for each in sent
                for other in ((each,) if isinstance(each, bytes) else fault(each))
            ]
        return sent

    def damaged(self, data: bytes, pdu: Pdu) -> bytes:
        """The bytes that are sent instead of those of a PDU."""
        for damage in self.damages:
            data = damage(data, pdu)
        return data

    def clear(self) -> None:
        """Take all faults away."""
        self.faults.clear()
        self.damages.clear()


def changing(*classes: type[Pdu], when: When | None = None, **fields: Any) -> Fault:
    """Set fields of all PDUs of these classes; a callable value is given the PDU."""
    alter = _changing(*classes, when=when, **fields)
    return lambda pdu: alter(pdu, _NOBODY)


def dropping(*classes: type[Pdu], when: When | None = None) -> Fault:
    """Send none of the PDUs of these classes."""
    alter = _dropping(*classes, when=when)
    return lambda pdu: alter(pdu, _NOBODY)


def repeating(*classes: type[Pdu], **fields: Any) -> Fault:
    """Send each PDU of these classes twice, the second time with other values of some fields."""
    alter = _repeating(*classes, **fields)
    return lambda pdu: alter(pdu, _NOBODY)


def reordering(*classes: type[Pdu], when: When | None = None) -> Fault:
    """Send two PDUs of these classes that come one after the other in the other order."""
    kept: list[Pdu] = []

    def reorder(pdu: Any) -> Iterable[Pdu]:
        if not isinstance(pdu, classes) or (when is not None and not when(pdu)):
            return (*_emptied(kept), pdu)
        if kept:
            return (pdu, kept.pop())
        kept.append(pdu)
        return ()

    return reorder


def splitting(cls: type[Pdu], into: Callable[[Any], Iterable[Pdu]]) -> Fault:
    """Send what a function makes of each PDU of a class."""
    return lambda pdu: into(pdu) if isinstance(pdu, cls) else (pdu,)


def once(fault: Fault, *, after: int = 0) -> Fault:
    """The same, but for the first PDU alone that it would change, or one that comes later."""
    left = after + 1

    def do(pdu: Any) -> Iterable[Pdu | bytes]:
        nonlocal left
        if left <= 0:
            return (pdu,)
        before = _image(pdu)
        instead = list(fault(pdu))
        if len(instead) == 1 and instead[0] is pdu and _image(pdu) == before:
            return instead
        left -= 1
        if left:
            _restore(pdu, before)
            return (pdu,)
        return instead

    return do


def saying(keys: Mapping[str, str | None]) -> Callable[[Any], bytes]:
    """The text of a PDU with other values of these keys, or without those that are None.

    For ``changing(LoginResponse, data=saying({"MaxBurstLength": "512"}))``; keys that the text has
    not are put at its end.
    """

    def text(pdu: Any) -> bytes:
        pairs = dict(decode(bytes(pdu.data)))
        pairs |= {name: value for name, value in keys.items() if value is not None}
        return encode_text(
            (name, value) for name, value in pairs.items() if keys.get(name, value) is not None
        )

    return text


# Damages: to bytes.


def flipping(cls: type[Pdu], place: int, mask: int = 1) -> Damage:
    """Change bits of one byte of each PDU of a class; negative places count from its end."""

    def damage(data: bytes, pdu: Any) -> bytes:
        if not isinstance(pdu, cls):
            return data
        changed = bytearray(data)
        changed[place] ^= mask
        return bytes(changed)

    return damage


def bad_header_digest(cls: type[Pdu]) -> Damage:
    """Damage the header digest; there has to be one, and no additional header segments."""
    return flipping(cls, BHS_LENGTH)


def bad_data_digest(cls: type[Pdu]) -> Damage:
    """Damage the data digest; there has to be one."""
    damage = flipping(cls, -1)
    return lambda data, pdu: damage(data, pdu) if len(pdu.data) else data


def truncating(cls: type[Pdu], length: int) -> Damage:
    """Send the first bytes of each PDU of a class alone."""
    return lambda data, pdu: data[:length] if isinstance(pdu, cls) else data


def damaging_once(damage: Damage) -> Damage:
    """The same, but once."""
    done = False

    def do(data: bytes, pdu: Any) -> bytes:
        nonlocal done
        if done:
            return data
        damaged = damage(data, pdu)
        done = damaged != data
        return damaged

    return do


def _image(pdu: Any) -> dict[str, Any]:
    return {name: getattr(pdu, name) for name in type(pdu).__slots__ if hasattr(pdu, name)}


def _restore(pdu: Any, image: Mapping[str, Any]) -> None:
    for name, value in image.items():
        setattr(pdu, name, value)


def _emptied(kept: list[Pdu]) -> list[Pdu]:
    found, kept[:] = list(kept), []
    return found
