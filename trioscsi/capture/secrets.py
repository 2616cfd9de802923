"""What of a login must not be in a trace, and how it is veiled.

A CHAP response does not show the secret, but with its challenge it lets anybody who reads a trace
try words until one fits (RFC 7143 section 9.2.1), and so it is with what other methods prove their
secrets with.  So of all binary values of authentication methods the digits are replaced by ``0``:
who reads the trace sees the keys and how long their values are.  A login has no digests, so that
nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable

from trioscsi.pdu import BHS_LENGTH, Opcode
from trioscsi.text import KEYS
from trioscsi.text.key import Kind, Syntax

SECRET_KEYS = frozenset(
    key.name.encode()
    for key in KEYS.values()
    if key.kind is Kind.EXCHANGE and key.syntax is Syntax.BINARY
)
"""``CHAP_R``, ``CHAP_C`` and the like."""

_LONGEST = max(map(len, SECRET_KEYS))
_FULL_FEATURE = 0x83
"""The T bit, and full feature phase as the next stage (section 11.13.3)."""
_STAGE_BITS = 0x83
_STATUS_CLASS = 36
_CONTINUE = 0x40


class LoginVeil:
    """Veils the secrets of one connection, in both directions, until its login is over."""

    def __init__(self) -> None:
        self.over = False
        """Whether the target has accepted the login: what follows has no secrets."""
        self.veiled = 0
        """How many values were veiled so far."""
        self._from = {True: _Side(), False: _Side(self._heard)}
        """The two directions; the key is whether it comes from the initiator."""

    def veil(self, data: bytes, *, inbound: bool) -> bytes:
        """The next bytes of one direction, without the secrets in them."""
        side = self._from[inbound]
        data = side.veil(data)
        self.veiled = sum(side.veiled for side in self._from.values())
        return data

    @property
    def done(self) -> bool:
        """Whether nothing will be veiled any more, in either direction."""
        return self.over and not any(side.inside for side in self._from.values())

    def _heard(self, header: bytes) -> None:
        """A whole header of the target has passed."""
        if (
            header[0] == Opcode.LOGIN_RESPONSE
            and header[1] & _STAGE_BITS == _FULL_FEATURE
            and header[_STATUS_CLASS] == 0
        ):
            self.over = True
            for side in self._from.values():
                side.over = True


class _Side:
    """One direction: where PDUs begin and end, and the text that goes on from one to the next."""

    def __init__(self, heard: Callable[[bytes], None] = lambda header: None) -> None:
        self._heard = heard
        self.over = False
        """Whether what comes after the PDU that is under way is not of the login any more."""
        self.veiled = 0
        self._header = bytearray()
        self._skip = 0
        """Bytes of additional header segments, or of padding, that are still to come."""
        self._data = 0
        self._padding = 0
        self._continues = False
        """The C bit of the PDU before: its text goes on."""
        self._value = _Value()

    @property
    def inside(self) -> bool:
        """Whether a PDU has begun and not ended."""
        return bool(self._header or self._skip or self._data)

    def veil(self, data: bytes) -> bytes:
        """The next bytes without secrets; beyond the PDU under way, only if the login goes on."""
        out = bytearray(data)
        at = 0
        while at < len(out) and (self.inside or not self.over):
            if self._skip:
                step = min(self._skip, len(out) - at)
                self._skip -= step
            elif self._data:
                step = min(self._data, len(out) - at)
                self.veiled += self._value.veil(out, at, at + step)
                self._data -= step
                if not self._data:
                    self._skip = self._padding
            else:
                step = min(BHS_LENGTH - len(self._header), len(out) - at)
                self._header += out[at : at + step]
                if len(self._header) == BHS_LENGTH:
                    self._begin()
            at += step
        return bytes(out)

    def _begin(self) -> None:
        header, self._header = bytes(self._header), bytearray()
        self._heard(header)
        self._skip = header[4] << 2
        self._data = int.from_bytes(header[5:8], "big")
        self._padding = -self._data & 3
        self._value.begin(fresh=not self._continues)
        self._continues = header[1] & _CONTINUE != 0


class _Value:
    """Where in a text the next byte is: in a name, or so far in a value."""

    def __init__(self) -> None:
        self._name = bytearray()
        self._secret = False
        self._in_value = False
        self._place = 0
        self._prefix = False

    def begin(self, *, fresh: bool) -> None:
        """A data segment begins; a fresh one begins with a name."""
        if fresh:
            self._end()

    def veil(self, data: bytearray, at: int, end: int) -> int:
        """Veil what is secret from ``at`` to ``end``; returns how many values began there."""
        found = 0
        while at < end:
            stop = data.find(0, at, end)
            stop = end if stop < 0 else stop
            if not self._in_value:
                equals = data.find(b"=", at, stop)
                name_ends = stop if equals < 0 else equals
                self._name += data[at : min(name_ends, at + _LONGEST + 1)]
                del self._name[_LONGEST + 1 :]
                at = name_ends
                if equals >= 0:
                    self._in_value, self._secret = True, bytes(self._name) in SECRET_KEYS
                    self._place = 0
                    found += self._secret
                    at += 1
            if self._in_value:
                if self._secret:
                    self._hide(data, at, stop)
                at = stop
            if at == stop and stop < end:
                self._end()
                at += 1
        return found

    def _hide(self, data: bytearray, at: int, end: int) -> None:
        """Replace all but the prefix ``0x`` or ``0b``."""
        while at < end and self._place < 2:
            zero = data[at] == ord("0")
            kept = zero if self._place == 0 else self._prefix and data[at] in b"xXbB"
            if not kept:
                data[at] = ord("0")
            self._prefix = zero
            self._place += 1
            at += 1
        data[at:end] = b"0" * (end - at)

    def _end(self) -> None:
        self._name.clear()
        self._in_value = self._secret = False
