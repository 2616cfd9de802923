from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.scsi import AdditionalSense
from trioscsi.scsi.command import Access
from trioscsi.scsi.reservations.registrations import (
    Change,
    Registrant,
    Registrations,
    Reservation,
    Type,
)

A, B, C = (Registrant(f"iqn.x:{name},i,0x000000000001", 1) for name in "abc")
RELEASED = AdditionalSense.RESERVATIONS_RELEASED
PREEMPTED = AdditionalSense.RESERVATIONS_PREEMPTED
REMOVED = AdditionalSense.REGISTRATIONS_PREEMPTED

ALONE = [Type.WRITE_EXCLUSIVE, Type.EXCLUSIVE_ACCESS]
ONLY = [Type.WRITE_EXCLUSIVE_REGISTRANTS_ONLY, Type.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY]
ALL = [Type.WRITE_EXCLUSIVE_ALL_REGISTRANTS, Type.EXCLUSIVE_ACCESS_ALL_REGISTRANTS]
TYPES = pytest.mark.parametrize("kind", Type)


def held(kind: Type) -> Registrations:
    """A, B and C are registered with 1, 2 and 3, and A has reserved."""
    return Registrations({A: 1, B: 2, C: 3}).reserve(A, kind).after


def test_the_types_say_what_they_do() -> None:
    assert [kind for kind in Type if kind.exclusive_access] == [ALONE[1], ONLY[1], ALL[1]]
    assert [kind for kind in Type if kind.shared] == [*ONLY, *ALL]
    assert [kind for kind in Type if kind.all_registrants] == ALL


def test_whoever_registers_again_has_another_key_and_keeps_its_place() -> None:
    now = Registrations().register([A], 1).after.register([B, A], 7).after
    assert list(now.keys.items()) == [(A, 7), (B, 7)]
    assert now.generation == 2


def test_the_generation_starts_again_after_32_bits() -> None:
    assert Registrations(generation=2**32 - 1).register([A], 1).after.generation == 0


def test_to_reserve_and_to_release_are_no_changes_of_keys() -> None:
    assert held(Type.WRITE_EXCLUSIVE).generation == 0
    assert held(Type.WRITE_EXCLUSIVE).release(A).after.generation == 0


@TYPES
def test_a_reservation_is_of_its_holder_or_of_all(kind: Type) -> None:
    now = held(kind)
    assert now.reservation == Reservation(kind, None if kind in ALL else A)
    assert now.holds(A)
    assert now.holds(B) is (kind in ALL)
    assert not now.holds(Registrant("iqn.x:a,i,0x000000000002", 1))
    assert not Registrations({A: 1}).holds(A)


@TYPES
def test_a_release_is_told_to_those_who_could_use_the_unit(kind: Type) -> None:
    change = held(kind).release(A)
    assert change.after == Registrations({A: 1, B: 2, C: 3})
    assert change.told == ({} if kind in ALONE else {B: RELEASED, C: RELEASED})


@TYPES
def test_the_holder_takes_its_reservation_away_with_its_registration(kind: Type) -> None:
    change = held(kind).unregister([A])
    assert change.after.keys == {B: 2, C: 3}
    assert change.after.reservation == (Reservation(kind, None) if kind in ALL else None)
    assert change.told == ({B: RELEASED, C: RELEASED} if kind in ONLY else {})


@pytest.mark.parametrize("kind", ALL)
def test_the_last_registrant_takes_the_reservation_of_all_away(kind: Type) -> None:
    change = held(kind).unregister([A, B]).after.unregister([C])
    assert change.after.reservation is None
    assert change.told == {}


def test_others_take_nothing_away() -> None:
    change = held(Type.WRITE_EXCLUSIVE_REGISTRANTS_ONLY).unregister([B])
    assert change.after.reservation == Reservation(Type.WRITE_EXCLUSIVE_REGISTRANTS_ONLY, A)
    assert change.told == {}


@TYPES
def test_clear_leaves_nothing_and_all_others_hear_of_it(kind: Type) -> None:
    change = held(kind).clear(B)
    assert change.after == Registrations(generation=1)
    assert change.told == {A: PREEMPTED, C: PREEMPTED}


@TYPES
def test_the_key_of_the_holder_or_0_for_all_is_that_of_the_reservation(kind: Type) -> None:
    now = held(kind)
    assert [key for key in range(4) if now.is_held_with(key)] == ([0] if kind in ALL else [1])
    assert not Registrations({A: 1}).is_held_with(1)
    assert not Registrations({A: 1}).is_held_with(0)


def test_registrations_are_preempted_by_their_key_and_no_one_elses_is_touched() -> None:
    now = Registrations({A: 1, B: 2, C: 2}).reserve(A, Type.EXCLUSIVE_ACCESS).after
    change = now.preempt_registrations(A, 2)
    assert change.after.keys == {A: 1}
    assert change.after.reservation == now.reservation
    assert change.told == {B: REMOVED, C: REMOVED}
    assert set(change.preempted) == {B, C}
    assert change.after.generation == 1


def test_whoever_preempts_its_own_key_loses_it_too_and_is_not_told() -> None:
    change = Registrations({A: 1, B: 1, C: 2}).preempt_registrations(A, 1)
    assert change.after.keys == {C: 2}
    assert change.told == {B: REMOVED}


@pytest.mark.parametrize("kind", ALL)
def test_the_last_registrations_of_all_take_the_reservation_along(kind: Type) -> None:
    now = Registrations({A: 1, B: 1}).reserve(A, kind).after
    assert now.preempt_registrations(A, 1).after == Registrations(generation=1)


