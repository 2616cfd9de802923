"""Target port groups and their asymmetric access states (SPC-4 sections 5.15, 6.37 and 6.45).

A group is what a transport has as one way in (for iSCSI a portal group, which is one target port).
Its state says what may be asked there. While all groups are active, no command is looked at.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, Protocol

import attrs

from trioscsi.errors import UsageError
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import (
    IN_ACCESS_STATE_TRANSITION,
    PARAMETER_LIST_LENGTH_ERROR,
    PORT_IN_STANDBY,
    PORT_UNAVAILABLE,
    invalid_parameter,
)
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Failed, Receive, Refusal, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.sense import Sense


class AccessState(enum.IntEnum):
    """Asymmetric access states (SPC-4 section 5.15.2), but for those that no group is ever in."""

    ACTIVE_OPTIMIZED = 0x0
    ACTIVE_NON_OPTIMIZED = 0x1
    STANDBY = 0x2
    UNAVAILABLE = 0x3
    TRANSITIONING = 0xF

    @property
    def label(self) -> str:
        """The name as people write it: ``active/non-optimized``, ``standby``."""
        return self.name.lower().replace("_", "/", 1).replace("_", "-")

    @classmethod
    def of(cls, label: str) -> AccessState:
        """The state that people call so; raises UsageError for what is none."""
        for state in cls:
            if state.label == label:
                return state
        known = ", ".join(state.label for state in cls)
        raise UsageError(f"{label!r} is no access state: it is one of {known}")


class Cause(enum.IntEnum):
    """How a group came to its state (the status codes of SPC-4 section 6.37)."""

    NONE = 0
    SET_TARGET_PORT_GROUPS = 1
    IMPLICIT = 2


_ACTIVE = (AccessState.ACTIVE_OPTIMIZED, AccessState.ACTIVE_NON_OPTIMIZED)

REFUSALS: Mapping[AccessState, Sense] = {
    AccessState.STANDBY: PORT_IN_STANDBY,
    AccessState.UNAVAILABLE: PORT_UNAVAILABLE,
    AccessState.TRANSITIONING: IN_ACCESS_STATE_TRANSITION,
}

# An opcode, and a service action where not all of them pass.
_TRANSITION = frozenset({(0x03, None), (0x12, None), (0xA0, None), (0xA3, 0x0A)})
_UNAVAILABLE = _TRANSITION | {(0x3B, None), (0x3C, None), (0x9B, None), (0xA4, 0x0A)}
_STANDBY = _UNAVAILABLE | {
    *((opcode, None) for opcode in (0x15, 0x1A, 0x1C, 0x1D, 0x25, 0x4C, 0x4D, 0x55, 0x5A)),
    *((opcode, None) for opcode in (0x5E, 0x5F, 0xA3)),
    (0x9E, 0x10),
}
PASSING: Mapping[AccessState, frozenset[tuple[int, int | None]]] = {
    AccessState.STANDBY: _STANDBY,
    AccessState.UNAVAILABLE: _UNAVAILABLE,
    AccessState.TRANSITIONING: _TRANSITION,
}
"""What is performed all the same: what SPC-4 section 5.15.2 names, and what changes no block.

The capacity may be read in standby, since initiators ask for it before they take a path into use.
"""


@attrs.define
class PortGroup:
    """A target port group: its number, and the relative numbers of the ports in it."""

    number: int
    state: AccessState = AccessState.ACTIVE_OPTIMIZED
    cause: Cause = Cause.NONE

    @property
    def ports(self) -> tuple[int, ...]:
        """Relative target port identifiers: a portal group is one iSCSI target port."""
        return (self.number,)


class Changed(Protocol):
    """Hears of a change of states."""

    def __call__(self, *, by: Nexus | None) -> None:
        """Groups have new states; ``by`` is the initiator that asked for it, if one did."""


def _nobody(*, by: Nexus | None) -> None:
    """A unit that belongs to no target has one group, and nothing to tell."""


class PortGroups:
    """The groups of one target by number, from 1 to 65535."""

    def __init__(self, states: Mapping[int, AccessState] | None = None) -> None:
        """Raises UsageError if there is no group, or one has an impossible number."""
        states = {1: AccessState.ACTIVE_OPTIMIZED} if states is None else states
        if not states or not all(0 < number < 65_536 for number in states):
            raise UsageError("target port groups are numbered from 1 to 65535")
        self._groups = {number: PortGroup(number, states[number]) for number in sorted(states)}
        self.changed: Changed = _nobody

    def __iter__(self) -> Iterator[PortGroup]:
        return iter(self._groups.values())

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, number: int) -> bool:
        return number in self._groups

    def include(self, numbers: Iterable[int]) -> None:
        """Have these groups, active, and no others but those that were in another state."""
        kept = {group.number: group for group in self if group.cause is not Cause.NONE}
        found = {number: PortGroup(number) for number in numbers} | kept
        self._groups = dict(sorted(found.items()))

    @property
    def ports(self) -> list[int]:
        """The relative target port identifiers of all groups."""
        return [port for group in self for port in group.ports]

    def state_for(self, nexus: Nexus) -> AccessState:
        """The state of the group that an initiator has come through."""
        group = self._groups.get(nexus.target_port_group)
        return AccessState.ACTIVE_OPTIMIZED if group is None else group.state

    def change(
        self, states: Mapping[int, AccessState], cause: Cause, *, by: Nexus | None = None
    ) -> None:
        """Give groups other states; raises UsageError, and changes nothing, if one is not there."""
        for number in states:
            if number not in self._groups:
                raise UsageError(f"there is no target port group {number}")
        changing = [group for group in self if states.get(group.number, group.state) != group.state]
        for group in changing:
            group.state, group.cause = states[group.number], cause
        if changing:
            self.changed(by=by)

    @property
    def guarding(self) -> bool:
        """Whether commands must be looked at, as not all groups are active."""
        return any(group.state not in _ACTIVE for group in self)


def guard(unit: LogicalUnit, command: Command, _cdb: Bytes, nexus: Nexus) -> Plan | None:
    """Refuse what the state of the initiator's group does not allow."""
    state = unit.port_groups.state_for(nexus)
    if state in _ACTIVE:
        return None
    passing = PASSING[state]
    if (command.opcode, None) in passing or (command.opcode, command.service_action) in passing:
        return None
    return Failed(REFUSALS[state])


