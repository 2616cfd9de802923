"""What PERSISTENT RESERVE OUT is told: its parameter lists (SPC-4 sections 6.16.3 and 6.16.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.complaints import (
    NO_ROOM_FOR_REGISTRATIONS,
    PARAMETER_LIST_LENGTH_ERROR,
    invalid_parameter,
)
from trioscsi.scsi.layout import Layout, bits, layout, span
from trioscsi.scsi.plan import Refusal
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.reservations.registrations import Registrant, Type
from trioscsi.scsi.reservations.state import CONFLICT

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Cdb
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.reservations.registrations import Registrations

PARAMETER_LIST = layout(
    24,
    reservation_key=span(0, 7),
    service_action_reservation_key=span(8, 15),
    spec_i_pt=bits(20, 3),
    all_tg_pt=bits(20, 2),
    aptpl=bits(20, 0),
)
MOVE_PARAMETER_LIST = layout(
    24,
    reservation_key=span(0, 7),
    service_action_reservation_key=span(8, 15),
    unreg=bits(17, 1),
    aptpl=bits(17, 0),
    relative_target_port_identifier=span(18, 19),
    transportid_length=span(20, 23),
)
_LIST_LENGTH = 4
"""The bytes of the length that precedes the TransportIDs of SPEC_I_PT."""
_TYPES = frozenset(Type)


@attrs.define
class Order:
    """What a nexus wants: the fields of its CDB and of its parameter list.

    Whatever asks for a part of it raises Refusal for what cannot be done.
    """

    unit: LogicalUnit
    nexus: Nexus
    cdb: Cdb
    layout: Layout
    data: memoryview
    fields: dict[str, int] = attrs.field(init=False)
    who: Registrant = attrs.field(init=False)
    now: Registrations = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.fields = self.layout.decode(self.data)
        self.who = self.unit.reservations.registrant(self.nexus)
        self.now = self.unit.reservations.persistent

    def __getitem__(self, name: str) -> int:
        return self.fields[name]

    @property
    def new_key(self) -> int:
        """The SERVICE ACTION RESERVATION KEY."""
        return self["service_action_reservation_key"]

    def refusal(self, name: str) -> Refusal:
        """What to raise for a value that we do not take in this field of the list."""
        field = self.layout.fields[name]
        return Refusal(invalid_parameter(field.byte, field.bit))

    def at_ports(self, initiator: str) -> list[Registrant]:
        """An initiator at this target port, or at all of them if ALL_TG_PT says so."""
        ports = self.unit.port_groups.ports if self["all_tg_pt"] else (self.who.target_port,)
        return [Registrant(initiator, port) for port in ports]

    def check_key(self) -> None:
        """Only a registrant that knows its key is heard."""
        if self.now.keys.get(self.who) != self["reservation_key"]:
            raise Refusal(CONFLICT)

    def type(self) -> Type:
        """The type of reservation that is wanted, of the whole unit: there is no other scope."""
        if self.cdb["scope"]:
            raise self.cdb.refusal("scope")
        if self.cdb["type"] not in _TYPES:
            raise self.cdb.refusal("type")
        return Type(self.cdb["type"])

    def aptpl(self) -> bool:
        """Whether the registrations are to survive a loss of power, from now on."""
        if self["aptpl"] and not self.unit.keeps_state:
            raise self.refusal("aptpl")
        return bool(self["aptpl"])

    def check_room(self, more: Collection[Registrant]) -> None:
        """Registrations are bounded."""
        if len(self.now.keys.keys() | set(more)) > self.unit.maximum_registrations:
            raise Refusal(NO_ROOM_FOR_REGISTRATIONS)

    def others(self) -> list[Registrant]:
        """Who is to be registered by SPEC_I_PT; none of them may be registered already."""
        begin = self.layout.length
        if not self["spec_i_pt"]:
            if len(self.data) > begin:
                raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
            return []
        begin += _LIST_LENGTH
        length = int.from_bytes(self.data[begin - _LIST_LENGTH : begin], "big")
        if length != len(self.data) - begin:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        others: list[Registrant] = []
        for place, initiator in self._initiators(begin):
            more = self.at_ports(initiator)
            if any(each in self.now.keys for each in more):
                raise Refusal(invalid_parameter(place))
            others += more
            if len(others) > self.unit.maximum_registrations:
                raise Refusal(NO_ROOM_FOR_REGISTRATIONS)
        return others

    def destination(self) -> Registrant:
        """Who is to hold the reservation after REGISTER AND MOVE: one other I_T nexus."""
        port, begin = self["relative_target_port_identifier"], self.layout.length
        if port not in self.unit.port_groups.ports:
            raise self.refusal("relative_target_port_identifier")
        if self["transportid_length"] != len(self.data) - begin:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        found = [Registrant(name, port) for _, name in islice(self._initiators(begin), 2)]
        if len(found) != 1 or found == [self.who]:
            raise Refusal(invalid_parameter(begin))
        return found[0]

    def _initiators(self, place: int) -> Iterator[tuple[int, str]]:
        """The initiators that the TransportIDs from ``place`` on name, each with its place."""
        ports = self.unit.reservations.ports()
        while place < len(self.data):
            rest = self.data[place:]
            if len(rest) < transport_id.SHORTEST or len(rest) < transport_id.length(rest):
                raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
            length = transport_id.length(rest)
            try:
                named = transport_id.decode(rest[:length])
            except ValueError:
                raise Refusal(invalid_parameter(place)) from None
            if self.unit.reservations.by_name:
                yield place, transport_id.name_of(named)
            elif transport_id.is_port(named):
                yield place, named
            elif named in ports:
                yield from ((place, port) for port in sorted(ports[named]))
            else:
                raise Refusal(invalid_parameter(place))
            place += length
