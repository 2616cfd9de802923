"""Commands as data, and the set of those that a kind of device has."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.complaints import INVALID_COMMAND_OPERATION_CODE, invalid_field
from trioscsi.scsi.plan import Failed, Refusal

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes, Cdb, CdbLayout
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

    Perform = Callable[[LogicalUnit, Bytes, Nexus], Plan]
    Decoded = Callable[[LogicalUnit, Cdb, Nexus], Plan]

OPCODES = 256
USUAL_TIMEOUT = 60
"""Seconds in which a command is done, whatever storage it waits for, or storage is in trouble."""
TRANSFER_TIMEOUT = 3600
"""Seconds for a command that moves, writes or flushes far more than what comes with it."""
LONG_TIMEOUT = 86_400
"""Seconds for a command that may have to go through all blocks of a large disk."""
VARIABLE_LENGTH = 0x7F
"""The opcode of all CDBs of 32 bytes (SPC-4 section 4.2)."""
_ADDITIONAL_CDB_LENGTH = 7


class Access(enum.Enum):
    """How a command stands to what a reservation protects (SPC-4 section 5.12)."""

    ALWAYS = "whoever holds a reservation, it is performed, or decides by itself"
    CONDITION = "it conflicts with what another has reserved by RESERVE (SPC-2), and nothing else"
    PERSISTENT = "it conflicts with RESERVE, even one's own, and decides by itself about the rest"
    READ = "it conflicts with exclusive access"
    WRITE = "it conflicts with write exclusive and with exclusive access"


class Concern(enum.IntEnum):
    """What can hold commands up, in the order in which it is looked at."""

    VIEW = 0
    """The initiator may only read the unit."""
    PORT = 1
    """The target port group is not active (SPC-4 section 5.15)."""
    RESERVATION = 2
    """Another initiator has reserved the unit (SPC-4 section 5.12)."""
    MEDIUM = 3
    """The medium is being formatted or sanitized, or was left in disorder by that."""
    SELF_TEST = 4
    """A self-test in the foreground is under way (SPC-4 section 5.14)."""
    STOPPED = 5
    """The unit was stopped (SBC-3 section 5.25)."""
    LOW_POWER = 6
    """The unit is idle or in standby: no command is held up, but some end that."""


def decoded(perform: Decoded) -> Callable[[CdbLayout], Perform]:
    """A command written for a decoded CDB, made ready for a layout to be bound to it.

    The commands that move data are written for the bytes instead: decoding all fields costs ten
    times what they need.
    """

    def bind(layout: CdbLayout) -> Perform:
        def run(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan:
            return perform(unit, layout.decode(cdb), nexus)

        return run

    return bind


@attrs.frozen
class Command:
    """One command of the table.

    ``medium``: it needs a unit that is started. ``attention``: it is not performed while a unit
    attention is pending, but reports that (SAM-5 section 5.14 exempts three commands).
    ``timeout``: for how many seconds an initiator had better wait before it gives the command up,
    not counting that it may write all blocks ``passes`` times, at a pace that the unit knows.
    ``access``: see `Access`; of a CDB that ``harmless`` is true for, it is ALWAYS. ``needs``:
    whether a unit has the command; without it, every one has.
    """

    opcode: int
    name: str
    layout: CdbLayout
    bind: Callable[[CdbLayout], Perform]
    service_action: int | None = attrs.field(default=None, kw_only=True)
    medium: bool = attrs.field(default=False, kw_only=True)
    attention: bool = attrs.field(default=True, kw_only=True)
    access: Access = attrs.field(kw_only=True)
    timeout: int = attrs.field(default=USUAL_TIMEOUT, kw_only=True)
    passes: int = attrs.field(default=0, kw_only=True)
    harmless: Callable[[Bytes], bool] | None = attrs.field(default=None, kw_only=True)
    needs: Callable[[LogicalUnit], bool] | None = attrs.field(default=None, kw_only=True)

    def run(self) -> Perform:
        """What performs the command."""
        perform, needs = self.bind(self.layout), self.needs
        if needs is None:
            return perform

        def run(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan:
            return (perform if needs(unit) else self.absent)(unit, cdb, nexus)

        return run

    def absent(self, _unit: LogicalUnit, _cdb: Bytes, _nexus: Nexus) -> Plan:
        """What a unit answers that has not what the command needs."""
        if self.service_action is None:
            return Failed(INVALID_COMMAND_OPERATION_CODE)
        raise self.layout.refusal("service_action")

    def is_of(self, unit: LogicalUnit) -> bool:
        """Whether the unit has the command."""
        return self.needs is None or self.needs(unit)

    @property
    def usage(self) -> bytes:
        """The CDB usage data of REPORT SUPPORTED OPERATION CODES."""
        return self.layout.usage(self.opcode, self.service_action)

    def access_of(self, cdb: Bytes) -> Access:
        """How this one stands to what a reservation protects."""
        harmless = self.harmless is not None and self.harmless(cdb)
        return Access.ALWAYS if harmless else self.access


Guard = Callable[["LogicalUnit", Command, "Bytes", "Nexus"], "Plan | None"]
"""Looks at a command before it is performed; a plan is what happens instead."""


class CommandSet:
    """The commands of one kind of device, and their dispatch by opcode and service action.

    ``table`` holds a function for each of the 256 opcodes. ``exempt`` are the opcodes that a
    pending unit attention does not hold up.
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = {(command.opcode, command.service_action): command for command in commands}
        assert len(self._commands) == len(commands), "two commands are the same"
        self.exempt = frozenset(command.opcode for command in commands if not command.attention)
        self.table: list[Perform] = [_unknown] * OPCODES
        for opcode in {command.opcode for command in self}:
            actions = {action: command.run() for action, command in self.of(opcode).items()}
            run = actions[None] if None in actions else _by_service_action(actions)
            self.table[opcode] = _of_32_bytes(actions) if opcode == VARIABLE_LENGTH else run

    def __iter__(self) -> Iterator[Command]:
        """The commands in the order of opcode and service action."""
        return iter(sorted(self._commands.values(), key=_order))

    def of(self, opcode: int) -> dict[int | None, Command]:
        """The commands of one opcode by service action; the key None is alone if there is none."""
        return {action: c for (code, action), c in self._commands.items() if code == opcode}

    def find(self, cdb: Bytes) -> Command | None:
        """The command of a CDB, if there is one; of the CDB, the length alone was checked."""
        opcode = cdb[0]
        action = _action_of_32_bytes(cdb) if opcode == VARIABLE_LENGTH else cdb[1] & 0x1F
        return self._commands.get((opcode, None)) or self._commands.get((opcode, action))


