from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scsi.hosts import (
    CLEAR,
    IGNORE,
    MOVE,
    PREEMPT,
    PREEMPT_AND_ABORT,
    REGISTER,
    RELEASE,
    REPLACE,
    RESERVE,
    Host,
    House,
    registered,
)
from trioscsi.scsi import AdditionalSense, Done, Failed, Refused
from trioscsi.scsi.complaints import (
    INVALID_RELEASE,
    NO_ROOM_FOR_REGISTRATIONS,
    PARAMETER_LIST_LENGTH_ERROR,
    RESERVATIONS_LOST,
    invalid_field,
    invalid_parameter,
)
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.reservations.registrations import Registrant, Reservation, Type
from trioscsi.scsi.reservations.state import CONFLICT

RELEASED = AdditionalSense.RESERVATIONS_RELEASED
PREEMPTED = AdditionalSense.RESERVATIONS_PREEMPTED
REMOVED = AdditionalSense.REGISTRATIONS_PREEMPTED

ACTIONS = pytest.mark.parametrize("action", range(8))
TYPES = pytest.mark.parametrize("kind", Type)
SHORT = Failed(PARAMETER_LIST_LENGTH_ERROR)
NO_ACTION = Failed(invalid_field(1, 4))
KEY = 8
"""Where the SERVICE ACTION RESERVATION KEY begins."""


# REGISTER.


def test_a_nexus_registers_changes_its_key_and_unregisters(house: House, a: Host) -> None:
    assert a.order(REGISTER, 0, 5) == Done()
    assert house.now.keys == {a.who: 5}
    assert a.order(REGISTER, 5, 6) == Done()
    assert house.now.keys == {a.who: 6}
    assert a.order(REGISTER, 6, 0) == Done()
    assert house.now.keys == {}
    assert house.now.generation == 3


def test_registration_needs_the_key_that_the_nexus_has(house: House, a: Host) -> None:
    assert a.order(REGISTER, 1, 5) == CONFLICT
    a.order(REGISTER, 0, 5)
    assert a.order(REGISTER, 0, 6) == a.order(REGISTER, 4, 0) == CONFLICT
    assert house.now.keys == {a.who: 5}
    assert house.now.generation == 1


def test_to_unregister_a_stranger_is_good_and_does_nothing(house: House, a: Host) -> None:
    before = house.now
    assert a.order(REGISTER) == a.order(IGNORE, 9) == Done()
    assert house.now is before


def test_an_existing_key_can_be_ignored(house: House, a: Host) -> None:
    assert a.order(IGNORE, 77, 5) == a.order(IGNORE, 78, 6) == Done()
    assert house.now.keys == {a.who: 6}
    assert a.order(IGNORE, 79, 0) == Done()
    assert house.now.keys == {}


def test_the_scope_and_the_type_of_a_registration_are_ignored(a: Host) -> None:
    assert a.order(REGISTER, 0, 5, scope=3, type=2) == Done()
    assert a.order(IGNORE, 0, 5, scope=3, type=2) == Done()
    assert a.order(CLEAR, 5, scope=3, type=2) == Done()


def test_a_registered_nexus_that_comes_back_is_registered(house: House, a: Host) -> None:
    a.order(REGISTER, 0, 5)
    house.target.detach(a.nexus)
    house.target.reset(0)
    assert house.host("a").order(RESERVE, 5, type=1) == Done()
    assert house.host("a", isid=2).order(RESERVE, 5, type=1) == CONFLICT


def test_known_by_name_an_initiator_comes_back_with_any_isid() -> None:
    house = House({"registrations_by_name": True})
    house.host("a").order(REGISTER, 0, 5)
    assert house.host("a", isid=2).order(RESERVE, 5, type=3) == Done()
    assert house.host("a", isid=3).do("28000000000000000100") != CONFLICT
    assert house.host("b").do("28000000000000000100") == CONFLICT


def test_there_is_room_for_so_many_registrations() -> None:
    house = House({"maximum_registrations": 2})
    a, b, c = map(house.host, "abc")
    registered(a, b)
    assert c.order(REGISTER, 0, 3) == c.order(IGNORE, 0, 3) == Failed(NO_ROOM_FOR_REGISTRATIONS)
    assert a.order(REGISTER, 1, 9) == Done()
    assert house.now.keys == {a.who: 9, b.who: 2}


# RESERVE and RELEASE.


