"""Messages of iSNS, as bytes and as values (RFC 4171 sections 5.1 to 5.4)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

import attrs

from trioscsi.errors import NameServiceError
from trioscsi.isns.codes import RESPONSE, Flag, Status, Tag

_HEADER = struct.Struct(">HHHHHH")
_ATTRIBUTE = struct.Struct(">II")
_NUMBER = struct.Struct(">I")
_VERSION = 1
_PAYLOAD = 65_532
"""Bytes of one PDU: its length field has 16 bits, and payloads are whole words."""

Attribute = tuple[int, bytes]
"""A tag and its value, padded to whole words."""


def number(tag: Tag, value: int) -> Attribute:
    """An attribute that is a number of 32 bits."""
    return tag, _NUMBER.pack(value)


def text(tag: Tag, value: str) -> Attribute:
    """An attribute that is a text, ended by a null."""
    data = value.encode() + b"\0"
    return tag, data + bytes(-len(data) % 4)


def address(tag: Tag, host: str) -> Attribute:
    """An attribute that is an IP address: one of IPv4 is wrapped (section 6.3.1)."""
    found = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        found = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + found.packed)
    return tag, found.packed


def empty(tag: Tag) -> Attribute:
    """A tag without a value: a delimiter, or what a query asks for."""
    return tag, b""


def decode_text(value: bytes) -> str:
    """The text in a value; what is no UTF-8 is shown as such."""
    return value.partition(b"\0")[0].decode(errors="replace")


def decode_number(value: bytes) -> int:
    """The number in a value; raises NameServiceError if it is none."""
    if len(value) != _NUMBER.size:
        raise _malformed(f"a number of {len(value)} bytes")
    found: int = _NUMBER.unpack(value)[0]
    return found


@attrs.frozen
class Message:
    """A request, or the response to one, which has a ``status``."""

    function: int
    transaction: int
    attributes: tuple[Attribute, ...] = ()
    flags: Flag = Flag.CLIENT
    status: int | None = None

    @property
    def is_response(self) -> bool:
        """Whether it answers a request of ours."""
        return bool(self.function & RESPONSE)

    def answer(self, *attributes: Attribute, status: Status = Status.SUCCESSFUL) -> Message:
        """The response to this request."""
        return Message(self.function | RESPONSE, self.transaction, attributes, Flag.CLIENT, status)

    def first(self, tag: Tag) -> bytes | None:
        """The first value with this tag."""
        return next((value for found, value in self.attributes if found == tag), None)

    def encode(self) -> bytes:
        """The PDUs of the message, one after the other."""
        payload = b"" if self.status is None else _NUMBER.pack(self.status)
        payload += b"".join(
            _ATTRIBUTE.pack(tag, len(value)) + value for tag, value in self.attributes
        )
        parts = [payload[start : start + _PAYLOAD] for start in range(0, len(payload), _PAYLOAD)]
        return b"".join(self._pdus(parts or [b""]))

    def _pdus(self, parts: list[bytes]) -> Iterable[bytes]:
        for sequence, part in enumerate(parts):
            flags = self.flags
            if sequence == 0:
                flags |= Flag.FIRST
            if sequence == len(parts) - 1:
                flags |= Flag.LAST
            yield (
                _HEADER.pack(_VERSION, self.function, len(part), flags, self.transaction, sequence)
                + part
            )


@attrs.define
class Reader:
    """Takes a stream of bytes apart; no message may be longer than ``limit`` bytes."""

    limit: int
    _input: bytearray = attrs.field(factory=bytearray, init=False)
    _payload: bytearray = attrs.field(factory=bytearray, init=False)
    _open: tuple[int, int, int] | None = attrs.field(default=None, init=False)
    """Function, transaction and next sequence id of a message that goes on."""

    def receive(self, data: bytes) -> list[Message]:
        """Take the next bytes; returns the messages that are complete.

        Raises NameServiceError for what cannot be understood; the stream is then lost.
        """
        self._input += data
        messages = []
        while len(self._input) >= _HEADER.size:
            version, function, length, flags, transaction, sequence = _HEADER.unpack_from(
                self._input
            )
            if version != _VERSION:
                raise _malformed(f"version {version}")
            if len(self._payload) + length > self.limit:
                raise _malformed(f"a message of more than {self.limit} bytes")
            end = _HEADER.size + length
            if len(self._input) < end:
                break
            part = bytes(self._input[_HEADER.size : end])
            del self._input[:end]
            message = self._take(function, Flag(flags), transaction, sequence, part)
            if message is not None:
                messages.append(message)
        return messages

    def _take(
        self, function: int, flags: Flag, transaction: int, sequence: int, part: bytes
    ) -> Message | None:
        expected = (function, transaction, 0) if Flag.FIRST in flags else self._open
        if expected != (function, transaction, sequence):
            raise _malformed("a part of a message out of its turn")
        self._payload += part
        if Flag.LAST not in flags:
            self._open = function, transaction, sequence + 1
            return None
        payload, self._payload, self._open = bytes(self._payload), bytearray(), None
        return _message(function, flags & ~(Flag.FIRST | Flag.LAST), transaction, payload)


def _message(function: int, flags: Flag, transaction: int, payload: bytes) -> Message:
    status = None
    if function & RESPONSE:
        if len(payload) < _NUMBER.size:
            raise _malformed("a response without a status")
        status, payload = _NUMBER.unpack_from(payload)[0], payload[_NUMBER.size :]
    return Message(function, transaction, tuple(_attributes(payload)), flags, status)


def _attributes(payload: bytes) -> Iterable[Attribute]:
    rest = memoryview(payload)  # there may be very many: what is left is not copied for each
    while rest:
        if len(rest) < _ATTRIBUTE.size:
            raise _malformed("an attribute that is cut off")
        tag, length = _ATTRIBUTE.unpack_from(rest)
        end = _ATTRIBUTE.size + length
        if length % 4 or end > len(rest):
            raise _malformed(f"an attribute of {length} bytes")
        yield tag, bytes(rest[_ATTRIBUTE.size : end])
        rest = rest[end:]


def _malformed(reason: str) -> NameServiceError:
    return NameServiceError(f"it sent {reason}")
