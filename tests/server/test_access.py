from __future__ import annotations

from typing import Any

import pytest

from tests.requirements import requirement
from trioscsi import PeerError, UsageError
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import EVERYTHING, Node, Redirection, View
from trioscsi.server.access import Door, Guarded, Moved, Redirect, Rules
from trioscsi.text import Offer

FAR = ("192.0.2.7", 40_000)
HOST = "iqn.2025-12.test:host"
DISK = "iqn.2025-12.test:disk"


def node(name: str) -> Node:
    return Node(name, Offer())


def door(peer: tuple[str, int], **rules: Rules) -> Door:
    """A door with a target ``iqn.2025-12.test:NAME`` for each of the rules."""
    guarded = {
        f"iqn.2025-12.test:{name}": Guarded(node(f"iqn.2025-12.test:{name}"), rule)
        for name, rule in rules.items()
    }
    return Door(guarded, node(""), peer, [(("198.51.100.1", 3260), 1)])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "::1%lo", "::ffff:127.0.0.1"])
def test_in_protected_mode_this_machine_may_log_in(host: str) -> None:
    assert Rules().refusal(HOST, (host, 40_000)) is None


@pytest.mark.parametrize(
    "host", ["192.0.2.7", "2001:db8::7", "fe80::1%eth0", "::ffff:192.0.2.7", "0.0.0.0"]
)
def test_in_protected_mode_others_are_told_how_to_open_it(host: str) -> None:
    refusal = Rules().refusal(HOST, (host, 40_000))
    assert refusal is not None
    assert "protected mode" in refusal
    assert "--allow" in refusal
    assert "--open" in refusal


def test_who_has_to_prove_himself_later_may_try() -> None:
    assert Rules.of([], open=False, proven=True).refusal(HOST, FAR) is None
    assert Rules.of(["iqn.other"], open=False, proven=True).refusal(HOST, FAR) is not None


def test_an_open_target_lets_anybody_in() -> None:
    assert Rules.of([], open=True).refusal(HOST, FAR) is None


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (HOST, True),
        ("IQN.2025-12.test:*", True),
        ("iqn.2025-12.test:hos?", True),
        ("iqn.2025-12.test:h[!o]st", False),
        ("iqn.2025-12.test", False),
        ("*:guest", False),
    ],
)
def test_names_that_are_allowed_may_be_globs(pattern: str, allowed: bool) -> None:
    refusal = Rules.of([pattern], open=False).refusal(HOST, FAR)
    assert refusal == (None if allowed else f"{HOST} is not among the initiators that are allowed")


def test_a_list_of_names_counts_on_this_machine_and_in_an_open_target_too() -> None:
    assert Rules.of(["*:guest"], open=True).refusal(HOST, ("127.0.0.1", 1)) is not None


def test_a_target_that_is_not_there_is_not_found() -> None:
    with pytest.raises(PeerError) as caught:
        door(FAR).node(HOST, "iqn.2025-12.test:nowhere")
    assert caught.value.answer == LoginStatus.NOT_FOUND


def test_who_may_not_log_in_fails_authorization() -> None:
    with pytest.raises(PeerError) as caught:
        door(FAR, a=Rules()).node(HOST, "iqn.2025-12.test:a")
    assert caught.value.answer == LoginStatus.AUTHORIZATION_FAILURE


def test_who_may_log_in_gets_the_node() -> None:
    house = door(FAR, a=Rules(open=True))
    assert house.node(HOST, "iqn.2025-12.test:a").name == "iqn.2025-12.test:a"


@requirement("7143-C-9")
def test_anybody_may_ask_which_targets_there_are_and_sees_those_that_are_open() -> None:
    house = door(FAR, a=Rules(), b=Rules((HOST,)), c=Rules(("*:guest",)), d=Rules(open=True))
    assert house.node(HOST, None) is house.discovery
    assert house.targets(HOST) == [
        ("iqn.2025-12.test:b", ["198.51.100.1:3260,1"]),
        ("iqn.2025-12.test:d", ["198.51.100.1:3260,1"]),
    ]


def test_initiators_may_be_allowed_by_where_they_are() -> None:
    rules = Rules.of(networks=["192.0.2.0/24", "2001:db8::7"])
    for host in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7"):
        assert rules.refusal(HOST, (host, 1)) is None
    for host in ("198.51.100.1", "2001:db8::8", "127.0.0.1"):
        refusal = rules.refusal(HOST, (host, 1))
        assert refusal == f"{HOST} is at {host}, from where none is allowed"


def test_both_the_name_and_the_place_have_to_be_right() -> None:
    rules = Rules.of(["*:host"], ["192.0.2.0/24"])
    assert rules.refusal(HOST, FAR) is None
    assert rules.refusal("iqn.2025-12.test:guest", FAR) is not None
    assert rules.refusal(HOST, ("198.51.100.1", 1)) is not None


