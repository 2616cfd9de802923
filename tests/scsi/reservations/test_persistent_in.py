from __future__ import annotations

import pytest

from tests.scsi.hosts import CLEAR, IGNORE, REGISTER, RESERVE, Host, House
from trioscsi.scsi import Failed, Reply
from trioscsi.scsi.complaints import invalid_field
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.reservations.registrations import Type


def read(host: Host, action: int, length: int = 0xFFFF) -> str:
    reply = host.do(bytes((0x5E, action, 0, 0, 0, 0, 0)) + length.to_bytes(2, "big") + b"\0")
    assert isinstance(reply, Reply)
    return reply.data.hex()


def test_without_registrations_there_is_little_to_read(a: Host) -> None:
    assert read(a, 0) == read(a, 1) == read(a, 3) == "0000000000000000"


def test_keys_are_read_in_the_order_of_registration(house: House, a: Host) -> None:
    a.order(IGNORE, 0, 0x1111)
    house.host("b").order(IGNORE, 0, 0x1111)
    house.host("c").order(IGNORE, 0, 2**64 - 1)
    assert read(a, 0) == ("000000030000001800000000000011110000000000001111ffffffffffffffff")
    assert read(a, 0, 8) == "0000000300000018"
    assert read(a, 0, 0) == ""


@pytest.mark.parametrize("kind", Type)
def test_a_reservation_is_read_with_the_key_of_its_holder(
    house: House, a: Host, kind: Type
) -> None:
    a.order(IGNORE, 0, 0xABC)
    a.order(RESERVE, 0xABC, type=kind)
    key = "0000000000000000" if kind.all_registrants else "0000000000000abc"
    assert read(house.host("b"), 1) == (
        f"00000001 00000010 {key} 00000000 00 {kind:02x} 0000".replace(" ", "")
    )


def test_the_capabilities_are_all_but_to_keep_what_cannot_be_kept(a: Host) -> None:
    assert read(a, 2) == "00081cc0ea010000"


def test_a_unit_that_keeps_state_can_keep_reservations() -> None:
    a = House({"keeps_state": True}).host("a")
    assert read(a, 2) == "00089dc0ea010000"
    a.order(REGISTER, 0, 1, aptpl=1)
    assert read(a, 2) == "00089dc1ea010000"
    a.order(CLEAR, 1)
    assert read(a, 2) == "00089dc1ea010000"
    a.order(REGISTER, 0, 1)
    assert read(a, 2) == "00089dc0ea010000"


@pytest.mark.parametrize("kind", Type)
def test_the_full_status_names_the_ports(house: House, a: Host, kind: Type) -> None:
    b = house.host("b", isid=0xFEED)
    a.order(IGNORE, 0, 0xA)
    b.order(IGNORE, 0, 0xB)
    a.order(RESERVE, 0xA, type=kind)
    descriptors = ""
    for host, key, holds in ((a, 0xA, True), (b, 0xB, kind.all_registrants)):
        named = transport_id.encode(host.nexus.initiator_port)
        descriptors += (
            f"{key:016x} 00000000 {holds:02x} {kind if holds else 0:02x} 00000000 0001"
            f"{len(named):08x} {named.hex()}"
        )
    descriptors = descriptors.replace(" ", "")
    assert read(a, 3) == f"00000002{len(descriptors) // 2:08x}{descriptors}"


def test_an_initiator_known_by_its_name_is_told_by_it() -> None:
    a = House({"registrations_by_name": True}).host("a")
    a.order(IGNORE, 0, 1)
    assert read(a, 3)[64:] == transport_id.encode("iqn.2026-11.example:a").hex()


@pytest.mark.parametrize("action", range(4, 32))
def test_there_are_no_other_service_actions(a: Host, action: int) -> None:
    assert a.do(bytes((0x5E, action)) + bytes(8)) == Failed(invalid_field(1, 4))
