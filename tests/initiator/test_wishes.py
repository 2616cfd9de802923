from __future__ import annotations

import os
from typing import Any

import pytest

from trioscsi.errors import UsageError
from trioscsi.initiator.intent import Intent
from trioscsi.initiator.url import Url
from trioscsi.initiator.wishes import NAME, intent_of
from trioscsi.protocol import Challenges
from trioscsi.protocol.credentials import Secret
from trioscsi.text import SessionType, Stage

TARGET = "iqn.2025-12.local:disk"


def wish(url: str, **options: Any) -> Intent:
    return intent_of(Url.parse(url), NAME, bytes(6), Challenges(os.urandom), options)


def test_a_target_is_logged_in_to_and_a_portal_is_asked():
    offer = wish(f"iscsi://host/{TARGET}/0").offer
    assert (offer.initiator_name, offer.target_name) == (NAME, TARGET)
    offer = wish("iscsi://host").offer
    assert (offer.target_name, offer.session_type) == (None, SessionType.DISCOVERY)


def test_options_are_those_of_the_offer_and_of_the_login():
    intent = wish(
        f"iscsi://host/{TARGET}/0?max_connections=2&header_digest=crc32c",
        error_recovery_level=2,
        first_stage=Stage.OPERATIONAL,
        first_cmd_sn=7,
        more=(("X-a.b", "1"),),
    )
    assert (intent.offer.max_connections, intent.offer.error_recovery_level) == (2, 2)
    assert intent.offer.header_digests == ("CRC32C",)
    assert (intent.first_stage, intent.first_cmd_sn) == (Stage.OPERATIONAL, 7)
    assert intent.more == (("X-a.b", "1"),)
    with pytest.raises(UsageError, match="unknown options of a login: speed"):
        wish("iscsi://host", speed=1)
    with pytest.raises(UsageError, match="'max_connections' must be >= 1: 0"):
        wish("iscsi://host?max_connections=0")


def test_options_go_before_the_url():
    offer = wish(f"iscsi://host/{TARGET}/0?max_connections=2", max_connections=3).offer
    assert offer.max_connections == 3


def test_who_has_a_secret_proves_it_and_may_want_a_proof():
    url = f"iscsi://me%secret@host/{TARGET}/0"
    intent = wish(url)
    assert intent.offer.auth_methods == ("CHAP", "None")
    assert intent.credentials is not None
    assert intent.credentials.short_secrets == ["me"]
    intent = wish(f"{url}?target_user=you&target_password=other", protected=True)
    assert intent.offer.auth_methods == ("CHAP",)
    assert intent.credentials is not None
    assert intent.credentials.short_secrets == []
    with pytest.raises(UsageError, match="no secret for me"):
        wish(f"iscsi://me@host/{TARGET}/0")


def test_a_secret_is_the_bytes_that_were_typed():
    intent = wish(f"iscsi://me%b\udcfcro@host/{TARGET}/0")
    assert intent.credentials is not None
    assert intent.credentials.account.secret == Secret(b"b\xfcro")