@TYPES
def test_a_registrant_reserves_and_releases(house: House, a: Host, b: Host, kind: Type) -> None:
    registered(a, b)
    assert a.order(RESERVE, 1, type=kind) == Done()
    assert house.now.reservation == Reservation(kind, None if kind.all_registrants else a.who)
    assert a.order(RELEASE, 1, type=kind) == Done()
    assert house.now.reservation is None
    assert b.heard() == ([RELEASED] if kind.shared else [])
    assert a.heard() == []
    assert house.now.generation == 2


@TYPES
def test_a_reservation_is_made_once(a: Host, b: Host, kind: Type) -> None:
    registered(a, b)
    assert a.order(RESERVE, 1, type=kind) == a.order(RESERVE, 1, type=kind) == Done()
    for other in set(Type) - {kind}:
        assert a.order(RESERVE, 1, type=other) == CONFLICT
    assert b.order(RESERVE, 2, type=kind) == (Done() if kind.all_registrants else CONFLICT)


@pytest.mark.parametrize("action", [RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT, MOVE])
def test_nothing_is_done_for_strangers_or_with_a_wrong_key(
    house: House, a: Host, b: Host, action: int
) -> None:
    registered(a)
    a.order(RESERVE, 1, type=1)
    before, rest = house.now, transport_id.encode(OTHER) if action == MOVE else b""
    for host, key in ((a, 2), (b, 0), (b, 1)):
        assert host.order(action, key, 1, type=1, rest=rest) == CONFLICT
    assert house.now is before


@pytest.mark.parametrize("kind", [0, 2, 4, 9, 15])
def test_there_are_no_other_types(a: Host, kind: int) -> None:
    registered(a)
    assert a.order(RESERVE, 1, type=kind) == Failed(invalid_field(2, 3))


def test_there_is_no_scope_but_the_unit(a: Host) -> None:
    registered(a)
    assert a.order(RESERVE, 1, type=1, scope=1) == Failed(invalid_field(2, 7))


def test_whoever_holds_nothing_may_release_it(house: House, a: Host, b: Host) -> None:
    registered(a, b)
    assert a.order(RELEASE, 1, type=1) == Done()
    a.order(RESERVE, 1, type=1)
    assert b.order(RELEASE, 2, type=1) == b.order(RELEASE, 2, type=0, scope=4) == Done()
    assert house.now.holds(a.who)


def test_what_is_released_must_be_what_is_reserved(house: House, a: Host) -> None:
    registered(a)
    a.order(RESERVE, 1, type=1)
    assert a.order(RELEASE, 1, type=3) == Failed(INVALID_RELEASE)
    assert a.order(RELEASE, 1, type=1, scope=1) == Failed(INVALID_RELEASE)
    assert house.now.holds(a.who)


@TYPES
def test_others_hear_of_what_is_released_with_a_registration(
    house: House, a: Host, b: Host, c: Host, kind: Type
) -> None:
    registered(a, b)
    a.order(RESERVE, 1, type=kind)
    a.order(REGISTER, 1, 0)
    assert (house.now.reservation is None) is not kind.all_registrants
    assert b.heard() == ([RELEASED] if kind.shared and not kind.all_registrants else [])
    assert a.heard() == c.heard() == []


# CLEAR.


def test_clear_is_for_any_registrant_and_all_others_hear_of_it(
    house: House, a: Host, b: Host, c: Host
) -> None:
    registered(a, b)
    a.order(RESERVE, 1, type=3)
    assert b.order(CLEAR, 2) == Done()
    assert (house.now.keys, house.now.reservation) == ({}, None)
    assert a.heard() == [PREEMPTED]
    assert b.heard() == c.heard() == []


# PREEMPT.


def test_registrations_are_preempted(house: House, a: Host, b: Host, c: Host) -> None:
    registered(a, b, c)
    assert a.order(PREEMPT, 1, 2, type=15, scope=15) == Done()
    assert house.now.keys == {a.who: 1, c.who: 3}
    assert (a.heard(), b.heard(), c.heard()) == ([], [REMOVED], [])


def test_what_is_not_registered_cannot_be_preempted(a: Host) -> None:
    registered(a)
    assert a.order(PREEMPT, 1, 2, type=1) == CONFLICT
    assert a.order(PREEMPT, 1, 0, type=1) == Failed(invalid_parameter(KEY, 7))