def _order(command: Command) -> tuple[int, int]:
    return command.opcode, command.service_action or 0


def _by_service_action(actions: dict[int | None, Perform]) -> Perform:
    def run(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan:
        action = actions.get(cdb[1] & 0x1F)
        if action is None:
            raise Refusal(invalid_field(1, 4))
        return action(unit, cdb, nexus)

    return run


def _of_32_bytes(actions: dict[int | None, Perform]) -> Perform:
    def run(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan:
        if len(cdb) != 32 or cdb[_ADDITIONAL_CDB_LENGTH] != 32 - 8:
            raise Refusal(invalid_field(_ADDITIONAL_CDB_LENGTH, 7))
        action = actions.get(_action_of_32_bytes(cdb))
        if action is None:
            raise Refusal(invalid_field(8, 7))
        return action(unit, cdb, nexus)

    return run


def _action_of_32_bytes(cdb: Bytes) -> int:
    return int.from_bytes(cdb[8:10], "big")


def _unknown(_unit: LogicalUnit, _cdb: Bytes, _nexus: Nexus) -> Plan:
    return Failed(INVALID_COMMAND_OPERATION_CODE)


def objection(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan | None:
    """What the guards of a unit let happen instead of a command, if one of them objects."""
    command = unit.commands.find(cdb)
    if command is not None and command.is_of(unit):
        for guard in unit.guards:
            plan = guard(unit, command, cdb, nexus)
            if plan is not None:
                return plan
    return None


def guarded(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan:
    """Perform a command of a unit that has guards, if none of them objects."""
    plan = objection(unit, cdb, nexus)
    return unit.commands.table[cdb[0]](unit, cdb, nexus) if plan is None else plan


GUARDED: list[Perform] = [guarded] * OPCODES
"""What a unit with guards runs instead of its command set's ``table``."""
