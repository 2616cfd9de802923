from __future__ import annotations

import pytest

from tests.initiator.credentials import ME, YOU, credentials, locked_gate, unpredictable
from tests.initiator.pair import Pair, Script, intent, reading
from tests.protocol.peer import Gate
from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.initiator.chap import Chap
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.events import LoginFailed
from trioscsi.initiator.intent import Credentials
from trioscsi.initiator.rules import Rule, Rules
from trioscsi.pdu import LoginStatus
from trioscsi.protocol import Account, Challenges, Secret
from trioscsi.text import Pair as Said
from trioscsi.text import encode_binary

CHALLENGE = bytes(range(16))


def challenge(**changed: str) -> list[Said]:
    keys = {"CHAP_A": "5", "CHAP_I": "7", "CHAP_C": encode_binary(CHALLENGE)} | changed
    return list(keys.items())


def agreed(*broken: Rule, mutual: bool = False, **fields: object) -> Chap:
    chap = Chap(credentials(mutual=mutual, **fields), None, Rules(frozenset(broken)))
    assert chap.fresh
    assert chap.agree()[0][0] == "CHAP_A"
    return chap


@pytest.mark.parametrize("algorithm", [5, 6, 7, 8])
def test_one_way(algorithm: int):
    wish = intent(credentials=credentials(algorithms=(algorithm,)))
    pair = Pair(locked_gate(), wish)
    assert pair.connection.full_feature, pair.events
    assert pair.do(reading(0, 10)).lost == ""


@pytest.mark.parametrize("algorithm", [5, 6, 7, 8])
def test_mutual(algorithm: int):
    wish = intent(credentials=credentials(mutual=True, algorithms=(algorithm,)))
    pair = Pair(locked_gate(mutual=True), wish)
    assert pair.connection.full_feature, pair.events


def test_md5_is_offered_and_each_proof_is_that_of_its_secret():
    chap = Chap(credentials(), None)
    assert "5" in dict(chap.agree())["CHAP_A"].split(",")
    keys = dict(chap.receive(challenge()))
    assert keys["CHAP_N"] == ME.name
    assert keys["CHAP_R"] == encode_binary(ME.secret.proof(5, 7, CHALLENGE))
    assert chap.done


def test_a_target_without_a_secret_is_not_let_pass_for_the_one_that_has_it():
    wish = intent(credentials=credentials(mutual=True))
    pair = Pair(locked_gate(), wish)
    (failure,) = pair.happened(LoginFailed)
    assert failure.status is LoginStatus.AUTHENTICATION_FAILURE


def test_a_target_that_wants_no_authentication_is_refused_if_it_has_to_prove_itself():
    wish = intent(credentials=credentials(mutual=True))
    pair = Pair(Gate(), wish)
    (failure,) = pair.happened(LoginFailed)
    assert "without authentication" in failure.reason


def test_a_target_that_wants_no_authentication_is_as_good_where_it_need_not_prove_itself():
    pair = Pair(Gate(), intent(credentials=credentials()))
    assert pair.connection.full_feature


def test_a_challenge_of_our_own_that_comes_back_is_not_answered():
    chap = agreed(mutual=True)
    ours = dict(chap.receive(challenge()))["CHAP_C"]
    other = Chap(chap._credentials, None)  # another connection of the same initiator
    other.agree()
    with pytest.raises(PeerError, match="used before"):
        other.receive(challenge(CHAP_C=ours))


def test_a_target_that_sends_our_own_proof_back_fails():
    chap = agreed(mutual=True)
    keys = dict(chap.receive(challenge()))
    ours = int(keys["CHAP_I"]), bytes.fromhex(keys["CHAP_C"][2:])
    proof = encode_binary(ME.secret.proof(5, *ours))
    with pytest.raises(PeerError, match="secret of the initiator"):
        chap.receive([("CHAP_N", YOU.name), ("CHAP_R", proof)])


def test_a_wrong_proof_or_the_name_of_another_fails():
    for name, secret in ((YOU.name, b"wrong"), ("another", YOU.secret.value)):
        chap = agreed(mutual=True)
        keys = dict(chap.receive(challenge()))
        ours = int(keys["CHAP_I"]), bytes.fromhex(keys["CHAP_C"][2:])
        proof = encode_binary(type(YOU.secret)(secret).proof(5, *ours))
        with pytest.raises(PeerError, match="has not proven"):
            chap.receive([("CHAP_N", name), ("CHAP_R", proof)])


@requirement("7143-12.1.3-4", "7143-12.1.3-5")
@pytest.mark.parametrize(
    "keys",
    [
        challenge(CHAP_A="9"),
        challenge(CHAP_I="256"),
        challenge(CHAP_C="0x"),
        challenge(CHAP_C=encode_binary(bytes(1025))),
        challenge(CHAP_X="1"),
        [("CHAP_N", "target"), ("CHAP_R", "0x00")],
        [("CHAP_A", "5")],
    ],
)
def test_what_is_no_challenge_fails(keys: list[Said]):
    chap = agreed()
    with pytest.raises(PeerError):
        chap.receive(keys)
    assert not chap.done


def test_an_algorithm_that_was_not_offered_is_not_used():
    with pytest.raises(PeerError, match="was not offered"):
        agreed(algorithms=(7,)).receive(challenge())


def test_each_check_can_be_switched_off():
    assert agreed(Rule.OFFERED_ALGORITHM, algorithms=(7,)).receive(challenge())
    assert agreed(Rule.CHALLENGE_LENGTH).receive(challenge(CHAP_C=encode_binary(bytes(1025))))
    careless = agreed(Rule.CHECK_PROOF, mutual=True)
    careless.receive(challenge())
    careless.receive([("CHAP_N", "anybody"), ("CHAP_R", "0x00")])
    assert careless.done
    chap = agreed(mutual=True)
    ours = dict(chap.receive(challenge()))["CHAP_C"]
    other = Chap(chap._credentials, None, Rules(frozenset({Rule.FRESH_CHALLENGE})))
    other.agree()
    assert other.receive(challenge(CHAP_C=ours))


def test_a_deviation_reaches_the_authentication_of_a_login():
    deviation = Deviation(
        id="x", section="12.1.3", says="Checks nothing.", breaks=frozenset({Rule.CHECK_PROOF})
    )
    wish = intent(credentials=credentials(mutual=True))
    gate = locked_gate(mutual=True)
    assert Pair(gate, wish, deviation=deviation).connection.full_feature


def test_secrets_of_less_than_96_bits_are_only_used_where_nobody_can_listen():
    account = Account("me", Secret(b"elevenbytes"))
    short = Credentials(account, Challenges(unpredictable))
    assert short.short_secrets == ["me"]
    assert credentials(mutual=True).short_secrets == []
    chap = Chap(short, None)
    chap.agree()
    with pytest.raises(PeerError, match="less than 96 bits"):
        chap.receive(challenge())
    protected = Chap(Credentials(account, Challenges(unpredictable), protected=True), None)
    protected.agree()
    assert protected.receive(challenge())


@requirement("7143-6.3.2-3")
def test_a_target_that_rejects_all_methods_is_left():
    script = Script(intent(credentials=credentials()))
    script.answer_login(b"AuthMethod=Reject\0", transit=False, nsg=0)
    (failure,) = script.happened(LoginFailed)
    assert "rejects all methods" in failure.reason
    assert script.connection.closed
