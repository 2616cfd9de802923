"""The write data of a command: what has come, what is announced, what must be asked for.

RFC 7143 sections 4.2.5.2, 11.7, 11.8 and 13.13 to 13.19.  Nothing here sends: `Incoming` says which
R2Ts are due, and whether the data is complete.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from trioscsi.machines import transfer
from trioscsi.machines._automat import Effects
from trioscsi.pdu import NO_TASK, Buffer, DataOut, ScsiCommand
from trioscsi.text import Parameters

_STORE, _END_SEQUENCE, _NOTE_FAULT = transfer.Effect
_NOTHING = memoryview(b"")


class TransferFault(enum.Enum):
    """What went wrong with a transfer: sense key ABORTED COMMAND with this ASC and ASCQ.

    RFC 7143 section 11.4.7.2.
    """

    UNEXPECTED_DATA = (0x0C, 0x0C)
    INCORRECT_AMOUNT = (0x0C, 0x0D)
    DIGEST = (0x47, 0x05)


@attrs.define(eq=False)
class Sequence:
    """One unsolicited burst, or the answer to one R2T (RFC 7143 section 11.7)."""

    start: int
    end: int
    machine: transfer.Inputs = attrs.field(factory=transfer.machine.start)
    position: int = attrs.field(init=False)
    data_sn: int = 0

    def __attrs_post_init__(self) -> None:
        self.position = self.start

    def comes_next(self, pdu: DataOut, length: int) -> bool:
        """Whether a PDU with so many bytes of data goes on where the last one ended."""
        end = pdu.buffer_offset + length
        return (
            pdu.buffer_offset == self.position and pdu.data_sn == self.data_sn and end <= self.end
        )

    def classify(self, pdu: DataOut) -> Effects:
        """Feed the sequence's machine with what this PDU is to it."""
        end = pdu.buffer_offset + len(pdu.data)
        complete = end == self.end
        machine = self.machine
        if not self.comes_next(pdu, len(pdu.data)) or (complete and not pdu.final):
            return machine.last_fault_found() if pdu.final else machine.fault_found()
        self.position, self.data_sn = end, self.data_sn + 1
        if not pdu.final:
            return machine.data_arrived()
        return machine.last_data_arrived() if complete else machine.ended_short()


