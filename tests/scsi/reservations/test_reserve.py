from __future__ import annotations

import pytest

from tests.scsi.hosts import IGNORE, RESERVE, Host, House
from trioscsi.scsi import AdditionalSense, Done, Failed, Read
from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.reservations.registrations import Type
from trioscsi.scsi.reservations.state import CONFLICT

PAIRS = pytest.mark.parametrize(
    ("reserve", "release"), [("160000000000", "170000000000"), ("56" + "00" * 9, "57" + "00" * 9)]
)
RESERVE_6, RELEASE_6, READ, WRITE = (
    "160000000000",
    "170000000000",
    "28000000000000000100",
    "2a000000000000000100",
)


@PAIRS
def test_a_reserved_unit_is_its_holders_until_it_is_released(
    a: Host, b: Host, reserve: str, release: str
) -> None:
    assert a.do(reserve) == a.do(reserve) == Done()
    assert b.do(READ) == b.do(WRITE) == b.do(reserve) == b.do("00") == CONFLICT
    assert a.do(WRITE, bytes(512)) == Done()
    assert b.do(release) == Done()
    assert b.do(READ) == CONFLICT
    assert a.do(release) == Done()
    assert b.do(reserve) == Done()
    assert a.do(READ) == CONFLICT


@PAIRS
def test_nothing_looks_at_commands_once_all_is_released(
    house: House, a: Host, reserve: str, release: str
) -> None:
    assert not house.unit.guards
    a.do(reserve)
    assert house.unit.guards
    a.do(release)
    assert not house.unit.guards


def test_what_was_reserved_is_free_when_the_nexus_is_lost(house: House, a: Host, b: Host) -> None:
    a.do(RESERVE_6)
    house.target.detach(b.nexus)
    assert house.unit.reservations.reserved_by is a.nexus
    house.target.detach(a.nexus)
    assert house.host("b").do(RESERVE_6) == Done()


def test_the_same_initiator_port_that_comes_back_has_reserved_nothing(
    house: House, a: Host
) -> None:
    again = house.host("a")
    a.do(RESERVE_6)
    assert again.do(READ) == CONFLICT
    assert again.do(RELEASE_6) == Done()
    assert again.do(READ) == CONFLICT


def test_what_was_reserved_is_free_after_a_reset(house: House, a: Host, b: Host) -> None:
    a.do(RESERVE_6)
    house.target.reset(0)
    assert b.heard() == [AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED]
    assert isinstance(house.unit.execute(bytes.fromhex(READ), b.nexus), Read)


def test_persistent_reservations_are_not_for_a_unit_that_is_reserved(a: Host, b: Host) -> None:
    a.do(RESERVE_6)
    for host in (a, b):
        assert host.do("5e000000000000000800") == CONFLICT
        assert host.order(IGNORE, 0, 1) == CONFLICT


@PAIRS
def test_beside_registrations_both_commands_conflict(
    house: House, a: Host, b: Host, reserve: str, release: str
) -> None:
    a.order(IGNORE, 0, 1)
    for host in (a, b):
        assert host.do(reserve) == host.do(release) == CONFLICT
    assert house.unit.reservations.reserved_by is None


@pytest.mark.parametrize("kind", Type)
@PAIRS
def test_who_has_a_persistent_reservation_needs_no_other(
    house: House, a: Host, b: Host, kind: Type, reserve: str, release: str
) -> None:
    stranger = house.host("c")
    a.order(IGNORE, 0, 1)
    b.order(IGNORE, 0, 2)
    a.order(RESERVE, 1, type=kind)
    before = house.now
    assert a.do(reserve) == a.do(release) == Done()
    assert b.do(reserve) == b.do(release) == (Done() if kind.shared else CONFLICT)
    assert stranger.do(reserve) == stranger.do(release) == CONFLICT
    assert house.now is before
    assert house.unit.reservations.reserved_by is None


@pytest.mark.parametrize(
    ("cdb", "byte", "bit"),
    [
        ("161000000000", 1, 4),  # for a third party
        ("160200000000", 1, 3),
        ("160100000000", 1, 0),  # an extent
        ("160000000800", 3, 7),
        ("171000000000", 1, 4),
        ("170100000000", 1, 0),
        ("170000000100", 4, 0),
        ("56100000000000000000", 1, 4),
        ("56020000000000000000", 1, 1),
        ("56010000000000000000", 1, 0),
        ("56000000000000000800", 7, 7),
        ("57100000000000000000", 1, 4),
        ("57010000000000000000", 1, 0),
    ],
)
def test_extents_and_third_parties_are_refused(a: Host, cdb: str, byte: int, bit: int) -> None:
    assert a.do(cdb) == Failed(invalid_field(byte, bit))


def test_what_names_nothing_that_is_reserved_is_ignored(a: Host) -> None:
    assert a.do("160007000000") == a.do("170007000000") == Done()
    assert a.do("56000709000000000000") == a.do("57000709000000000000") == Done()