@TYPES
@pytest.mark.parametrize("wanted", Type)
def test_a_reservation_is_preempted(
    house: House, a: Host, b: Host, c: Host, kind: Type, wanted: Type
) -> None:
    registered(a, b, c)
    a.order(RESERVE, 1, type=kind)
    assert b.order(PREEMPT, 2, 0 if kind.all_registrants else 1, type=wanted) == Done()
    assert house.now.reservation == Reservation(wanted, None if wanted.all_registrants else b.who)
    assert (a.heard(), b.heard()) == ([REMOVED], [])
    if kind.all_registrants:
        assert c.heard() == [REMOVED]
    else:
        assert c.heard() == ([] if wanted is kind else [RELEASED])


@TYPES
def test_to_take_a_reservation_over_a_type_is_needed(a: Host, b: Host, kind: Type) -> None:
    registered(a, b)
    a.order(RESERVE, 1, type=kind)
    key = 0 if kind.all_registrants else 1
    assert b.order(PREEMPT, 2, key, type=2) == Failed(invalid_field(2, 3))
    assert b.order(PREEMPT, 2, key, type=1, scope=1) == Failed(invalid_field(2, 7))


@TYPES
def test_the_wrong_one_of_zero_and_a_key_is_refused(a: Host, b: Host, kind: Type) -> None:
    registered(a, b)
    a.order(RESERVE, 1, type=kind)
    if not kind.all_registrants:
        assert b.order(PREEMPT, 2, 0, type=kind) == Failed(invalid_parameter(KEY, 7))


def test_preempt_ends_no_commands_and_preempt_and_abort_those_of_the_losers(
    house: House, a: Host, b: Host, c: Host
) -> None:
    registered(a, b, c)
    a.order(PREEMPT, 1, 2, type=1)
    assert house.blocks.aborted == []
    house.target.detach(c.nexus)
    again = house.host("c")
    assert a.order(PREEMPT_AND_ABORT, 1, 3, type=1) == Done()
    assert house.blocks.aborted == [again.nexus]
    assert again.heard() == [REMOVED]


def test_the_commands_of_whoever_preempts_itself_are_ended_too(house: House, a: Host) -> None:
    registered(a)
    assert a.order(PREEMPT_AND_ABORT, 1, 1, type=1) == Done()
    assert house.blocks.aborted == [a.nexus]
    assert house.now.keys == {}


# REGISTER AND MOVE.

OTHER = "iqn.2026-11.example:named,i,0x000000000009"
TO = transport_id.encode(OTHER)


@pytest.mark.parametrize("unregister", [0, 1])
def test_a_reservation_is_moved(house: House, a: Host, unregister: int) -> None:
    registered(a)
    a.order(RESERVE, 1, type=3)
    assert a.order(MOVE, 1, 9, rest=TO, unreg=unregister) == Done()
    to = Registrant(OTHER, 1)
    assert house.now.reservation == Reservation(Type.EXCLUSIVE_ACCESS, to)
    assert house.now.keys == {to: 9} | ({} if unregister else {a.who: 1})
    assert house.now.generation == 2
    there = house.host("named", isid=9)
    assert there.order(RELEASE, 9, type=3) == Done()


def test_a_registrant_to_which_it_is_moved_has_the_new_key(house: House, a: Host, b: Host) -> None:
    registered(a, b)
    a.order(RESERVE, 1, type=3)
    assert a.order(MOVE, 1, 9, rest=transport_id.encode(b.who.initiator)) == Done()
    assert house.now.keys == {a.who: 1, b.who: 9}


def test_only_its_one_holder_moves_a_reservation(house: House, a: Host, b: Host) -> None:
    registered(a, b)
    assert a.order(MOVE, 1, 9, rest=TO) == NO_ACTION
    a.order(RESERVE, 1, type=5)
    assert b.order(MOVE, 2, 9, rest=TO) == CONFLICT
    a.order(RELEASE, 1, type=5)
    a.order(RESERVE, 1, type=7)
    assert a.order(MOVE, 1, 9, rest=TO) == CONFLICT


def test_a_move_needs_room() -> None:
    house = House({"maximum_registrations": 1})
    a = house.host("a")
    registered(a)
    a.order(RESERVE, 1, type=1)
    assert a.order(MOVE, 1, 9, rest=TO) == Failed(NO_ROOM_FOR_REGISTRATIONS)


# Parameter lists that are too short, too long, or not what they say.


@ACTIONS
@pytest.mark.parametrize("length", [0, 1, 23])
def test_a_list_that_is_too_short_for_its_fields_is_refused(
    a: Host, action: int, length: int
) -> None:
    assert a.order(action, 0, 1, type=1, length=length) == SHORT


