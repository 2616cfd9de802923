"""PERSISTENT RESERVE OUT (SPC-4 sections 5.12 and 6.16): to register, reserve and take away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, decoded
from trioscsi.scsi.complaints import INVALID_RELEASE, PARAMETER_LIST_LENGTH_ERROR
from trioscsi.scsi.layout import Layout, bits, span
from trioscsi.scsi.plan import Done, Procedure, Refusal
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.reservations.persistent_order import MOVE_PARAMETER_LIST, PARAMETER_LIST, Order
from trioscsi.scsi.reservations.registrations import Change, Registrant
from trioscsi.scsi.reservations.state import CONFLICT

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import CdbLayout
    from trioscsi.scsi.command import Perform
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Outcome, Plan
    from trioscsi.scsi.storage import Storage


@attrs.frozen
class Action:
    """A service action; ``decide`` says what becomes of the registrations: None if nothing.

    ``shortest`` is the length of its parameter list, which may be more if ``names``: if it can
    name initiator ports. With ``abort``, the commands of those who were pre-empted are ended.
    ``needs``: whether a unit has it; without it, every one has.
    """

    code: int
    name: str
    decide: Callable[[Order], Change | None]
    layout: Layout = PARAMETER_LIST
    shortest: int = PARAMETER_LIST.length
    names: bool = False
    abort: bool = False
    needs: Callable[[LogicalUnit], bool] | None = None


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
    return _register(order, mine, order.others())


def register_and_ignore_existing_key(order: Order) -> Change | None:
    """REGISTER AND IGNORE EXISTING KEY: the same, whatever key the nexus has."""
    return _register(order, order.at_ports(order.who.initiator), [])


def _register(order: Order, mine: list[Registrant], others: list[Registrant]) -> Change | None:
    aptpl = order.aptpl()
    if order.new_key:
        order.check_room([*mine, *others])
        return _persisting(order.now.register([*mine, *others], order.new_key), aptpl=aptpl)
    registered = [each for each in mine if each in order.now.keys]
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
    to = order.destination()
    order.check_room([to])
    change = order.now.move(order.who, to, order.new_key, unregister=bool(order["unreg"]))
    return _persisting(change, aptpl=aptpl)


def replace_lost_reservation(order: Order) -> Change | None:
    """REPLACE LOST RESERVATION: one nexus is registered and holds the reservation, and no other."""
    if not order.unit.reservations.lost:
        if order.now.reservation is not None and order.who not in order.now.keys:
            raise Refusal(CONFLICT)
        raise Refusal(INVALID_RELEASE)
    kind, aptpl = order.type(), order.aptpl()
    if order["reservation_key"]:
        raise order.refusal("reservation_key")
    if not order.new_key:
        raise order.refusal("service_action_reservation_key")
    if order["all_tg_pt"]:
        raise order.refusal("all_tg_pt")
    return _persisting(order.now.replace_lost(order.who, order.new_key, kind), aptpl=aptpl)


def _persisting(change: Change, *, aptpl: bool) -> Change:
    return attrs.evolve(change, after=attrs.evolve(change.after, aptpl=aptpl))


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
    Action(
        0x08,
        "REPLACE LOST RESERVATION",
        replace_lost_reservation,
        needs=lambda unit: unit.keeps_state,
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
        needs=action.needs,
    )
    for action in ACTIONS
)
