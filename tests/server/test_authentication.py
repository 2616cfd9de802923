from __future__ import annotations

import pytest

from trioscsi import UsageError
from trioscsi.protocol import Account, Secret
from trioscsi.server.authentication import authentication

LONG = "a secret of some length"


def test_without_names_nothing_has_to_be_proven() -> None:
    assert authentication(None) is None
    assert authentication(None, ("disk", LONG)) is None


def test_a_name_with_its_secret_is_an_account() -> None:
    found = authentication(("alice", LONG), ("disk", b"\xff" * 16))
    assert found is not None
    assert found.accounts == (Account("alice", Secret(LONG.encode())),)
    assert found.mutual == Account("disk", Secret(b"\xff" * 16))


def test_there_may_be_several() -> None:
    found = authentication({"alice": LONG, "bob": b"another secret of bob's"})
    assert found is not None
    assert [account.name for account in found.accounts] == ["alice", "bob"]


def test_a_name_may_be_that_of_some_initiators_alone() -> None:
    found = authentication({"alice": (LONG, "iqn.2025-12.test:Alice*"), "bob": "another " + LONG})
    assert found is not None
    assert [account.initiator for account in found.accounts] == ["iqn.2025-12.test:alice*", "*"]
    assert [each.is_of("iqn.2025-12.test:alice-1") for each in found.accounts] == [True, True]
    assert [each.is_of("iqn.2025-12.test:carol") for each in found.accounts] == [False, True]


def test_all_targets_of_a_process_know_each_others_challenges() -> None:
    one, other = authentication(("alice", LONG)), authentication(("bob", LONG))
    assert one is not None
    assert other is not None
    challenge = one.challenges.issue(16)
    assert len(challenge) == 16
    assert not other.challenges.take(challenge)


def test_a_short_secret_is_a_warning_that_does_not_tell_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    authentication({"alice": "elevenbytes", "bob": LONG}, ("disk", "tiny"))
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("the CHAP secret of alice is shorter than 12 bytes")
    assert "disk" in caplog.messages[1]
    assert not any("elevenbytes" in line or "tiny" in line for line in caplog.messages)


def test_the_same_secret_both_ways_is_refused() -> None:
    with pytest.raises(UsageError, match="both ways"):
        authentication(("alice", LONG), ("disk", LONG))
