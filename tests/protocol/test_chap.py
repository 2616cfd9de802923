from __future__ import annotations

import attrs
import pytest

from tests.protocol.guarded import (
    ALICE,
    DISK,
    ERROR,
    FAILURE,
    MISSING,
    authentication,
    guard,
    response,
)
from tests.protocol.peer import (
    FULL_FEATURE,
    INITIATOR,
    OPERATIONAL,
    Gate,
    Pairs,
    leading_keys,
)
from tests.requirements import requirement
from trioscsi.pdu import LoginStatus
from trioscsi.protocol.credentials import Account, Secret
from trioscsi.text import Offer, decode_binary, encode_binary


def test_who_proves_that_he_knows_the_secret_is_let_in():
    door = guard()
    assert door.begin() is LoginStatus.SUCCESS
    assert door.keys.keys() == {"CHAP_A", "CHAP_I", "CHAP_C"}
    assert door.say(door.proof(), transit=True) is LoginStatus.SUCCESS
    assert door.transit
    assert "CHAP_R" not in door.keys
    answer = door.say({}, csg=OPERATIONAL, nsg=FULL_FEATURE, transit=True)
    assert answer is LoginStatus.SUCCESS
    assert door.peer.connection.full_feature


@requirement("7143-12.1.3-8")
@requirement("7143-9.2.1-5")
def test_the_initiator_may_ask_for_a_proof_in_return():
    door = guard(mutual=DISK)
    door.begin()
    asks = {"CHAP_I": "200", "CHAP_C": encode_binary(b"prove it, target!", base64=True)}
    assert door.say(door.proof() | asks, transit=True, nsg=FULL_FEATURE) is LoginStatus.SUCCESS
    assert door.keys["CHAP_N"] == "disk"
    made = response(5, 200, DISK.secret.value, b"prove it, target!")
    assert decode_binary(door.keys["CHAP_R"], 1024) == made
    assert door.transit


@pytest.mark.parametrize(("algorithm", "length"), [(5, 16), (6, 20), (7, 32), (8, 32)])
def test_every_algorithm_works_and_its_challenge_is_as_long_as_its_response(
    algorithm: int, length: int
):
    door = guard()
    assert door.begin(str(algorithm)) is LoginStatus.SUCCESS
    assert len(decode_binary(door.keys["CHAP_C"], 1024)) == length
    assert door.say(door.proof(), transit=True) is LoginStatus.SUCCESS


@pytest.mark.parametrize(
    ("offered", "chosen"), [("5,6,7,8", "8"), ("5,7", "7"), ("0x05,6", "6"), ("99,5", "5")]
)
def test_the_algorithm_is_the_best_that_both_know(offered: str, chosen: str):
    door = guard()
    door.begin(offered)
    assert door.keys["CHAP_A"] == chosen


@pytest.mark.parametrize("secret", [bytes(range(240, 256)), bytes(16), b"\xff" * 16])
@requirement("7143-9.2.1-6")
def test_a_secret_may_be_any_128_bits(secret: bytes):
    account = Account("alice", Secret(secret))
    door = guard(accounts=(account,))
    door.begin()
    assert door.say(door.proof(account), transit=True) is LoginStatus.SUCCESS


@requirement("7143-12.1.3-9")
def test_weak_algorithms_can_be_forbidden():
    door = guard(algorithms=(8, 7))
    assert door.begin("5,6") is FAILURE
    assert "none of the algorithms 5,6 is taken, only 8, 7" in door.remark


@requirement("7143-9.2-3")
@requirement("7143-12.1.3-7")
@requirement("7143-6.3.2-2")
def test_a_wrong_secret_or_an_unknown_name_is_refused_in_the_same_way():
    wrong, unknown = guard(), guard()
    wrong.begin()
    assert wrong.say(wrong.proof(secret=Secret(b"a guess"))) is FAILURE
    assert wrong.peer.connection.closed
    unknown.begin()
    mallory = Account("mallory", ALICE.secret)
    assert unknown.say(unknown.proof(mallory)) is FAILURE
    assert "'alice' has not proven itself" in wrong.remark
    assert "'mallory' has not proven itself" in unknown.remark


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"CHAP_N": "alice", "CHAP_R": "zz"}, ERROR),
        ({"CHAP_N": "alice", "CHAP_R": "0x" + "00" * 1025}, ERROR),
        ({"CHAP_A": "5"}, ERROR),
        ({"SRP_U": "alice"}, ERROR),
        ({"CHAP_N": "alice", "CHAP_R": "0x00", "SRP_U": "alice"}, ERROR),
        ({"CHAP_N": "alice"}, MISSING),
        ({"CHAP_R": "0x00"}, MISSING),
        ({"CHAP_N": "alice", "CHAP_R": "0x00", "CHAP_I": "1"}, MISSING),
        ({"CHAP_I": "1", "CHAP_C": "0x00"}, MISSING),
        ({}, MISSING),
    ],
)
@requirement("7143-9.2-2")
def test_what_is_no_step_of_chap_is_an_error_and_not_a_proof_that_fails(
    keys: Pairs, expected: LoginStatus
):
    door = guard()
    door.begin()
    assert door.say(keys) is expected
    assert door.peer.connection.closed


