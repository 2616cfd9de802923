"""What commands and discovery come to (SAM-5 section 5.3)."""

from __future__ import annotations

import attrs

from trioscsi.errors import CommandFailed

_CHECK_CONDITION = 0x02
_UNIT_ATTENTION = 0x06


@attrs.frozen
class Answer:
    """How a command ended: SCSI status, sense data, what was read, and what was not transferred."""

    status: int
    sense: bytes
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    residual: int = 0

    @property
    def is_attention(self) -> bool:
        """Whether the command was not performed because a unit attention was pending."""
        return self.status == _CHECK_CONDITION and _key(self.sense) == _UNIT_ATTENTION

    def check(self) -> bytes:
        """The data of a command that has succeeded; raises CommandFailed for any other."""
        if self.status:
            raise CommandFailed(self.status, self.sense)
        return self.data


@attrs.frozen
class Capacity:
    """The size of a unit: how many blocks, of how many bytes."""

    blocks: int
    block_size: int


@attrs.frozen
class Found:
    """A target that discovery has found, and its portals (TargetAddress values)."""

    name: str
    addresses: tuple[str, ...]


def _key(sense: bytes) -> int:
    """The sense key of sense data in either format (SPC-4 section 4.5)."""
    if not sense:
        return 0
    place = 1 if sense[0] & 0x7F in (0x72, 0x73) else 2
    return sense[place] & 0xF if len(sense) > place else 0
