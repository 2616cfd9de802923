from __future__ import annotations

import pytest

from tests.scsi.hosts import (
    CLEAR,
    IGNORE,
    MOVE,
    PREEMPT,
    PREEMPT_AND_ABORT,
    REGISTER,
    RELEASE,
    RESERVE,
    Host,
    House,
    registered,
)
from trioscsi.scsi import Done, Failed
from trioscsi.scsi.complaints import (
    NO_ROOM_FOR_REGISTRATIONS,
    PARAMETER_LIST_LENGTH_ERROR,
    invalid_field,
    invalid_parameter,
)
from trioscsi.scsi.ports import AccessState
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.reservations.registrations import Registrant
from trioscsi.scsi.reservations.state import CONFLICT

SHORT = Failed(PARAMETER_LIST_LENGTH_ERROR)
NO_ACTION = Failed(invalid_field(1, 4))
KEY = 8
"""Where the SERVICE ACTION RESERVATION KEY begins."""


# SPEC_I_PT and ALL_TG_PT.

NAMED = "iqn.2026-11.example:named"
OTHER = f"{NAMED},i,0x000000000009"


def test_others_are_registered_along_here_or_not(house: House, a: Host, b: Host) -> None:
    rest = transport_id.encode(b.who.initiator) + transport_id.encode(OTHER)
    assert a.order(REGISTER, 0, 5, rest=rest) == Done()
    assert house.now.keys == {a.who: 5, b.who: 5, Registrant(OTHER, 1): 5}
    assert house.now.generation == 1
    assert house.host("named", isid=9).order(RESERVE, 5, type=1) == Done()


def test_an_initiator_named_without_a_port_stands_for_all_that_are_here(
    house: House, a: Host
) -> None:
    first, second = house.host("named", isid=1), house.host("named", isid=2)
    assert a.order(REGISTER, 0, 5, rest=transport_id.encode(NAMED)) == Done()
    assert set(house.now.keys) == {a.who, first.who, second.who}


def test_an_initiator_that_is_not_here_cannot_be_named_without_a_port(
    house: House, a: Host
) -> None:
    rest = transport_id.encode(OTHER) + transport_id.encode(NAMED)
    place = 28 + len(transport_id.encode(OTHER))
    assert a.order(REGISTER, 0, 5, rest=rest) == Failed(invalid_parameter(place))
    assert house.now.keys == {}


def test_known_by_name_either_form_stands_for_the_initiator() -> None:
    for named in (NAMED, OTHER):
        house = House({"registrations_by_name": True})
        house.host("a").order(REGISTER, 0, 5, rest=transport_id.encode(named))
        assert house.host("named", isid=7).order(RESERVE, 5, type=1) == Done()


def test_nobody_is_registered_if_one_is_already(house: House, a: Host, b: Host, c: Host) -> None:
    registered(b)
    rest = transport_id.encode(c.who.initiator) + transport_id.encode(b.who.initiator)
    place = 28 + len(transport_id.encode(c.who.initiator))
    assert a.order(REGISTER, 0, 5, rest=rest) == Failed(invalid_parameter(place))
    assert house.now.keys == {b.who: 1}


def test_nobody_is_registered_if_there_is_no_room_for_all() -> None:
    house = House({"maximum_registrations": 2})
    rest = b"".join(transport_id.encode(f"{NAMED},i,0x{isid:012x}") for isid in range(5))
    answer = house.host("a").order(REGISTER, 0, 5, rest=rest)
    assert answer == Failed(NO_ROOM_FOR_REGISTRATIONS)
    assert house.now.keys == {}


def test_a_registrant_may_not_name_others(a: Host) -> None:
    a.order(REGISTER, 0, 5)
    rest = transport_id.encode(OTHER)
    assert a.order(REGISTER, 5, 6, rest=rest) == a.order(REGISTER, 5, 0, rest=rest) == NO_ACTION
    assert a.order(REGISTER, 6, 0, rest=rest) == CONFLICT


