"""ROD tokens: 512 bytes that stand for blocks as they were at one time (SPC-4 section 5.17).

A token here is "point in time - change vulnerable": it is worth nothing any more once one of its
blocks changes, so that whoever uses it gets the blocks of the time at which it was made, or an
error. Whoever has the bytes may use them at any unit of the target, so they must not be guessed.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.copy import bounds
from trioscsi.scsi.copy.descriptors import IDENTIFICATION, TARGET_DESCRIPTOR
from trioscsi.scsi.inquiry.designation import designators, target_designator
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Refusal
from trioscsi.scsi.sense import AdditionalSense, Sense, SenseKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.storage import Storage

TOKEN = layout(
    512,
    rod_type=span(0, 3),
    rod_token_length=span(6, 7),
    copy_manager_rod_token_identifier=span(8, 15),
    creator_logical_unit_descriptor=span(16, 47),
    number_of_bytes_represented=span(48, 63),
    logical_block_length=span(96, 99),
    logical_blocks_per_physical_block_exponent=bits(101, 3, 0),
    target_device_descriptor=span(128, 383),
    secret=span(448, 511),
)
LENGTH = TOKEN.length - 8
"""What the ROD TOKEN LENGTH field says: it counts the bytes after itself."""
_SECRET, _TARGET_DEVICE = 64, 256


class RodType(enum.IntEnum):
    """What a token promises (SPC-4 section 5.17), as far as it is promised here."""

    ANY = 0x00000000
    """In a request: the copy manager chooses."""
    POINT_IN_TIME = 0x00800000
    """In a request: the copy manager chooses among those of a point in time."""
    CHANGE_VULNERABLE = 0x00800001
    ANY_POINT_IN_TIME = 0x0080FFFF
    """In a request: whatever of a point in time."""
    ZERO = 0xFFFF0001
    """Stands for any number of zeroes, and nobody has to make it."""


def _invalid(code: AdditionalSense) -> Sense:
    return Sense(SenseKey.ILLEGAL_REQUEST, code)


UNSUPPORTED = _invalid(AdditionalSense.INVALID_TOKEN_OPERATION_UNSUPPORTED_TOKEN_TYPE)
UNKNOWN = _invalid(AdditionalSense.INVALID_TOKEN_OPERATION_TOKEN_UNKNOWN)
REVOKED = _invalid(AdditionalSense.INVALID_TOKEN_OPERATION_TOKEN_REVOKED)
EXPIRED = _invalid(AdditionalSense.INVALID_TOKEN_OPERATION_TOKEN_EXPIRED)
DELETED = _invalid(AdditionalSense.INVALID_TOKEN_OPERATION_TOKEN_DELETED)
WRONG_LENGTH = _invalid(AdditionalSense.INVALID_TOKEN_OPERATION_INVALID_TOKEN_LENGTH)
NO_ROOM = _invalid(AdditionalSense.INSUFFICIENT_RESOURCES_TO_CREATE_ROD_TOKEN)


@attrs.frozen
class Range:
    """Blocks of one unit."""

    lba: int
    blocks: int


@attrs.define(eq=False)
class Token:
    """A token, and the blocks that it stands for; ``end`` says why it is worth nothing any more."""

    unit: LogicalUnit
    ranges: tuple[Range, ...]
    timeout: int
    used: float
    data: bytes = b""
    users: int = 0
    end: Sense | None = None
    _watches: list[Callable[[], None]] = attrs.field(factory=list, init=False)

    @property
    def length(self) -> int:
        """The bytes that it stands for."""
        return sum(each.blocks for each in self.ranges) * self.unit.block_size

    def watch(self, storage: Storage) -> None:
        """Be revoked as soon as one of the blocks is going to change."""
        self._watches += [
            storage.watch(each.lba, each.blocks, self._revoke) for each in self.ranges
        ]

    def look(self) -> Sense | None:
        """Why it is worth nothing (any more); None as long as it can be used."""
        if self.end is None:
            if not self.users and self.unit.clock() >= self.used + self.timeout:
                self.finish(EXPIRED)
            elif any(each.lba + each.blocks > self.unit.blocks for each in self.ranges):
                self.finish(REVOKED)
        return self.end

    def check(self) -> None:
        """Raise Refusal if it is worth nothing (any more)."""
        end = self.look()
        if end is not None:
            raise Refusal(end)

    def finish(self, end: Sense) -> None:
        """It is worth nothing any more."""
        self.end = end
        while self._watches:
            self._watches.pop()()

    def _revoke(self) -> None:
        self.finish(REVOKED)


def _nobody() -> None:
    """Nobody ends tokens that have expired before somebody asks for them."""


class Tokens:
    """The tokens that stand for blocks of one unit.

    As long as one can be used all writes have to look whether they change its blocks, so that
    whoever knows the time had better call `expire` now and then. ``made`` is called when there is a
    new one.
    """

    def __init__(self) -> None:
        self.made: Callable[[], None] = _nobody
        self._tokens: dict[bytes, Token] = {}
        self._made = 0

    def make(self, unit: LogicalUnit, ranges: Sequence[Range], timeout: int) -> Token:
        """A new token. Raises Refusal if there are too many."""
        self.expire()
        watched = sum(len(each.ranges) for each in self._tokens.values() if each.end is None)
        if watched + len(ranges) > bounds.TOKEN_RANGES:
            raise Refusal(NO_ROOM)
        self._make_room()
        self._made += 1
        token = Token(unit, tuple(ranges), timeout, unit.clock())
        token.data = _encode(token, self._made)
        self._tokens[token.data] = token
        self.made()
        return token

    def expire(self) -> bool:
        """End those that nobody has used in time; whether there are any left."""
        return [each.look() for each in self._tokens.values()].count(None) > 0

    def find(self, data: bytes) -> Token | None:
        """The token with these bytes, whatever it is worth."""
        return self._tokens.get(data)

    def _make_room(self) -> None:
        """Forget what ended, the oldest first, and refuse if all that there may be are valid."""
        for data, token in list(self._tokens.items()):
            if len(self._tokens) < bounds.TOKENS:
                return
            if token.end is not None:
                del self._tokens[data]
        if len(self._tokens) >= bounds.TOKENS:
            raise Refusal(NO_ROOM)


def find(unit: LogicalUnit, data: bytes) -> Token:
    """The valid token with these bytes, of any unit of the target; raises Refusal without one."""
    fields = TOKEN.decode(data)
    if fields["rod_type"] != RodType.CHANGE_VULNERABLE:
        raise Refusal(UNSUPPORTED)
    if fields["rod_token_length"] != LENGTH:
        raise Refusal(WRONG_LENGTH)
    for fellow in unit.fellows.values():
        token = fellow.tokens.find(data)
        if token is not None:
            token.check()
            return token
    raise Refusal(UNKNOWN)


def is_zero(data: bytes) -> bool:
    """Whether it is the token that stands for zeroes."""
    return TOKEN.decode(data)["rod_type"] == RodType.ZERO


def _encode(token: Token, number: int) -> bytes:
    unit = token.unit
    descriptor = bytearray(
        TARGET_DESCRIPTOR.encode(
            descriptor_type_code=IDENTIFICATION, disk_block_length=unit.block_size
        )
    )
    designator = designators(unit)[0]
    descriptor[4 : 4 + len(designator)] = designator
    device = target_designator(unit)[:_TARGET_DEVICE].ljust(_TARGET_DEVICE, b"\0")
    return TOKEN.encode(
        rod_type=RodType.CHANGE_VULNERABLE,
        rod_token_length=LENGTH,
        copy_manager_rod_token_identifier=number,
        creator_logical_unit_descriptor=int.from_bytes(descriptor, "big"),
        number_of_bytes_represented=token.length,
        logical_block_length=unit.block_size,
        logical_blocks_per_physical_block_exponent=unit.blocks_per_physical_block.bit_length() - 1,
        target_device_descriptor=int.from_bytes(device, "big"),
        secret=int.from_bytes(unit.random(_SECRET), "big"),
    )
