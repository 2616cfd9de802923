"""Copy operations by list identifier: what has become of each (SPC-4 section 5.17)."""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from trioscsi.scsi.copy import bounds
from trioscsi.scsi.plan import Done, Refusal, Refused, Status
from trioscsi.scsi.sense import AdditionalSense, Sense, SenseKey

if TYPE_CHECKING:
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome

OPERATION_IN_PROGRESS = Sense(SenseKey.ILLEGAL_REQUEST, AdditionalSense.OPERATION_IN_PROGRESS)
INSUFFICIENT_RESOURCES = Sense(SenseKey.ILLEGAL_REQUEST, AdditionalSense.INSUFFICIENT_RESOURCES)


class State(enum.IntEnum):
    """The copy operation status (SPC-4 section 6)."""

    COMPLETED = 0x01
    COMPLETED_WITH_ERRORS = 0x02
    IN_FOREGROUND = 0x11
    IN_BACKGROUND = 0x12
    TERMINATED = 0x60


class Units(enum.IntEnum):
    """What a transfer count counts (SPC-4 section 6)."""

    BYTES = 0x00
    LOGICAL_BLOCKS = 0xF1


@attrs.define(eq=False)
class Operation:
    """One copy: how far it has got, and how it ended.

    ``action`` is the service action that began it. ``keeps`` says that data which it holds are
    kept after it ended without an error.
    """

    action: int
    units: Units = Units.BYTES
    keeps: bool = True
    state: State = State.IN_FOREGROUND
    segments: int = 0
    transferred: int = 0
    outcome: Outcome = attrs.field(factory=Done)
    held: bytes = b""
    discarded: bool = False
    """Whether some of the data that were to be held are not."""
    token: bytes = b""
    """The ROD token that it made."""
    cancelled: bool = False

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state in (State.IN_FOREGROUND, State.IN_BACKGROUND)

    def hold(self, data: bytes) -> None:
        """Hold ``data`` for the initiator, and of all that is held as much as there is room for."""
        everything = self.held + data
        self.held = everything[-bounds.HELD :]
        self.discarded |= len(everything) > bounds.HELD

    def check(self) -> None:
        """Raise Cancelled if somebody wants the copy to end here."""
        if self.cancelled:
            raise Cancelled

    def end(self, outcome: Outcome) -> Outcome:
        """It ends so; returns ``outcome``."""
        self.outcome = outcome
        self.state = State.COMPLETED if isinstance(outcome, Done) else State.COMPLETED_WITH_ERRORS
        if isinstance(outcome, Done) and not self.keeps:
            self.let_go()
        return outcome

    def let_go(self) -> None:
        """Hold nothing any more."""
        self.discarded |= bool(self.held)
        self.held = b""

    def terminate(self) -> None:
        """It ends before it is done, as its command was aborted."""
        if self.running:
            self.state, self.outcome = State.TERMINATED, Refused(Status.TASK_ABORTED)


class Cancelled(Exception):
    """Raised in a copy that another command ended."""


class Operations:
    """The copies that one unit makes and has made, by nexus and list identifier."""

    def __init__(self) -> None:
        self._listed: WeakKeyDictionary[Nexus, dict[int, Operation]] = WeakKeyDictionary()
        self._running: set[Operation] = set()
        self._holding: deque[Operation] = deque()

    def begin(self, nexus: Nexus, list_id: int | None, operation: Operation) -> None:
        """A copy begins; without a list identifier nobody can ask for it.

        Raises Refusal if its identifier is in use, or too many copies are being made.
        """
        if list_id is not None and self._of(nexus).get(list_id, _NONE).running:
            raise Refusal(OPERATION_IN_PROGRESS)
        if len(self._running) >= bounds.CONCURRENT:
            raise Refusal(INSUFFICIENT_RESOURCES)
        self._running.add(operation)
        if list_id is not None:
            listed = self._of(nexus)
            listed.pop(list_id, None)
            listed[list_id] = operation
            if len(listed) > bounds.REMEMBERED:
                del listed[next(key for key, each in listed.items() if not each.running)]

    def ended(self, operation: Operation) -> None:
        """A copy has ended, one way or the other."""
        operation.terminate()
        self._running.discard(operation)
        if operation.held:
            self._holding.append(operation)
        if len(self._holding) > bounds.HOLDING:
            self._holding.popleft().let_go()

    def find(self, nexus: Nexus, list_id: int) -> Operation | None:
        """The latest copy of a nexus with this list identifier."""
        return self._of(nexus).get(list_id)

    def forget(self, nexus: Nexus) -> None:
        """Nobody asks for the copies of this nexus any more."""
        self._listed.pop(nexus, None)

    def reset(self) -> None:
        """End all copies, each as soon as it can."""
        for operation in self._running:
            operation.cancelled = True

    def _of(self, nexus: Nexus) -> dict[int, Operation]:
        return self._listed.setdefault(nexus, {})


_NONE = Operation(0, state=State.COMPLETED)
