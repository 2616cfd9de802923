from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.protocol.guarded import (
    ALICE,
    BOB,
    ERROR,
    FAILURE,
    authentication,
    guard,
)
from tests.protocol.peer import (
    FULL_FEATURE,
    OPERATIONAL,
    Gate,
    leading_keys,
)
from tests.requirements import requirement
from trioscsi.pdu import LoginStatus
from trioscsi.protocol.credentials import Account
from trioscsi.text import Offer


@requirement("7143-9.2-2")
def test_steps_without_the_method_are_refused():
    door = guard()
    assert door.say(leading_keys(CHAP_A="5")) is ERROR
    assert "belongs to no method" in door.remark


@requirement("7143-12.1-2")
def test_the_method_and_its_first_step_may_come_together():
    door = guard()
    assert door.say(leading_keys(AuthMethod="CHAP,None", CHAP_A="5")) is LoginStatus.SUCCESS
    assert door.keys["AuthMethod"] == "CHAP"
    assert door.say(door.proof(), transit=True) is LoginStatus.SUCCESS
    assert door.transit


@pytest.mark.parametrize("transit", [False, True])
def test_the_security_stage_goes_on_until_the_proof_is_there(transit: bool):
    door = guard()
    assert door.say(leading_keys(AuthMethod="CHAP"), transit=transit) is LoginStatus.SUCCESS
    assert not door.transit
    assert door.say({"CHAP_A": "5"}, transit=transit) is LoginStatus.SUCCESS
    assert not door.transit


@pytest.mark.parametrize(
    "fields",
    [
        {"csg": OPERATIONAL, "nsg": FULL_FEATURE, "transit": True},
        {"csg": OPERATIONAL, "nsg": 0},
        {"transit": True},
        {"transit": True, "nsg": FULL_FEATURE},
    ],
)
def test_nobody_gets_past_the_authentication(fields: dict[str, Any]):
    door = guard()
    assert door.say(leading_keys(), **fields) is FAILURE
    assert not door.peer.connection.full_feature


@pytest.mark.parametrize("methods", ["None", "SRP,KRB5"])
@requirement("7143-6.3.2-1")
def test_methods_that_are_not_taken_are_rejected_with_the_login(methods: str):
    door = guard()
    assert door.say(leading_keys(AuthMethod=methods)) is FAILURE
    assert door.keys == {"AuthMethod": "Reject"}


@pytest.mark.parametrize(
    ("account", "expected"),
    [(ALICE, LoginStatus.SUCCESS), (BOB, LoginStatus.AUTHENTICATION_FAILURE)],
)
@requirement("7143-9.2-4")
@requirement("7143-9.2-5")
def test_all_connections_of_a_session_prove_the_same_name(account: Account, expected: LoginStatus):
    gate = Gate(Offer(auth_methods=("CHAP",), max_connections=2))
    gate.target.authentication = authentication(accounts=(ALICE, BOB))
    first, second = guard(gate), guard(gate)
    first.begin()
    first.say(first.proof(), transit=True)
    keys = {"MaxConnections": "2"}
    first.say(keys, csg=OPERATIONAL, nsg=FULL_FEATURE, transit=True)
    session = first.peer.connection.session
    assert session is not None
    fields = {"tsih": session.tsih, "cid": 1}
    second.say(leading_keys(AuthMethod="CHAP"), **fields)
    second.say({"CHAP_A": "5"}, **fields)
    assert second.say(second.proof(account), transit=True, **fields) is expected
    assert first.peer.connection.full_feature


def test_discovery_can_be_guarded_too():
    gate = Gate()
    gate.discovery.authentication = authentication()
    gate.discovery.offer = attrs.evolve(gate.discovery.offer, auth_methods=("CHAP",))
    door = guard(gate)
    keys = leading_keys(SessionType="Discovery", AuthMethod="CHAP")
    del keys["TargetName"]
    assert door.say(keys) is LoginStatus.SUCCESS
    door.say({"CHAP_A": "7,5"})
    assert door.say(door.proof(), transit=True, nsg=FULL_FEATURE) is LoginStatus.SUCCESS
    assert door.peer.connection.full_feature
