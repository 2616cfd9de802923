from __future__ import annotations

from itertools import count

from trioscsi.initiator.ports import Ports
from trioscsi.initiator.rules import Rule, Rules

US, DISK, TAPE = "iqn.2025-12.test:us", "iqn.2025-12.test:disk", "iqn.2025-12.test:tape"


def ports() -> Ports:
    numbers = count(1)
    return Ports(lambda length: next(numbers).to_bytes(length))


def test_an_isid_is_a_random_one():
    with ports().one(US, DISK) as isid:
        assert isid == b"\x80\0\0\1\0\0"


def test_sessions_with_one_target_have_different_ports():
    node = ports()
    with node.one(US, DISK) as first, node.one(US, DISK) as second:
        assert first != second


def test_a_port_is_taken_again_when_its_session_is_over():
    node = ports()
    with node.one(US, DISK) as first, node.one(US, DISK):
        pass
    with node.one(US, DISK) as again:
        assert again == first


def test_a_port_may_have_sessions_with_several_targets():
    node = ports()
    with node.one(US, DISK) as first, node.one(US, TAPE) as second, node.one(US, None) as third:
        assert first == second == third


def test_both_rules_can_be_broken():
    node = ports()
    twice = Rules(frozenset({Rule.DIFFERENT_PORTS}))
    with node.one(US, DISK, twice) as first, node.one(US, DISK, twice) as second:
        assert first == second
    new = Rules(frozenset({Rule.SAME_PORT}))
    with node.one(US, DISK, new) as first:
        pass
    with node.one(US, DISK, new) as second:
        assert first != second
