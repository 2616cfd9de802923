from __future__ import annotations

import pytest

from tests.initiator.credentials import credentials
from tests.initiator.pair import intent
from trioscsi.errors import UsageError
from trioscsi.initiator.intent import Credentials, Intent
from trioscsi.protocol import Account, Challenges, Secret
from trioscsi.text import Offer, Stage


def test_a_login_needs_a_name_and_an_isid_of_six_bytes():
    with pytest.raises(UsageError, match="name of the initiator"):
        Intent(offer=Offer(), isid=bytes(6))
    with pytest.raises(UsageError, match="six bytes"):
        Intent(offer=Offer(initiator_name="iqn.2025-12.local:a"), isid=b"")


def test_credentials_need_the_offer_of_chap_in_security_negotiation():
    with pytest.raises(UsageError, match="offer of CHAP"):
        intent(credentials=credentials(), auth_methods=("None",))
    with pytest.raises(UsageError, match="offer of CHAP"):
        Intent(
            offer=Offer(initiator_name="iqn.2025-12.local:a", auth_methods=("CHAP",)),
            isid=bytes(6),
            credentials=credentials(),
            first_stage=Stage.OPERATIONAL,
        )


def test_one_secret_for_both_ways_is_refused():
    account = Account("me", Secret(b"one and the same"))
    other = Account("you", Secret(b"one and the same"))
    with pytest.raises(UsageError, match="both ways"):
        Credentials(account, Challenges(lambda size: bytes(size)), other)


def test_unknown_algorithms_are_refused():
    account = Account("me", Secret(b"a secret"))
    with pytest.raises(UsageError, match="CHAP algorithms"):
        Credentials(account, Challenges(lambda size: bytes(size)), algorithms=(4,))