@pytest.mark.parametrize("action", [RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT, IGNORE])
@pytest.mark.parametrize("length", [25, 28, 2**32 - 1])
def test_a_list_that_is_longer_than_its_fields_is_refused(
    a: Host, action: int, length: int
) -> None:
    registered(a)
    assert a.order(action, 1, 1, type=1, length=length) == SHORT


@ACTIONS
def test_a_list_of_which_the_initiator_sends_less_is_refused(
    house: House, a: Host, action: int
) -> None:
    plan = house.unit.execute(
        bytes((0x5F, action, 1, 0, 0, 0, 0, 0, 48 if action == 7 else 24, 0)), a.nexus
    )
    assert house.blocks.perform(plan, bytes(23)) == SHORT


def test_a_list_is_no_longer_than_what_a_command_may_carry(a: Host) -> None:
    assert a.order(REGISTER, 0, 1, length=16 * 2**20 + 1) == SHORT


@pytest.mark.parametrize("action", range(9, 32))
def test_there_are_no_other_service_actions(a: Host, action: int) -> None:
    assert a.do(bytes((0x5F, action)) + bytes(6) + b"\x18\0", bytes(24)) == NO_ACTION


@given(st.integers(0, 8), st.integers(0, 255), st.binary(max_size=120), st.booleans())
def test_any_list_gives_an_outcome(
    action: int, scope_and_type: int, data: bytes, by_name: bool
) -> None:
    house = House({"registrations_by_name": by_name, "keeps_state": True})
    a = house.host("a")
    registered(a)
    a.order(RESERVE, 1, type=1)
    cdb = bytes((0x5F, action, scope_and_type, 0, 0, 0, 0, 0, len(data), 0))
    assert isinstance(a.do(cdb, bytes(7) + b"\1" + data[8:]), Done | Failed | Refused)


# REPLACE LOST RESERVATION.


@pytest.fixture
def lost() -> House:
    """A unit that has lost what was saved of its reservations."""
    house = House({"keeps_state": True})
    assert house.unit.lose("reservations")
    return house


@TYPES
@pytest.mark.parametrize("aptpl", [0, 1])
def test_one_nexus_begins_anew_after_a_loss(lost: House, kind: Type, aptpl: int) -> None:
    a, b = lost.host("a"), lost.host("b")
    assert a.order(IGNORE, 0, 1) == Failed(RESERVATIONS_LOST)
    assert a.order(REPLACE, 0, 7, type=kind, aptpl=aptpl) == Done()
    assert lost.now.keys == {a.who: 7}
    assert lost.now.reservation == Reservation(kind, None if kind.all_registrants else a.who)
    assert lost.now.generation == 1
    assert lost.blocks.saved == {"reservations": lost.now.encode()}
    assert bool(lost.now.encode()) == bool(aptpl)
    assert b.do("2a000000000000000000") == CONFLICT
    assert a.order(RELEASE, 7, type=kind) == b.order(REGISTER, 0, 8) == Done()
    assert a.heard() == b.heard() == []


def test_nothing_else_ends_a_loss(lost: House) -> None:
    a = lost.host("a")
    lost.target.reset(0)
    a.heard()
    for action in range(8):
        assert a.order(action, 0, 1, type=1) == Failed(RESERVATIONS_LOST)
    assert a.do("000000000000") == Failed(RESERVATIONS_LOST)
    assert lost.blocks.saved == {}


def test_it_stays_lost_if_what_replaces_it_cannot_be_saved(lost: House) -> None:
    a = lost.host("a")
    lost.blocks.fails.add("save")
    with pytest.raises(Exception, match="save fails"):
        a.order(REPLACE, 0, 7, type=1)
    assert lost.now.keys == {}
    assert a.order(REGISTER, 0, 7) == Failed(RESERVATIONS_LOST)
    lost.blocks.fails.clear()
    assert a.order(REPLACE, 0, 7, type=1) == Done()


