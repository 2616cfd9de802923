"""PERSISTENT RESERVE OUT (SPC-4 sections 5.12 and 6.16): to register, reserve and take away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi import transport_id
from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.layout import Layout, bits, layout, span
from trioscsi.scsi.plan import Done, Procedure, Refusal
from trioscsi.scsi.registrations import Change, Registrant, Type
from trioscsi.scsi.reservations import CONFLICT
from trioscsi.scsi.sense import (
    INVALID_RELEASE,
    NO_ROOM_FOR_REGISTRATIONS,
    PARAMETER_LIST_LENGTH_ERROR,
    invalid_parameter,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from trioscsi.scsi.cdb import CdbLayout
    from trioscsi.scsi.command import Perform
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.registrations import Registrations
    from trioscsi.scsi.storage import Storage

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
    """What a nexus wants: the fields of its CDB and of its parameter list."""

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

    def at_ports(self, initiator: str) -> set[Registrant]:
        """An initiator at this target port, or at all of them if ALL_TG_PT says so."""
        ports = self.unit.port_groups.ports if self["all_tg_pt"] else (self.who.target_port,)
        return {Registrant(initiator, port) for port in ports}

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


@attrs.frozen
class Action:
    """A service action; ``decide`` says what becomes of the registrations: None if nothing.

    ``shortest`` is the length of its parameter list, which may be more if ``names``: if it can
    name initiator ports. With ``abort``, the commands of those who were pre-empted are ended.
    """

    code: int
    name: str
    decide: Callable[[Order], Change | None]
    layout: Layout = PARAMETER_LIST
    shortest: int = PARAMETER_LIST.length
    names: bool = False
    abort: bool = False


@attrs.define
class ReserveOut(Procedure):
    """Take the parameter list and do what it says, as one step between other commands."""

    unit: LogicalUnit
    nexus: Nexus
    cdb: Cdb
    action: Action

    async def perform(self, storage: Storage, data: memoryview) -> Outcome:
        """See `Procedure.perform`."""
        if len(data) < self.data_out:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        reservations = self.unit.reservations
        if reservations.reserved_by is not None:
            raise Refusal(CONFLICT)  # since the command came
        order = Order(self.unit, self.nexus, self.cdb, self.action.layout, data)
        if order.fields.get("spec_i_pt") and not self.action.names:
            raise order.refusal("spec_i_pt")
        change = self.action.decide(order)
        # What changes nothing is saved too: an earlier change may not have come to that.
        await reservations.take(change or Change(order.now, order.now), storage)
        if change is not None and self.action.abort:
            await storage.abort(reservations.known(change.preempted))
        return Done()


# What the service actions decide.


def register(order: Order) -> Change | None:
    """REGISTER: the nexus, and other initiator ports and target ports if it says so."""
    mine = order.at_ports(order.who.initiator)
    if any(order.now.keys.get(each, 0) != order["reservation_key"] for each in mine):
        raise Refusal(CONFLICT)
    if order["spec_i_pt"] and order.who in order.now.keys:
        raise order.cdb.refusal("service_action")
    return _register(order, mine, _specified(order))


def register_and_ignore_existing_key(order: Order) -> Change | None:
    """REGISTER AND IGNORE EXISTING KEY: the same, whatever key the nexus has."""
    return _register(order, order.at_ports(order.who.initiator), set())


def _register(order: Order, mine: set[Registrant], others: set[Registrant]) -> Change | None:
    aptpl = order.aptpl()
    if order.new_key:
        _check_room(order, mine | others)
        return _persisting(order.now.register([*mine, *others], order.new_key), aptpl=aptpl)
    registered = mine & order.now.keys.keys()
    return _persisting(order.now.unregister(registered), aptpl=aptpl) if registered else None


def reserve(order: Order) -> Change | None:
    """RESERVE; whoever holds the same reservation already is content."""
    kind = order.type()
    order.check_key()
    held = order.now.reservation
    if held is None:
        return order.now.reserve(order.who, kind)
    if held.type is kind and order.now.holds(order.who):
        return None
    raise Refusal(CONFLICT)


def release(order: Order) -> Change | None:
    """RELEASE, which does nothing for those who hold nothing."""
    order.check_key()
    held = order.now.reservation
    if held is None or not order.now.holds(order.who):
        return None
    if order.cdb["scope"] or order.cdb["type"] != held.type:
        raise Refusal(INVALID_RELEASE)
    return order.now.release(order.who)


def clear(order: Order) -> Change | None:
    """CLEAR: all registrations, and the reservation."""
    order.check_key()
    return order.now.clear(order.who)


def preempt(order: Order) -> Change | None:
    """PREEMPT: the reservation, if it is held with the given key, or else registrations."""
    order.check_key()
    if order.now.is_held_with(order.new_key):
        return order.now.preempt_reservation(order.who, order.new_key, order.type())
    if not order.new_key:
        raise order.refusal("service_action_reservation_key")
    if order.new_key not in order.now.keys.values():
        raise Refusal(CONFLICT)
    return order.now.preempt_registrations(order.who, order.new_key)


def register_and_move(order: Order) -> Change | None:
    """REGISTER AND MOVE: another I_T nexus is registered, and holds the reservation from now on."""
    aptpl = order.aptpl()
    order.check_key()
    held = order.now.reservation
    if held is None:
        raise order.cdb.refusal("service_action")
    if held.holder != order.who:
        raise Refusal(CONFLICT)
    if not order.new_key:
        raise order.refusal("service_action_reservation_key")
    if order["relative_target_port_identifier"] not in order.unit.port_groups.ports:
        raise order.refusal("relative_target_port_identifier")
    begin = PARAMETER_LIST.length
    if order["transportid_length"] != len(order.data) - begin:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    names = [name for _, name in _initiators(order, begin)]
    to = Registrant(names[0], order["relative_target_port_identifier"])
    if len(names) != 1 or to == order.who:
        raise Refusal(invalid_parameter(begin))
    _check_room(order, {to})
    change = order.now.move(order.who, to, order.new_key, unregister=bool(order["unreg"]))
    return _persisting(change, aptpl=aptpl)


def _persisting(change: Change, *, aptpl: bool) -> Change:
    return attrs.evolve(change, after=attrs.evolve(change.after, aptpl=aptpl))


def _check_room(order: Order, more: Collection[Registrant]) -> None:
    if len(order.now.keys.keys() | more) > order.unit.maximum_registrations:
        raise Refusal(NO_ROOM_FOR_REGISTRATIONS)


# The initiator ports that a parameter list names.


def _specified(order: Order) -> set[Registrant]:
    """Who is to be registered by SPEC_I_PT; nobody of them may be registered already."""
    begin = PARAMETER_LIST.length
    if not order["spec_i_pt"]:
        if len(order.data) > begin:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        return set()
    begin += _LIST_LENGTH
    if int.from_bytes(order.data[begin - _LIST_LENGTH : begin], "big") != len(order.data) - begin:
        raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
    specified: set[Registrant] = set()
    for place, name in _initiators(order, begin):
        more = order.at_ports(name)
        if not more.isdisjoint(order.now.keys):
            raise Refusal(invalid_parameter(place))
        specified |= more
        _check_room(order, specified)
    return specified


def _initiators(order: Order, place: int) -> Iterator[tuple[int, str]]:
    """The initiators that the TransportIDs from ``place`` on name, each with its place."""
    ports = order.unit.reservations.ports()
    while place < len(order.data):
        rest = order.data[place:]
        if len(rest) < transport_id.SHORTEST or len(rest) < (length := transport_id.length(rest)):
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        try:
            named = transport_id.decode(rest[:length])
        except ValueError:
            raise Refusal(invalid_parameter(place)) from None
        if order.unit.reservations.by_name:
            named = transport_id.name_of(named)
        elif not transport_id.is_port(named):
            if named not in ports:
                raise Refusal(invalid_parameter(place))
            yield from ((place, port) for port in ports[named])
            place += length
            continue
        yield place, named
        place += length


def _reserve_out(action: Action) -> Callable[[CdbLayout], Perform]:
    @decoded
    def run(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
        length = cdb["parameter_list_length"]
        longest = unit.maximum_transfer if action.names else action.shortest
        if not action.shortest <= length <= longest:
            raise Refusal(PARAMETER_LIST_LENGTH_ERROR)
        return ReserveOut(unit, nexus, cdb, action, data_out=length)

    return run


PERSISTENT_RESERVE_OUT = cdb_layout(
    10,
    service_action=bits(1, 4, 0),
    scope=bits(2, 7, 4),
    type=bits(2, 3, 0),
    parameter_list_length=span(5, 8),
)

ACTIONS = (
    Action(0x00, "REGISTER", register, names=True),
    Action(0x01, "RESERVE", reserve),
    Action(0x02, "RELEASE", release),
    Action(0x03, "CLEAR", clear),
    Action(0x04, "PREEMPT", preempt),
    Action(0x05, "PREEMPT AND ABORT", preempt, abort=True),
    Action(0x06, "REGISTER AND IGNORE EXISTING KEY", register_and_ignore_existing_key),
    Action(
        0x07,
        "REGISTER AND MOVE",
        register_and_move,
        MOVE_PARAMETER_LIST,
        MOVE_PARAMETER_LIST.length + transport_id.SHORTEST,
        names=True,
    ),
)
COMMANDS = tuple(
    Command(
        0x5F,
        f"PERSISTENT RESERVE OUT ({action.name})",
        PERSISTENT_RESERVE_OUT,
        _reserve_out(action),
        service_action=action.code,
        access=Access.PERSISTENT,
    )
    for action in ACTIONS
)
