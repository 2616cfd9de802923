from __future__ import annotations

import socket

import pytest

from tests.requirements import requirement
from trioscsi import Portal, UsageError
from trioscsi.server.portals import Open, parse_portals, reachable


def test_portals_may_be_text_parts_sockets_or_more() -> None:
    with socket.socket() as sock:
        portal = Portal("c:2", group=7, advertise="san.example")
        assert parse_portals(["a:1", ("b", 2), sock, portal]) == [
            Portal(("a", 1)),
            Portal(("b", 2)),
            Portal(sock),
            portal,
        ]
    assert (portal.listen, portal.group) == (("c", 2), 7)
    assert portal.advertise == ("san.example", 3260)


@pytest.mark.parametrize("group", [0, 65_536])
def test_the_tag_of_a_group_has_16_bits(group: int) -> None:
    with pytest.raises(UsageError, match="from 1 to 65535"):
        Portal("a:1", group=group)


def test_an_advertised_address_has_to_be_one() -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        Portal("a:1", advertise="b:x")


def at(host: str, port: int = 3260, group: int = 1, advertise: str | None = None) -> Open:
    return Open(Portal((host, port), group=group, advertise=advertise), (host, port))


def shown(doors: list[Open], own: str, used: int = 0) -> list[tuple[str, int, int]]:
    """Host, port and group of each address, as a peer is told them that came to ``own``."""
    found = reachable(doors, doors[used], (own, doors[used].address[1]))
    return [(host, port, group) for (host, port), group in found]


def test_the_portal_that_a_peer_has_used_comes_first() -> None:
    doors = [at("192.0.2.1"), at("192.0.2.2", group=2), at("2001:db8::1")]
    assert shown(doors, "192.0.2.2", used=1) == [
        ("192.0.2.2", 3260, 2),
        ("192.0.2.1", 3260, 1),
        ("2001:db8::1", 3260, 1),
    ]


@requirement("7143-C-10")
def test_all_addresses_are_told_by_the_one_that_the_peer_has_used() -> None:
    doors = [at("0.0.0.0"), at("0.0.0.0", 13_260, group=2), at("::")]
    assert shown(doors, "192.0.2.1") == [("192.0.2.1", 3260, 1), ("192.0.2.1", 13_260, 2)]
    assert shown(doors, "2001:db8::1", used=2) == [("2001:db8::1", 3260, 1)]


def test_a_portal_on_the_loopback_interface_is_shown_to_this_machine_alone() -> None:
    doors = [at("192.0.2.1"), at("127.0.0.1"), at("::1")]
    assert shown(doors, "192.0.2.1") == [("192.0.2.1", 3260, 1)]
    assert len(shown(doors, "127.0.0.1", used=1)) == 3


def test_an_advertised_address_stands_for_the_portal() -> None:
    doors = [
        at("0.0.0.0", advertise="san.example:860"),
        at("127.0.0.1", 13_260, group=2, advertise="203.0.113.5"),
        at("0.0.0.0", 2000, advertise="san.example:860"),
    ]
    expected = [("san.example", 860, 1), ("203.0.113.5", 3260, 2)]
    assert shown(doors, "192.0.2.1") == expected
    assert shown(doors, "2001:db8::1") == expected
