"""The error history of a unit (SPC-4 section 5.6): what storage failed, for whoever services it.

It is read by READ BUFFER, by one nexus at a time, from a snapshot.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

import attrs

from trioscsi.scsi.complaints import COMMAND_SEQUENCE_ERROR, OPERATION_IN_PROGRESS
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Refusal

if TYPE_CHECKING:
    from trioscsi.scsi.nexus import Nexus

DIRECTORY = layout(
    32,
    t10_vendor_identification=span(0, 7),
    version=span(8),
    ehs_retrieved=bits(9, 4, 3),
    ehs_source=bits(9, 2, 1),
    clr_sup=bits(9, 0),
    directory_length=span(30, 31),
)
ENTRY = layout(
    8,
    supported_buffer_id=span(0),
    buffer_format=span(1),
    buffer_source=bits(2, 3, 0),
    maximum_available_length=span(4, 7),
)

_MOST = 64
"""How many errors are kept; the oldest give way."""
_DEVICE_SERVER = 0x1
"""Where the data are from."""


@attrs.define
class History:
    """The last errors of one unit, oldest first, and the nexus that reads them."""

    LINES: ClassVar[int] = 0x10
    """The buffer identifier of the only error history data: lines of text."""
    _errors: deque[str] = attrs.field(factory=lambda: deque(maxlen=_MOST))
    _snapshot: bytes | None = None
    _reader: Nexus | None = None

    def add(self, seconds: float, error: str) -> None:
        """Something failed, so long after power on."""
        self._errors.append(f"{seconds:.3f} {error}\n")

    def directory(self, vendor: str, nexus: Nexus, *, fresh: bool, take_over: bool) -> bytes:
        """What there is to read, which from now on is for this nexus.

        ``fresh``: from a new snapshot, even if there is one. ``take_over``: even if another nexus
        reads; otherwise raises Refusal then.
        """
        if not take_over:
            self._check(nexus)
        self._reader = nexus
        if fresh or self._snapshot is None:
            self._snapshot = "".join(self._errors).encode()
        head = DIRECTORY.encode(
            t10_vendor_identification=int.from_bytes(vendor.encode().ljust(8), "big"),
            directory_length=ENTRY.length,
        )
        return head + ENTRY.encode(
            supported_buffer_id=self.LINES,
            buffer_source=_DEVICE_SERVER,
            maximum_available_length=len(self._snapshot),
        )

    def read(self, nexus: Nexus) -> bytes:
        """The snapshot; raises Refusal if it is not for this nexus, or there is none."""
        self._check(nexus)
        if self._snapshot is None or self._reader is None:
            raise Refusal(COMMAND_SEQUENCE_ERROR)
        return self._snapshot

    def release(self, nexus: Nexus, *, snapshot: bool) -> None:
        """A nexus has read enough; raises Refusal if it is another one that reads."""
        self._check(nexus)
        self._reader = None
        if snapshot:
            self._snapshot = None

    def forget(self, nexus: Nexus) -> None:
        """A nexus is lost."""
        if self._reader is nexus:
            self.reset()

    def reset(self) -> None:
        """Nobody reads any more."""
        self._reader = self._snapshot = None

    def _check(self, nexus: Nexus) -> None:
        if self._reader not in (None, nexus):
            raise Refusal(OPERATION_IN_PROGRESS)
