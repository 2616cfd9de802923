from __future__ import annotations

import pytest

from trioscsi import PeerError
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import Node
from trioscsi.server.access import Door, Guarded, Rules, format_address
from trioscsi.text import Offer

FAR = ("192.0.2.7", 40_000)
HOST = "iqn.2025-12.test:host"


def node(name: str) -> Node:
    return Node(name, Offer(target_portal_group_tag=1))


def door(peer: tuple[str, int], **rules: Rules) -> Door:
    """A door with a target ``iqn.2025-12.test:NAME`` for each of the rules."""
    guarded = {
        f"iqn.2025-12.test:{name}": Guarded(node(f"iqn.2025-12.test:{name}"), rule)
        for name, rule in rules.items()
    }
    return Door(guarded, node(""), peer, [("198.51.100.1", 3260)])


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


def test_anybody_may_ask_which_targets_there_are_and_sees_those_that_are_open() -> None:
    house = door(FAR, a=Rules(), b=Rules((HOST,)), c=Rules(("*:guest",)), d=Rules(open=True))
    assert house.node(HOST, None) is house.discovery
    assert house.targets(HOST) == [
        ("iqn.2025-12.test:b", ["198.51.100.1:3260,1"]),
        ("iqn.2025-12.test:d", ["198.51.100.1:3260,1"]),
    ]


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("192.0.2.7", "192.0.2.7:3260"),
        ("2001:db8::7", "[2001:db8::7]:3260"),
        ("fe80::1%eth0", "[fe80::1]:3260"),
        ("::ffff:192.0.2.7", "192.0.2.7:3260"),
        ("storage.example", "storage.example:3260"),
    ],
)
def test_an_address_is_written_as_the_rfc_wants_it(host: str, text: str) -> None:
    assert format_address((host, 3260)) == text
