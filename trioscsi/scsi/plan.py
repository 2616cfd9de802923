"""What a device server decides about a command: all of it but the input and output.

The caller performs the plan on a backend. ``data_out`` is how many bytes the plan takes from the
initiator, so that a transport knows what to ask for before anything is performed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import attrs

from trioscsi.scsi.complaints import invalid_data_out
from trioscsi.scsi.sense import Sense

if TYPE_CHECKING:
    from trioscsi.scsi.storage import Storage


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
    """GOOD status, no data; with ``sense`` if there is more to say of it.

    That is only for nexuses with ``sense_with_any_status``.
    """

    data_out: ClassVar[int] = 0
    sense: Sense | None = None


@attrs.define
class Met:
    """CONDITION MET status, no data: all of what was asked for is so."""

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
    """A status that carries no sense data: BUSY, TASK SET FULL, RESERVATION CONFLICT.

    ``retry_after`` is in how many tenths of a second it makes sense to come again (the retry delay
    timer of SAM-5 section 5.3.2); 0 says nothing.
    """

    data_out: ClassVar[int] = 0
    status: Status
    retry_after: int = 0


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
class Receive:
    """Take ``data_out`` bytes of parameter list; ``then`` makes the real plan from them.

    They may be less if the initiator meant to send less. ``then`` may raise Refusal. With
    ``open_ended``, nothing but the list tells its length: as many bytes are taken as the initiator
    means to send, up to that number.
    """

    data_out: int
    then: Callable[[bytes], Plan]
    open_ended: bool = False

    def received(self, data: bytes) -> Plan:
        """What to do now that the list has come."""
        try:
            return self.then(data)
        except Refusal as refusal:
            return refusal.plan


@attrs.define
class Procedure:
    """A plan of several steps on the medium, each of which may wait; subclasses say which."""

    exact: ClassVar[bool] = False
    """Whether an initiator that means to send another number of bytes than ``data_out`` errs."""
    reads: ClassVar[bool] = False
    """Whether storage that fails could not read, rather than not write."""
    data_out: int = attrs.field(default=0, kw_only=True)

    def inexact(self) -> Sense:
        """What is wrong with a number of bytes that is not ``exact``."""
        return invalid_data_out()

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """Take the steps, with the data that came, and say how the command ends.

        ``data`` may be less than ``data_out`` if the initiator meant to send less. Raises
        BackendError if storage fails, and Refusal for what only the medium could tell.
        """
        raise NotImplementedError


Outcome = Done | Met | Reply | Failed | Refused
"""How a command ends."""

Plan = Outcome | Read | Write | Receive | Procedure


def only_block(plan: Plan) -> int | None:
    """The address of the block that a plan is about, if it is about one block."""
    lba: int | None = getattr(plan, "lba", None)
    return lba if getattr(plan, "blocks", None) == 1 else None


class Refusal(Exception):
    """How a command handler ends early; never leaves the device server. ``plan`` is the answer."""

    def __init__(self, answer: Sense | Refused) -> None:
        super().__init__(answer)
        self.plan = answer if isinstance(answer, Refused) else Failed(answer)