@attrs.define(eq=False)
class Incoming:
    """The data of one write, while not all of it is here.

    ``expected`` is the Expected Data Transfer Length.  ``wanted`` is how much of it the device
    server takes, known once it has looked at the CDB; more than that is never asked for, and is
    thrown away if it comes unasked.  ``lend`` gives buffers of a given length and any content.
    """

    expected: int
    parameters: Parameters
    lend: Callable[[int], memoryview]
    buffer: memoryview
    window: memoryview | None = None
    """The memory that the data is for, if it may be put there before all of it is here."""
    wanted: int | None = None
    fault: TransferFault | None = None
    sequences: dict[int, Sequence] = attrs.field(factory=dict)
    command: ScsiCommand | None = None
    """The command whose own data are still to come."""
    _solicited: int = 0
    """Up to where data has come unasked or was asked for."""
    _abandoned: bool = False

    @classmethod
    def begin(
        cls,
        expected: int,
        immediate: Buffer,
        more_follows: bool,
        parameters: Parameters,
        lend: Callable[[int], memoryview],
    ) -> Incoming:
        """Start with the immediate data; ``more_follows`` announces an unsolicited burst."""
        burst = min(expected, parameters.first_burst_length) if more_follows else len(immediate)
        self = cls(expected, parameters, lend, lend(burst))
        self.buffer[: len(immediate)] = immediate
        self._solicited = burst
        if more_follows:
            self.sequences[NO_TASK] = Sequence(len(immediate), burst)
        return self

    @classmethod
    def begin_before(
        cls,
        expected: int,
        command: ScsiCommand,
        length: int,
        parameters: Parameters,
        lend: Callable[[int], memoryview],
    ) -> Incoming:
        """Start before so many bytes of immediate data have come; nothing more comes unasked."""
        self = cls(expected, parameters, lend, _NOTHING, command=command)
        self._solicited = length
        self.sequences[NO_TASK] = Sequence(0, length)
        return self

    @property
    def complete(self) -> bool:
        """Whether nothing is on its way, and nothing is left to ask for."""
        if self.sequences:
            return False
        return self.wanted is None or self.fault is not None or self._solicited >= self.wanted

    def want(self, length: int) -> None:
        """The device server takes ``length`` bytes, at most those that are expected."""
        self.wanted = min(length, self.expected)

    def make_room(self) -> None:
        """Have a buffer for all that is wanted; what has come already stays in place."""
        if self.wanted is not None and self.wanted > len(self.buffer):
            grown = self.lend(self.wanted) if self.window is None else self.window
            grown[: len(self.buffer)] = self.buffer
            self.buffer = grown

    def next_r2t(self) -> tuple[int, int] | None:
        """Offset and length of the R2T that may be sent now, if any (section 11.8)."""
        if self.wanted is None or self.fault is not None or NO_TASK in self.sequences:
            # An unsolicited burst comes to its end first (section 13.19: data in sequence).
            return None
        if len(self.sequences) >= self.parameters.max_outstanding_r2t:
            return None
        length = min(self.wanted - self._solicited, self.parameters.max_burst_length)
        return (self._solicited, length) if length > 0 else None

    def solicit(self, ttt: int, offset: int, length: int) -> None:
        """An R2T with this Target Transfer Tag was sent."""
        self.sequences[ttt] = Sequence(offset, offset + length)
        self._solicited = offset + length

    def destination(self, pdu: DataOut, length: int) -> memoryview | None:
        """Where the data of a Data-Out PDU belongs, if that is certain before it has come.

        An unsolicited burst has no such place, as its buffer moves when the rest is asked for.
        """
        sequence = None if pdu.ttt == NO_TASK else self.sequences.get(pdu.ttt)
        if (
            sequence is None
            or self.wanted is None
            or self.fault is not None
            or not sequence.comes_next(pdu, length)
        ):
            return None
        return self.buffer[pdu.buffer_offset : pdu.buffer_offset + length]

    def destination_before(self, command: ScsiCommand, length: int) -> memoryview | None:
        """The same for the data that come with the command itself: for them, the window."""
        if self.command is not command or self.window is None or length > (self.wanted or 0):
            return None
        self.make_room()
        return self.buffer[:length]

    def receive_immediate(self, data: memoryview) -> None:
        """Take the data that came with the command, after it."""
        self.command = None
        self.sequences.pop(NO_TASK).machine.last_data_arrived()
        if self.fault is not None or self._abandoned:
            return
        if self.buffer:
            self.buffer[: len(data)] = data  # which costs nothing where they were received there
        else:
            self.buffer = data

    def abandon(self) -> None:
        """Nobody wants the data any more: what was announced is thrown away when it comes."""
        self.wanted, self.buffer, self.window, self._abandoned = None, _NOTHING, None, True

    def receive(self, sequence: Sequence, pdu: DataOut) -> None:
        """Take one Data-Out PDU of an announced sequence."""
        for effect in sequence.classify(pdu):
            if effect is _STORE:
                self._store(pdu)
            elif effect is _END_SEQUENCE:
                del self.sequences[pdu.ttt]
            elif effect is _NOTE_FAULT:
                self.fault = self.fault or TransferFault.INCORRECT_AMOUNT

    def spoil(self, sequence: Sequence, pdu: DataOut) -> None:
        """A Data-Out PDU of an announced sequence came with a bad digest (section 7.8)."""
        self.fault = TransferFault.DIGEST
        machine = sequence.machine
        effects = machine.last_fault_found() if pdu.final else machine.fault_found()
        if transfer.Effect.END_SEQUENCE in effects:
            del self.sequences[pdu.ttt]

    def _store(self, pdu: DataOut) -> None:
        end = pdu.buffer_offset + len(pdu.data)
        if end <= len(self.buffer):
            # Data that was received in its place costs nothing here: it is moved to where it is.
            self.buffer[pdu.buffer_offset : end] = pdu.data