@pytest.mark.parametrize("action", [RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT, IGNORE])
def test_only_register_names_others(a: Host, action: int) -> None:
    a.order(REGISTER, 0, 5)
    assert a.order(action, 5, 5, type=1, spec_i_pt=1) == Failed(invalid_parameter(20, 3))


def test_a_nexus_registers_at_all_target_ports() -> None:
    house = House()
    house.unit.port_groups = type(house.unit.port_groups)(
        {1: AccessState.ACTIVE_OPTIMIZED, 2: AccessState.ACTIVE_OPTIMIZED}
    )
    a, there = house.host("a"), house.host("a", port=2)
    assert a.order(REGISTER, 0, 5, all_tg_pt=1, rest=transport_id.encode(OTHER)) == Done()
    assert set(house.now.keys) == {
        Registrant(name, port) for name in (a.who.initiator, OTHER) for port in (1, 2)
    }
    # Each is a registration of its own from then on.
    assert there.order(REGISTER, 5, 6) == Done()
    assert a.order(REGISTER, 5, 7, all_tg_pt=1) == CONFLICT
    assert a.order(IGNORE, 0, 0, all_tg_pt=1) == Done()
    assert set(house.now.keys) == {Registrant(OTHER, 1), Registrant(OTHER, 2)}


# The destination of REGISTER AND MOVE.

TO = transport_id.encode(OTHER)


def test_a_reservation_is_moved_to_one_other_nexus_of_this_target(
    house: House, a: Host, b: Host
) -> None:
    registered(a)
    a.order(RESERVE, 1, type=1)
    before = house.now
    wrong = Failed(invalid_parameter(24))
    assert a.order(MOVE, 1, 0, rest=TO) == Failed(invalid_parameter(KEY, 7))
    assert a.order(MOVE, 1, 9, rest=TO, relative_target_port_identifier=2) == Failed(
        invalid_parameter(18, 7)
    )
    assert a.order(MOVE, 1, 9, rest=transport_id.encode(a.who.initiator)) == wrong
    assert a.order(MOVE, 1, 9, rest=transport_id.encode(b.who.initiator) + TO) == wrong
    assert a.order(MOVE, 1, 9, rest=transport_id.encode(NAMED)) == wrong
    assert a.order(MOVE, 1, 9, rest=TO, transportid_length=24) == SHORT
    assert a.order(MOVE, 1, 9, rest=TO, aptpl=1) == Failed(invalid_parameter(17, 0))
    assert house.now is before


def test_an_initiator_without_a_port_is_enough_if_it_has_but_one(house: House, a: Host) -> None:
    only = house.host("named", isid=4)
    registered(a)
    a.order(RESERVE, 1, type=1)
    assert a.order(MOVE, 1, 9, rest=transport_id.encode(NAMED)) == Done()
    assert house.now.holds(only.who)


# Lists that are not what they say.


def test_a_list_has_transport_ids_only_if_it_says_so(house: House, a: Host) -> None:
    assert a.order(REGISTER, 0, 1, rest=TO, spec_i_pt=0) == SHORT
    assert a.order(REGISTER, 0, 1, spec_i_pt=1) == SHORT
    assert house.now.keys == {}


@pytest.mark.parametrize(
    "rest",
    [
        TO[:-1],  # cut off
        TO[:20],
        TO + bytes(4),  # more than there should be
        TO + bytes(23),
    ],
)
def test_transport_ids_are_whole(house: House, a: Host, rest: bytes) -> None:
    assert a.order(REGISTER, 0, 1, rest=rest) == SHORT
    assert house.now.keys == {}


def test_transport_ids_of_other_transports_are_refused(a: Host) -> None:
    fibre_channel = bytes(24)
    assert a.order(REGISTER, 0, 1, rest=TO + fibre_channel) == Failed(
        invalid_parameter(28 + len(TO))
    )