@pytest.mark.parametrize("kind", [*ALONE, *ONLY])
@pytest.mark.parametrize("wanted", Type)
def test_a_reservation_is_taken_over(kind: Type, wanted: Type) -> None:
    change = held(kind).preempt_reservation(B, 1, wanted)
    assert change.after.keys == {B: 2, C: 3}
    assert change.after.reservation == Reservation(wanted, None if wanted in ALL else B)
    # C lost nothing, and hears of it only if it has another type now.
    assert change.told == {A: REMOVED} | ({} if wanted is kind else {C: RELEASED})
    assert set(change.preempted) == {A}


@pytest.mark.parametrize("kind", ALL)
def test_a_reservation_of_all_is_taken_from_all(kind: Type) -> None:
    change = held(kind).preempt_reservation(B, 0, Type.WRITE_EXCLUSIVE)
    assert change.after.keys == {B: 2}
    assert change.after.reservation == Reservation(Type.WRITE_EXCLUSIVE, B)
    assert change.told == {A: REMOVED, C: REMOVED}
    assert set(change.preempted) == {A, C}


def test_the_holder_changes_the_type_by_preempting_itself() -> None:
    now = Registrations({A: 1, B: 1, C: 3}).reserve(A, Type.WRITE_EXCLUSIVE).after
    change = now.preempt_reservation(A, 1, Type.EXCLUSIVE_ACCESS)
    assert change.after.keys == {A: 1, C: 3}
    assert change.after.reservation == Reservation(Type.EXCLUSIVE_ACCESS, A)
    assert change.told == {B: REMOVED, C: RELEASED}


@pytest.mark.parametrize("unregister", [False, True])
def test_a_reservation_moves_with_its_type_and_nobody_hears_of_it(unregister: bool) -> None:
    new = Registrant("iqn.x:new", 2)
    change = held(Type.EXCLUSIVE_ACCESS).move(A, new, 9, unregister=unregister)
    assert change.after.keys == {B: 2, C: 3, new: 9} | ({} if unregister else {A: 1})
    assert change.after.reservation == Reservation(Type.EXCLUSIVE_ACCESS, new)
    assert (change.told, change.after.generation) == ({}, 1)


ACCESSES = [Access.READ, Access.WRITE]


@TYPES
def test_what_conflicts_depends_on_the_type_and_on_who_asks(kind: Type) -> None:
    now = attrs_without(held(kind), C)
    for access in Access:
        stranger = access is Access.WRITE or (access is Access.READ and kind.exclusive_access)
        assert not now.conflicts(access, A)
        assert now.conflicts(access, B) is (stranger and kind in ALONE)
        assert now.conflicts(access, C) is stranger
        assert not Registrations({A: 1}).conflicts(access, C)


def attrs_without(now: Registrations, who: Registrant) -> Registrations:
    return now.unregister([who]).after


# What a restart reads.

registrants = st.builds(
    Registrant,
    st.sampled_from(["iqn.x:a", "iqn.x:a,i,0x000000000001", "iqn.x:a,i,0x000000000002", "é"]),
    st.integers(1, 3),
)
states = st.builds(
    lambda keys, kind, aptpl: (
        Registrations(keys, aptpl=aptpl)
        if kind is None or not keys
        else Registrations(keys, aptpl=aptpl).reserve(min(keys, key=str), kind).after
    ),
    st.dictionaries(registrants, st.integers(1, 2**64 - 1), max_size=5),
    st.none() | st.sampled_from(Type),
    st.booleans(),
)


@given(states)
def test_what_is_to_survive_a_loss_of_power_does(now: Registrations) -> None:
    after = Registrations.decode(now.encode())
    assert after == (now if now.aptpl else Registrations())
    assert list(after.keys) == list(now.keys if now.aptpl else ())


def test_the_generation_does_not_survive() -> None:
    now = Registrations({A: 1}, aptpl=True, generation=9)
    assert Registrations.decode(now.encode()).generation == 0


@pytest.mark.parametrize(
    "wrong",
    [
        b"\xff",
        b"{}",
        b"[]",
        json.dumps({"keys": [["a", 1]], "type": None, "holder": None}).encode(),
        json.dumps({"keys": [["a", 1, 2]], "type": 2, "holder": None}).encode(),
        json.dumps({"keys": [["a", 1, 2]], "type": 1, "holder": None}).encode(),
        json.dumps({"keys": [["a", 1, 2]], "type": 7, "holder": ["a", 1]}).encode(),
        json.dumps({"keys": [["a", 1, 2]], "type": 1, "holder": ["b", 1]}).encode(),
        json.dumps({"keys": [["a", 1, 2]], "type": None, "holder": ["a", 1]}).encode(),
    ],
)
def test_what_was_not_saved_by_us_is_a_value_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Registrations.decode(wrong)


@given(states)
def test_known_by_names_nobody_is_registered_twice(now: Registrations) -> None:
    merged = now.by_name()
    assert set(merged.keys) == {each.by_name() for each in now.keys}
    assert set(merged.keys.values()) <= set(now.keys.values())
    assert (merged.reservation is None) is (now.reservation is None)
    if now.reservation is not None and now.reservation.holder is not None:
        holder = now.reservation.holder
        assert merged.keys[holder.by_name()] == now.keys[holder]
        assert merged.holds(holder.by_name())
    assert merged.by_name() == merged


def test_a_change_that_is_none_tells_nobody() -> None:
    assert Change(Registrations(), Registrations()).told == {}