def test_a_string_is_one_pattern_or_network_and_not_its_characters() -> None:
    rules = Rules.of("iqn.other*", "192.0.2.0/24")
    assert rules == Rules.of(["iqn.other*"], ["192.0.2.0/24"])
    assert rules.refusal(HOST, ("192.0.2.1", 1)) is not None


@pytest.mark.parametrize("network", ["here", "192.0.2.1/24", "300.0.0.1", ""])
def test_what_is_no_network_is_a_usage_error(network: str) -> None:
    with pytest.raises(UsageError, match="not an address, nor a network"):
        Rules.of(networks=[network])


# Portal groups.


def test_a_target_is_found_through_its_portal_groups_alone() -> None:
    guarded = Guarded(node(DISK), Rules(open=True), groups=frozenset({2}))
    portals = [(("198.51.100.1", 3260), 1), (("198.51.100.2", 3260), 2)]
    house = Door({DISK: guarded}, node(""), FAR, portals)
    assert house.portal_group == 1
    with pytest.raises(PeerError) as caught:
        house.node(HOST, DISK)
    assert caught.value.answer == LoginStatus.NOT_FOUND
    assert house.targets(HOST) == [(DISK, ["198.51.100.2:3260,2"])]
    assert Door({DISK: guarded}, node(""), FAR, portals[::-1]).node(HOST, DISK).name == DISK


# Redirection.


def redirecting(said: Any) -> Door:
    guarded = Guarded(node(DISK), Rules(open=True), redirect=Redirect.of(said))
    return Door({DISK: guarded}, node(""), FAR, [(("198.51.100.1", 3260), 1)])


def sent_to(said: Any, initiator: str = HOST) -> tuple[str, str] | None:
    try:
        redirecting(said).node(initiator, DISK)
    except Redirection as moved:
        return moved.address, moved.answer.name if moved.answer else ""
    return None


def test_everybody_may_be_sent_elsewhere() -> None:
    assert sent_to("192.0.2.9") == ("192.0.2.9:3260", "TARGET_MOVED_TEMPORARILY")
    assert sent_to("[2001:db8::9]:13260") == ("[2001:db8::9]:13260", "TARGET_MOVED_TEMPORARILY")
    assert sent_to(Moved("b.example", permanent=True)) == (
        "b.example:3260",
        "TARGET_MOVED_PERMANENTLY",
    )
    assert sent_to(None) is None


def test_some_may_be_sent_elsewhere_by_their_names() -> None:
    table = {"IQN.2025-12.test:ho*": "192.0.2.9", "*:guest": Moved("192.0.2.8", permanent=True)}
    assert sent_to(table) == ("192.0.2.9:3260", "TARGET_MOVED_TEMPORARILY")
    assert sent_to(table, "iqn.2025-12.test:guest") == (
        "192.0.2.8:3260",
        "TARGET_MOVED_PERMANENTLY",
    )
    assert sent_to(table, "iqn.2025-12.test:other") is None


def test_a_callable_may_say_where_and_when() -> None:
    asked: list[tuple[str, str]] = []

    def where(initiator: str, target: str) -> Moved | None:
        asked.append((initiator, target))
        return Moved("192.0.2.9") if len(asked) > 1 else None

    house = redirecting(Redirect(where, after_proof=True))
    assert house.node(HOST, DISK).name == DISK
    house.proven(HOST, DISK)
    with pytest.raises(Redirection):
        house.proven(HOST, DISK)
    assert asked == [(HOST, DISK)] * 2
    assert sent_to(Redirect(lambda *_: None)) is None


def test_who_may_not_log_in_is_not_told_where_the_target_is() -> None:
    guarded = Guarded(node(DISK), Rules(), redirect=Redirect.of("192.0.2.9"))
    house = Door({DISK: guarded}, node(""), FAR, [(("198.51.100.1", 3260), 1)])
    with pytest.raises(PeerError) as caught:
        house.node(HOST, DISK)
    assert caught.value.answer == LoginStatus.AUTHORIZATION_FAILURE


def test_an_address_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        Redirect.of("nowhere:x")


# Views.


def test_the_first_view_that_fits_an_initiator_counts() -> None:
    one, two = View([1]), View([2])
    guarded = Guarded(node(DISK), Rules(open=True), views={"*:host": one, "iqn.*": two})
    house = Door({DISK: guarded}, node(""), FAR, [(("198.51.100.1", 3260), 1)])
    assert house.view(HOST, DISK) is one
    assert house.view("iqn.2025-12.test:guest", DISK) is two
    assert house.view("eui.0123456789abcdef", DISK) is EVERYTHING
