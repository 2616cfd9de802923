from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.scsi.hosts import IGNORE, REGISTER, REPLACE, Host, House
from tests.scsi.store import Blocks
from trioscsi.errors import BackendError, UsageError
from trioscsi.scsi import Failed, LogicalUnit, Nexus, Reply
from trioscsi.scsi.command import Access
from trioscsi.scsi.complaints import RESERVATIONS_LOST
from trioscsi.scsi.reservations.registrations import Registrant, Registrations, Type
from trioscsi.scsi.reservations.state import CONFLICT, Reservations


@pytest.fixture
def house() -> House:
    return House({"keeps_state": True})


def test_a_nexus_is_known_by_its_port_or_by_the_name_of_its_initiator(
    house: House, a: Host
) -> None:
    assert a.who == Registrant("iqn.2026-11.example:a,i,0x000000000001", 1)
    by_name = Reservations(house.unit, by_name=True)
    assert by_name.registrant(a.nexus) == Registrant("iqn.2026-11.example:a", 1)


def test_registrants_may_be_here_more_than_once_or_not_at_all(house: House, a: Host) -> None:
    again, b = house.host("a"), house.host("b")
    reservations = house.unit.reservations
    assert set(reservations.known({a.who})) == {a.nexus, again.nexus}
    assert set(reservations.known({a.who, b.who})) == {a.nexus, again.nexus, b.nexus}
    assert reservations.known({Registrant("iqn.x:gone", 1)}) == []
    house.host("a", isid=2)
    assert reservations.ports() == {
        "iqn.2026-11.example:a": {
            "iqn.2026-11.example:a,i,0x000000000001",
            "iqn.2026-11.example:a,i,0x000000000002",
        },
        "iqn.2026-11.example:b": {"iqn.2026-11.example:b,i,0x000000000001"},
    }


def test_a_unit_of_no_target_knows_nobody(house: House) -> None:
    house.target.remove(0)
    assert house.unit.reservations.ports() == {}


def test_what_conflicts_with_reserve(house: House, a: Host) -> None:
    b, reservations = house.host("b"), house.unit.reservations
    assert not any(reservations.conflicts(access, b.nexus) for access in Access)
    reservations.reserve(a.nexus)
    assert {access for access in Access if reservations.conflicts(access, a.nexus)} == {
        Access.PERSISTENT
    }
    assert {access for access in Access if not reservations.conflicts(access, b.nexus)} == {
        Access.ALWAYS
    }


def test_commands_are_looked_at_only_while_something_is_reserved(house: House, a: Host) -> None:
    a.order(IGNORE, 0, 1)
    assert not house.unit.guards
    house.unit.reservations.restore(
        Registrations({a.who: 1}, aptpl=True).reserve(a.who, Type.WRITE_EXCLUSIVE).after.encode()
    )
    assert house.unit.guards
    house.unit.reservations.restore(b"")
    assert not house.unit.guards


def test_a_unit_that_has_lost_its_reservations_lets_little_through(house: House, a: Host) -> None:
    house.unit.reservations.lose()
    assert house.unit.reservations.lost
    for cdb in ("120000002400", "030000001200", "1b0000000100"):
        assert not isinstance(a.do(cdb), Failed), cdb
    for cdb in ("000000000000", "1b0000000000", "28000000000000000100", "160000000000"):
        assert a.do(cdb) == Failed(RESERVATIONS_LOST), cdb
    sense = a.do("030000001200")
    assert isinstance(sense, Reply)
    assert sense.data == RESERVATIONS_LOST.encode()


def test_known_by_name_what_was_saved_with_ports_still_counts(a: Host) -> None:
    a.order(REGISTER, 0, 1, aptpl=1)
    by_name = House({"keeps_state": True, "registrations_by_name": True})
    by_name.unit.restore("reservations", a.house.now.encode())
    assert by_name.now.keys == {Registrant("iqn.2026-11.example:a", 1): 1}


def test_what_was_saved_and_cannot_be_read_is_a_usage_error(house: House) -> None:
    with pytest.raises(UsageError, match="the reservations that were saved"):
        house.unit.restore("reservations", b"?")


class Saving(Blocks):
    """Storage whose saves end when the test says so."""

    def __init__(self, unit: LogicalUnit) -> None:
        super().__init__(unit)
        self.ends: list[trio.Event] = []

    async def save(self, name: str, data: bytes) -> None:
        self.ends.append(trio.Event())
        await self.ends[-1].wait()
        await super().save(name, data)


async def test_what_others_have_built_on_is_not_undone(house: House, a: Host) -> None:
    reservations, storage = house.unit.reservations, Saving(house.unit)
    b = Registrant("iqn.x:b", 1)
    first = Registrations(aptpl=True).register([a.who], 1)
    failed = False

    async def take_first() -> None:
        nonlocal failed
        try:
            await reservations.take(first, storage)
        except BackendError:
            failed = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_first)
        await wait_all_tasks_blocked()
        second = reservations.persistent.register([b], 2)
        nursery.start_soon(reservations.take, second, storage)
        await wait_all_tasks_blocked()
        storage.ends[1].set()
        await wait_all_tasks_blocked()
        storage.fails.add("save")
        storage.ends[0].set()
    assert failed
    assert reservations.persistent is second.after


async def test_a_loss_is_replaced_once_even_while_that_is_being_saved(
    house: House, a: Host
) -> None:
    assert house.unit.lose("reservations")
    reservations, storage = house.unit.reservations, Saving(house.unit)
    first = reservations.persistent.replace_lost(a.who, 7, Type.WRITE_EXCLUSIVE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reservations.take, first, storage)
        await wait_all_tasks_blocked()
        assert house.host("b").order(REPLACE, 0, 8, type=1) == CONFLICT
        storage.ends[0].set()
    assert reservations.persistent is first.after
    assert not reservations.lost


def test_a_nexus_that_reserved_nothing_releases_nothing(house: House, a: Host) -> None:
    house.unit.reservations.reserve(a.nexus)
    house.unit.reservations.release(Nexus("other", "target"))
    assert house.unit.reservations.reserved_by is a.nexus