# Commands.

LENGTH_ONLY_HEADER = layout(4, return_data_length=span(0, 3))
EXTENDED_HEADER = layout(
    8,
    return_data_length=span(0, 3),
    return_data_format=bits(4, 6, 4),
    implicit_transition_time=span(5),
)
GROUP_DESCRIPTOR = layout(
    8,
    pref=bits(0, 7),
    rtpg_fmt=bits(0, 6, 4),
    asymmetric_access_state=bits(0, 3, 0),
    t_sup=bits(1, 7),
    o_sup=bits(1, 6),
    lbd_sup=bits(1, 4),
    u_sup=bits(1, 3),
    s_sup=bits(1, 2),
    an_sup=bits(1, 1),
    ao_sup=bits(1, 0),
    target_port_group=span(2, 3),
    status_code=span(5),
    vendor_specific=span(6),
    target_port_count=span(7),
)
PORT_DESCRIPTOR = layout(4, relative_target_port_identifier=span(2, 3))
SET_DESCRIPTOR = layout(
    4,
    asymmetric_access_state=bits(0, 3, 0),
    target_port_group_or_target_port=span(2, 3),
)

_LENGTH_ONLY, _EXTENDED = 0b000, 0b001
_SET_HEADER = 4
_SETTABLE = (*_ACTIVE, AccessState.STANDBY, AccessState.UNAVAILABLE)


@decoded
def report_target_port_groups(unit: LogicalUnit, cdb: Cdb, _nexus: Nexus) -> Plan:
    """REPORT TARGET PORT GROUPS (SPC-4 section 6.37)."""
    descriptors = b"".join(map(_described, unit.port_groups))
    match cdb["parameter_data_format"]:
        case 0b000:
            data = LENGTH_ONLY_HEADER.encode(return_data_length=len(descriptors))
        case 0b001:
            data = EXTENDED_HEADER.encode(
                return_data_length=EXTENDED_HEADER.length - 4 + len(descriptors),
                return_data_format=_EXTENDED,
            )
        case _:
            raise cdb.refusal("parameter_data_format")
    return Reply((data + descriptors)[: cdb["allocation_length"]])


def _described(group: PortGroup) -> bytes:
    head = GROUP_DESCRIPTOR.encode(
        asymmetric_access_state=group.state,
        t_sup=1,
        u_sup=1,
        s_sup=1,
        an_sup=1,
        ao_sup=1,
        target_port_group=group.number,
        status_code=group.cause,
        target_port_count=len(group.ports),
    )
    ports = (PORT_DESCRIPTOR.encode(relative_target_port_identifier=port) for port in group.ports)
    return head + b"".join(ports)


@decoded
def set_target_port_groups(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """SET TARGET PORT GROUPS (SPC-4 section 6.45); groups that it does not name stay as they are.

    A single port cannot be set offline, and a transition takes no time: there is no state to set
    that says of either.
    """
    length = cdb["parameter_list_length"]
    if length > _SET_HEADER + len(unit.port_groups) * SET_DESCRIPTOR.length:
        raise cdb.refusal("parameter_list_length")
    return Receive(length, partial(_set, unit, nexus, length)) if length else Done()


def _set(unit: LogicalUnit, nexus: Nexus, length: int, data: bytes) -> Plan:
    if len(data) < length or length < _SET_HEADER or length % SET_DESCRIPTOR.length:
        return Failed(PARAMETER_LIST_LENGTH_ERROR)
    states: dict[int, AccessState] = {}
    for place in range(_SET_HEADER, length, SET_DESCRIPTOR.length):
        fields = SET_DESCRIPTOR.decode(data[place:])
        number = fields["target_port_group_or_target_port"]
        if fields["asymmetric_access_state"] not in _SETTABLE:
            raise Refusal(invalid_parameter(place, 3))
        if number not in unit.port_groups or number in states:
            raise Refusal(invalid_parameter(place + 2, 7))
        states[number] = AccessState(fields["asymmetric_access_state"])
    unit.port_groups.change(states, Cause.SET_TARGET_PORT_GROUPS, by=nexus)
    return Done()


_SERVICE_ACTION = bits(1, 4, 0)

COMMANDS = (
    Command(
        0xA3,
        "REPORT TARGET PORT GROUPS",
        cdb_layout(
            12,
            parameter_data_format=bits(1, 7, 5),
            service_action=_SERVICE_ACTION,
            allocation_length=span(6, 9),
        ),
        report_target_port_groups,
        service_action=0x0A,
        access=Access.ALWAYS,
    ),
    Command(
        0xA4,
        "SET TARGET PORT GROUPS",
        cdb_layout(12, service_action=_SERVICE_ACTION, parameter_list_length=span(6, 9)),
        set_target_port_groups,
        service_action=0x0A,
        access=Access.WRITE,
    ),
)
