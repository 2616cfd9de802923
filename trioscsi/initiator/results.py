"""What commands and discovery come to (SAM-5 section 5.3)."""

from __future__ import annotations

import attrs

from trioscsi.errors import CommandFailed
from trioscsi.initiator.depth import TASK_SET_FULL

_CHECK_CONDITION = 0x02
_BUSY = 0x08
_CLEARED = (0x2F00, 0x477F)
"""Commands were cleared by another initiator, or by what has become of a session."""
_RESET = 0x29
"""The additional sense code of resets, power on and the loss of a nexus."""
_UNIT_ATTENTION = 0x06
_DESCRIPTOR = (0x72, 0x73)
"""The response codes of sense data in descriptor format."""


@attrs.frozen
class Answer:
    """How a command ended: SCSI status, sense data, what was read, and what was not transferred."""

    status: int
    sense: bytes
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    residual: int = 0
    qualifier: int = 0
    """The status qualifier of RFC 7144."""

    @property
    def is_attention(self) -> bool:
        """Whether the command was not performed because a unit attention was pending."""
        return self.status == _CHECK_CONDITION and _key(self.sense) == _UNIT_ATTENTION

    @property
    def may_be_repeated(self) -> bool:
        """Whether the command was not performed, and may be when it is sent once more.

        The unit was busy, had too many commands, or tells that earlier ones were ended with their
        session (section 11.14.5).
        """
        cleared = self.is_attention and _additional(self.sense) in _CLEARED
        return cleared or self.status in (_BUSY, TASK_SET_FULL)

    @property
    def tells_of_loss(self) -> bool:
        """Whether the command was not performed because a reset or a lost nexus had to be told."""
        return self.is_attention and _additional(self.sense) >> 8 == _RESET

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


def _additional(sense: bytes) -> int:
    """The additional sense code and its qualifier, in either format."""
    place = 2 if sense[:1] and sense[0] & 0x7F in _DESCRIPTOR else 12
    return int.from_bytes(sense[place : place + 2])


def _key(sense: bytes) -> int:
    """The sense key of sense data in either format (SPC-4 section 4.5)."""
    if not sense:
        return 0
    place = 1 if sense[0] & 0x7F in _DESCRIPTOR else 2
    return sense[place] & 0xF if len(sense) > place else 0