@requirement("7143-9.2-2")
def test_our_response_is_not_reflected_to_who_leaves_its_own_out():
    door = guard(mutual=DISK)
    door.begin()
    asks = {"CHAP_N": "alice", "CHAP_I": "1", "CHAP_C": "0x0102030405060708"}
    assert door.say(asks) is MISSING
    assert door.keys == {}
    assert "CHAP_R did not come" in door.remark


@pytest.mark.parametrize(
    ("keys", "expected"),
    [({"CHAP_A": "x"}, ERROR), ({"CHAP_A": ""}, ERROR), ({"CHAP_A": "5,"}, ERROR), ({}, MISSING)],
)
@requirement("7143-9.2-2")
def test_algorithms_are_numbers(keys: Pairs, expected: LoginStatus):
    door = guard()
    door.say(leading_keys(AuthMethod="CHAP"))
    assert door.say(keys) is expected


@requirement("7143-9.2-2")
def test_a_step_out_of_its_turn_is_refused():
    door = guard()
    door.say(leading_keys(AuthMethod="CHAP"))
    assert door.say({"CHAP_N": "alice", "CHAP_R": "0x00"}) is ERROR
    assert "came out of turn" in door.remark


@requirement("7143-9.2-6")
def test_a_name_may_be_that_of_one_initiator_alone():
    ours, theirs = attrs.evolve(ALICE, initiator=INITIATOR), attrs.evolve(ALICE, initiator="iqn.*2")
    door = guard(accounts=(ours,))
    door.begin()
    assert door.say(door.proof(), transit=True) is LoginStatus.SUCCESS
    door = guard(accounts=(theirs,))
    door.begin()
    assert door.say(door.proof(), transit=True) is FAILURE
    assert f"'alice' is no name of {INITIATOR}" in door.remark


@requirement("7143-12.1.3-8")
def test_a_proof_that_nobody_can_give_is_refused():
    door = guard()
    door.begin()
    asks = {"CHAP_I": "1", "CHAP_C": "0x0102"}
    assert door.say(door.proof() | asks) is FAILURE
    assert "asks for a proof of the target, which has no secret" in door.remark


@pytest.mark.parametrize("identifier", ["256", "-1", "x"])
def test_an_identifier_is_a_byte(identifier: str):
    door = guard(mutual=DISK)
    door.begin()
    assert door.say(door.proof() | {"CHAP_I": identifier, "CHAP_C": "0x01"}) is ERROR


def test_a_challenge_has_something_in_it():
    door = guard(mutual=DISK)
    door.begin()
    assert door.say(door.proof() | {"CHAP_I": "1", "CHAP_C": "0x"}) is ERROR


def test_a_challenge_of_ours_does_not_come_back():
    door = guard(mutual=DISK)
    door.begin()
    reflected = {"CHAP_I": "1", "CHAP_C": door.keys["CHAP_C"]}
    assert door.say(door.proof() | reflected) is FAILURE
    assert "used before" in door.remark


def test_a_challenge_of_ours_does_not_come_back_on_another_connection():
    gate = Gate(Offer(auth_methods=("CHAP",)))
    gate.target.authentication = authentication(mutual=DISK)
    one, other = guard(gate), guard(gate)
    one.begin()
    other.begin()
    reflected = {"CHAP_I": "1", "CHAP_C": one.keys["CHAP_C"]}
    assert other.say(other.proof() | reflected) is FAILURE


def test_the_secret_of_the_target_proves_no_initiator():
    door = guard(mutual=DISK)
    door.begin()
    assert door.say(door.proof(secret=DISK.secret)) is FAILURE


def test_who_knows_the_secret_of_the_target_under_his_own_name_is_told_apart():
    """The check that section 9.2.1 asks for, should a configuration evade ours."""
    same = authentication(mutual=DISK)
    object.__setattr__(same, "accounts", (Account("eve", DISK.secret),))
    gate = Gate(Offer(auth_methods=("CHAP",)))
    gate.target.authentication = same
    door = guard(gate)
    door.begin()
    assert door.say(door.proof(Account("eve", DISK.secret))) is FAILURE
    assert "uses the secret of the target" in door.remark
