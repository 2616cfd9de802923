from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from trioscsi.errors import UsageError
from trioscsi.protocol.credentials import Account, Authentication, Challenges, Secret

ALICE = Account("alice", Secret(b"alice's long secret"))
DISK = Account("disk", Secret(b"the disk's long secret"))


def challenges() -> Challenges:
    numbers = count()
    return Challenges(lambda length: next(numbers).to_bytes(length, "big"))


def test_a_secret_shows_nowhere():
    authentication = Authentication((ALICE,), challenges(), mutual=DISK)
    for shown in (repr(ALICE), repr(authentication), str(ALICE.secret)):
        assert "secret'" not in shown
        assert "long" not in shown


def test_secrets_are_compared():
    assert ALICE.secret.equals(Secret(b"alice's long secret"))
    assert not ALICE.secret.equals(DISK.secret)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"accounts": ()}, "needs the name and the secret"),
        ({"accounts": (ALICE, ALICE)}, "given twice"),
        ({"algorithms": ()}, "some of 5, 6, 7, 8"),
        ({"algorithms": (5, 9)}, "some of 5, 6, 7, 8"),
        ({"mutual": Account("disk", ALICE.secret)}, "the same CHAP secret both ways"),
    ],
)
def test_what_the_rfc_forbids_is_a_usage_error(wrong: dict[str, Any], complaint: str):
    right: dict[str, Any] = {"accounts": (ALICE,), "challenges": challenges()}
    with pytest.raises(UsageError, match=complaint):
        Authentication(**right | wrong)


@pytest.mark.parametrize("name", ["", "n" * 256, "a\0b", "\u00e9" * 128, "\udcff"])
def test_a_name_can_be_sent(name: str):
    with pytest.raises(UsageError, match="a CHAP name has from 1 to 255 bytes"):
        Account(name, ALICE.secret)


def test_there_is_no_empty_secret():
    with pytest.raises(UsageError, match="cannot be empty"):
        Secret(b"")


def test_short_secrets_are_told_by_the_names_they_prove():
    short = Account("bob", Secret(b"eleven byte"))
    long = Account("carol", Secret(b"twelve bytes"))
    both = Authentication((short, long), challenges(), mutual=Account("d", Secret(b"x")))
    assert both.short_secrets == ["bob", "d"]
    assert Authentication((long,), challenges()).short_secrets == []


def test_no_challenge_comes_twice():
    known = challenges()
    ours = known.issue(16)
    assert not known.take(ours)
    assert known.take(b"theirs")
    assert not known.take(b"theirs")


def test_old_challenges_are_forgotten():
    known = challenges()
    first = known.issue(16)
    for _ in range(5000):
        known.issue(16)
    assert known.take(first)
