"""Commands as data, and the set of those that a kind of device has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.plan import Failed, Refusal
from trioscsi.scsi.sense import INVALID_COMMAND_OPERATION_CODE, START_REQUIRED, invalid_field

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes, Cdb, CdbLayout
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

    Perform = Callable[[LogicalUnit, Bytes, Nexus], Plan]
    Decoded = Callable[[LogicalUnit, Cdb, Nexus], Plan]

OPCODES = 256


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
    """

    opcode: int
    name: str
    layout: CdbLayout
    bind: Callable[[CdbLayout], Perform]
    service_action: int | None = attrs.field(default=None, kw_only=True)
    medium: bool = attrs.field(default=False, kw_only=True)
    attention: bool = attrs.field(default=True, kw_only=True)

    @property
    def usage(self) -> bytes:
        """The CDB usage data of REPORT SUPPORTED OPERATION CODES."""
        return self.layout.usage(self.opcode, self.service_action)


class CommandSet:
    """The commands of one kind of device, and their dispatch by opcode and service action.

    ``ready`` and ``stopped`` hold a function for each of the 256 opcodes; a stopped unit uses
    the second, so that nothing needs to be asked in the first. ``exempt`` are the opcodes that a
    pending unit attention does not hold up.
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = {(command.opcode, command.service_action): command for command in commands}
        self.exempt = frozenset(command.opcode for command in commands if not command.attention)
        self.ready = self._dispatch(_bound)
        self.stopped = self._dispatch(lambda c: _not_ready if c.medium else _bound(c))

    def __iter__(self) -> Iterator[Command]:
        """The commands in the order of opcode and service action."""
        return iter(sorted(self._commands.values(), key=_order))

    def of(self, opcode: int) -> dict[int | None, Command]:
        """The commands of one opcode by service action; the key None is alone if there is none."""
        return {action: c for (code, action), c in self._commands.items() if code == opcode}

    def _dispatch(self, choose: Callable[[Command], Perform]) -> list[Perform]:
        table: list[Perform] = [_unknown] * OPCODES
        for opcode in {command.opcode for command in self}:
            actions = {action: choose(command) for action, command in self.of(opcode).items()}
            table[opcode] = actions[None] if None in actions else _by_service_action(actions)
        return table


def _order(command: Command) -> tuple[int, int]:
    return command.opcode, command.service_action or 0


def _bound(command: Command) -> Perform:
    return command.bind(command.layout)


def _by_service_action(actions: dict[int | None, Perform]) -> Perform:
    def run(unit: LogicalUnit, cdb: Bytes, nexus: Nexus) -> Plan:
        action = actions.get(cdb[1] & 0x1F)
        if action is None:
            raise Refusal(invalid_field(1, 4))
        return action(unit, cdb, nexus)

    return run


def _unknown(_unit: LogicalUnit, _cdb: Bytes, _nexus: Nexus) -> Plan:
    return Failed(INVALID_COMMAND_OPERATION_CODE)


def _not_ready(_unit: LogicalUnit, _cdb: Bytes, _nexus: Nexus) -> Plan:
    return Failed(START_REQUIRED)