def test_what_replaces_a_loss_is_one_new_registration_and_reservation(lost: House) -> None:
    a = lost.host("a")
    for order, refused in (
        (a.order(REPLACE, 1, 7, type=1), invalid_parameter(0, 7)),
        (a.order(REPLACE, 0, 0, type=1), invalid_parameter(KEY, 7)),
        (a.order(REPLACE, 0, 7, type=2), invalid_field(2, 3)),
        (a.order(REPLACE, 0, 7, type=1, scope=1), invalid_field(2, 7)),
        (a.order(REPLACE, 0, 7, type=1, all_tg_pt=1), invalid_parameter(20, 2)),
        (a.order(REPLACE, 0, 7, type=1, spec_i_pt=1), invalid_parameter(20, 3)),
    ):
        assert order == Failed(refused)
    assert lost.now.keys == {}


def test_what_is_not_lost_is_not_replaced(lost: House) -> None:
    a, b, c = lost.host("a"), lost.host("b"), lost.host("c")
    a.order(REPLACE, 0, 7, type=1)
    b.order(REGISTER, 0, 8)
    before = lost.now
    assert a.order(REPLACE, 0, 9, type=1) == Failed(INVALID_RELEASE)
    assert b.order(REPLACE, 0, 9, type=1) == Failed(INVALID_RELEASE)
    assert c.order(REPLACE, 0, 9, type=1) == CONFLICT
    a.order(RELEASE, 7, type=1)
    assert c.order(REPLACE, 0, 9, type=1) == Failed(INVALID_RELEASE)
    assert lost.now.keys == before.keys


def test_where_nothing_is_saved_nothing_is_lost_and_nothing_can_be_replaced(a: Host) -> None:
    assert a.order(REPLACE, 0, 7, type=1) == NO_ACTION


# What is to survive a loss of power.


@pytest.mark.parametrize("action", [REGISTER, IGNORE])
def test_without_a_place_to_keep_it_nothing_survives(house: House, a: Host, action: int) -> None:
    assert a.order(action, 0, 1, aptpl=1) == Failed(invalid_parameter(20, 0))
    assert house.now.keys == {}


def test_what_was_acknowledged_is_saved() -> None:
    house = House({"keeps_state": True})
    a, b = house.host("a"), house.host("b")
    a.order(REGISTER, 0, 1)
    assert house.blocks.saved == {}
    b.order(REGISTER, 0, 2, aptpl=1)
    for action, kind in ((RESERVE, 5), (RELEASE, 5), (RESERVE, 7)):
        assert b.order(action, 2, type=kind) == Done()
        again = House({"keeps_state": True})
        again.unit.restore("reservations", house.blocks.saved["reservations"])
        assert again.now.keys == house.now.keys
        assert again.now.reservation == house.now.reservation
        assert bool(again.unit.guards) is (again.now.reservation is not None)
    a.heard()
    # The last word is that nothing is to survive.
    a.order(REGISTER, 1, 3)
    assert house.blocks.saved == {"reservations": b""}
    assert house.now.keys == {a.who: 3, b.who: 2}


def test_what_was_restored_and_is_no_more_is_forgotten_on_disk() -> None:
    house = House({"keeps_state": True})
    house.host("a").order(REGISTER, 0, 1, aptpl=1)
    again = House({"keeps_state": True})
    again.unit.restore("reservations", house.blocks.saved["reservations"])
    again.host("a").order(REGISTER, 1, 2)
    assert again.blocks.saved == {"reservations": b""}


def test_what_cannot_be_saved_is_not_done() -> None:
    house = House({"keeps_state": True})
    a, b = house.host("a"), house.host("b")
    a.order(REGISTER, 0, 1, aptpl=1)
    b.order(REGISTER, 0, 2, aptpl=1)
    before = house.now
    house.blocks.fails.add("save")
    with pytest.raises(Exception, match="save fails"):
        a.order(PREEMPT, 1, 2, type=1)
    assert house.now is before
    assert b.heard() == []


def test_what_changes_nothing_is_saved_again() -> None:
    house = House({"keeps_state": True})
    a = house.host("a")
    a.order(REGISTER, 0, 1, aptpl=1)
    a.order(RESERVE, 1, type=1)
    house.blocks.saved.clear()
    a.order(RESERVE, 1, type=1)
    assert house.blocks.saved["reservations"] == house.now.encode()


def test_a_unit_that_was_reserved_since_the_command_came_conflicts(
    house: House, a: Host, b: Host
) -> None:
    plan = house.unit.execute(bytes((0x5F, IGNORE, 0, 0, 0, 0, 0, 0, 24, 0)), a.nexus)
    assert b.do("160000000000") == Done()
    assert house.blocks.perform(plan, bytes(15) + b"\1" + bytes(8)) == CONFLICT
    assert house.now.keys == {}
