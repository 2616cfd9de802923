"""What a device server decides about a command: all of it but the input and output.

The caller performs the plan on a backend. ``data_out`` is how many bytes the plan takes from the
initiator, so that a transport knows what to ask for before anything is performed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import ClassVar, Literal

import attrs

from trioscsi.scsi.sense import Sense

Compare = Literal["blocks", "one block"] | None


class Status(enum.IntEnum):
    """Status codes (SAM-5 section 5.3)."""

    GOOD = 0x00
    CHECK_CONDITION = 0x02
    CONDITION_MET = 0x04
    BUSY = 0x08
    RESERVATION_CONFLICT = 0x18
    TASK_SET_FULL = 0x28
    ACA_ACTIVE = 0x30
    TASK_ABORTED = 0x40


# These are values that nobody changes, yet not frozen: one is made for each command, and a frozen
# one costs four times as much.


@attrs.define
class Done:
    """GOOD status, no data."""

    data_out: ClassVar[int] = 0


@attrs.define
class Reply:
    """GOOD status with ``data`` for the initiator, already cut to its allocation length."""

    data_out: ClassVar[int] = 0
    data: bytes


@attrs.define
class Failed:
    """CHECK CONDITION status with ``sense``."""

    data_out: ClassVar[int] = 0
    sense: Sense


@attrs.define
class Refused:
    """A status that carries no sense data: BUSY, TASK SET FULL, RESERVATION CONFLICT."""

    data_out: ClassVar[int] = 0
    status: Status


@attrs.define
class Read:
    """Send the ``blocks`` from ``lba`` on, GOOD status; from the medium itself with ``fua``."""

    data_out: ClassVar[int] = 0
    lba: int
    blocks: int
    fua: bool


@attrs.define
class Write:
    """Take ``data_out`` bytes and write them from ``lba`` on; durably with ``fua``."""

    lba: int
    blocks: int
    fua: bool
    data_out: int


@attrs.define
class Verify:
    """Read the ``blocks`` from ``lba`` on and send none of them.

    ``compare`` says what they must equal: nothing, the ``data_out`` bytes sent ("blocks"), or
    each the single block sent ("one block"). A difference is ``sense.miscompare``.
    """

    lba: int
    blocks: int
    compare: Compare
    data_out: int


@attrs.define
class Flush:
    """Make the ``blocks`` from ``lba`` on durable; with ``immediate``, GOOD status comes first."""

    data_out: ClassVar[int] = 0
    lba: int
    blocks: int
    immediate: bool


@attrs.define
class Receive:
    """Take ``data_out`` bytes of parameter list; ``then`` makes the real plan from them."""

    data_out: int
    then: Callable[[bytes], Plan]


Plan = Done | Reply | Failed | Refused | Read | Write | Verify | Flush | Receive


class Refusal(Exception):
    """How a command handler ends early; never leaves the device server. ``plan`` is the answer."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(sense)
        self.plan = Failed(sense)
