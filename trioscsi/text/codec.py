"""Text as it is on the wire: key=value pairs, and the constants in values (RFC 7143 section 6.1).

Everything here raises ``PeerError`` without an answer: whether bad text costs the peer a Login
Response with an error status or a Reject is known only to the caller.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from trioscsi.limits import Limits

    Buffer: TypeAlias = bytes | bytearray | memoryview

Pair = tuple[str, str]

KEY_NAME_LENGTH = 63
VALUE_LENGTH = 255
"""The bytes of a simple value where its key does not say otherwise."""

# A standard-label, as two keys of the RFCs stretch it: X#NodeArchitecture kept the prefix of
# RFC 3720, and iSCSIProtocolLevel does not begin with a capital letter.
_KEY_NAME = re.compile(r"(?:X#)?[A-Za-z][A-Za-z0-9.+@_-]*")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")
_HEX = re.compile(r"0[xX]([0-9A-Fa-f]+)")
_BASE64 = re.compile(r"0[bB]([A-Za-z0-9+/=]+)")


def encode(pairs: Iterable[Pair]) -> bytes:
    """The text of some pairs, each followed by a null."""
    return b"".join(f"{name}={value}\0".encode() for name, value in pairs)


def split(text: bytes, segment: int) -> list[bytes]:
    """Cut ``text`` into data segments of at most ``segment`` bytes; empty text makes one.

    All but the last are to be sent with the C bit set (RFC 7143 section 6.2).
    """
    return [text[start : start + segment] for start in range(0, len(text), segment)] or [b""]


@attrs.define
class Collector:
    """Joins data segments into texts and takes them apart, for one negotiation."""

    limits: Limits
    _text: bytearray = attrs.field(factory=bytearray, init=False)
    _keys: int = attrs.field(default=0, init=False)

    def add(self, data: Buffer, more: bool) -> list[Pair] | None:
        """Take the data segment of one PDU; ``more`` is its C bit.

        Returns the pairs of the whole text, or None while there is more to come. Raises
        ``PeerError`` for text that is too long or malformed; the collector is then of no
        further use.
        """
        if len(self._text) + len(data) > self.limits.text:
            raise PeerError(f"text longer than {self.limits.text} bytes", section="6.1")
        start = len(self._text)
        self._text += data
        self._keys += self._text.count(0, start)
        if self._keys > self.limits.keys:
            raise PeerError(f"more than {self.limits.keys} keys in a negotiation", section="6.2")
        if more:
            return None
        text = bytes(self._text)
        self._text.clear()
        return decode(text)


def decode(text: bytes) -> list[Pair]:
    """The pairs of one complete text, in order.

    Raises ``PeerError`` if it is not well-formed (RFC 7143 section 6.1).
    """
    if not text:
        return []
    if text[-1]:
        raise PeerError("text that does not end with a null", section="6.1")
    try:
        return [_pair(item) for item in text[:-1].decode().split("\0")]
    except UnicodeDecodeError:
        raise PeerError("text that is not UTF-8", section="6.1") from None


def _pair(item: str) -> Pair:
    name, equals, value = item.partition("=")
    if not equals:
        raise PeerError("text without an equals sign between key and value", section="6.1")
    if len(name) > KEY_NAME_LENGTH or not _KEY_NAME.fullmatch(name):
        raise PeerError(f"{name[:KEY_NAME_LENGTH]!r} is not a key name", section="6.1")
    return name, value


def decode_number(value: str) -> int:
    """A numerical-value: a decimal or hexadecimal constant below 2**64 (section 6.1)."""
    if _DECIMAL.fullmatch(value):
        number = int(value)
    elif match := _HEX.fullmatch(value):
        number = int(match[1], 16)
    else:
        raise PeerError(f"{value[:VALUE_LENGTH]!r} is not a number", section="6.1")
    if number >= 2**64:
        raise PeerError("a number of more than 64 bits", section="6.1")
    return number


def decode_binary(value: str, limit: int) -> bytes:
    """A binary-value of at most ``limit`` bytes, as a hexadecimal or base64 constant.

    An odd number of hexadecimal digits starts with half a byte. Decimal constants are refused:
    they have no length of their own (RFC 7143 section 6.1).
    """
    if match := _HEX.fullmatch(value):
        digits = match[1]
        _check_length((len(digits) + 1) // 2, limit)
        return bytes.fromhex(digits.rjust(len(digits) + len(digits) % 2, "0"))
    if match := _BASE64.fullmatch(value):
        encoded = match[1]
        _check_length(len(encoded) // 4 * 3 - encoded.count("=", -2), limit)
        try:
            return binascii.a2b_base64(encoded, strict_mode=True)
        except binascii.Error as error:
            raise PeerError(f"bad base64: {error}", section="6.1") from None
    raise PeerError("a binary value that is neither hexadecimal nor base64", section="6.1")


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise PeerError(f"a binary value of more than {limit} bytes", section="6.1")


def encode_binary(data: bytes, *, base64: bool = False) -> str:
    """A binary-value as a hexadecimal constant, or as a base64 constant."""
    if base64:
        return "0b" + binascii.b2a_base64(data, newline=False).decode()
    return "0x" + data.hex()
