from __future__ import annotations

import pytest

from trioscsi.errors import UsageError
from trioscsi.initiator.url import Url

NAME = "iqn.2025-12.local:disk"


def test_a_url_of_a_target():
    url = Url.parse(f"iscsi://127.0.0.1:3261/{NAME}/7")
    assert (url.host, url.port, url.target, url.lun) == ("127.0.0.1", 3261, NAME, 7)
    assert url.portal == "127.0.0.1:3261"
    assert url.user is None


def test_a_url_of_a_portal():
    url = Url.parse("iscsi://[::1]")
    assert (url.host, url.port, url.target, url.lun) == ("::1", 3260, None, 0)
    assert url.portal == "[::1]:3260"


def test_secrets_are_taken_and_not_shown():
    url = Url.parse(f"iscsi://me%a:b@host/{NAME}/0?target_user=you&target_password=theirs")
    assert (url.user, url.secret) == ("me", "a:b")
    assert (url.target_user, url.target_secret) == ("you", "theirs")
    assert "a:b" not in repr(url)
    assert "theirs" not in repr(url)


def test_a_user_without_a_secret():
    url = Url.parse(f"iscsi://me@host/{NAME}/0")
    assert (url.user, url.secret) == ("me", None)


@pytest.mark.parametrize(
    "text",
    [
        "http://host/x",
        "iscsi:///x",
        "host",
        "iscsi://host:99999/",
        f"iscsi://host/{NAME}/x",
        f"iscsi://host/{NAME}/99999",
        pytest.param(f"iscsi://host/{NAME}/{'9' * 5000}", id="a LUN of 5,000 digits"),
        pytest.param(f"iscsi://host:{'9' * 5000}/{NAME}/0", id="a port of 5,000 digits"),
        "iscsi://host/nobody/0",
        f"iscsi://host/{NAME}/0?what=1",
    ],
)
def test_what_is_none_is_refused(text: str):
    with pytest.raises(UsageError):
        Url.parse(text)


def test_an_error_shows_no_secret():
    with pytest.raises(UsageError) as caught:
        Url.parse("http://me%hush@host/")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "portal"),
    [
        ("192.0.2.1", "192.0.2.1:3260"),
        ("192.0.2.1:99,7", "192.0.2.1:99"),
        ("[2001:db8::1]:99,1", "[2001:db8::1]:99"),
        ("[2001:db8::1]", "[2001:db8::1]:3260"),
        ("disk.example.com:3261", "disk.example.com:3261"),
    ],
)
def test_a_target_may_be_elsewhere(address: str, portal: str):
    url = Url.parse(f"iscsi://me%secret@host/{NAME}/3").at(address)
    assert (url.portal, url.target, url.lun, url.user) == (portal, NAME, 3, "me")


@pytest.mark.parametrize("address", ["", ":3260", "host:99999", "[::1"])
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(UsageError):
        Url.parse(f"iscsi://host/{NAME}/3").at(address)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("header_digest=crc32c", {"header_digests": ("CRC32C",)}),
        ("data_digest=none_crc32c", {"data_digests": ("None", "CRC32C")}),
        ("header_digest=CRC32C_NONE", {"header_digests": ("CRC32C", "None")}),
        ("error_recovery_level=2", {"error_recovery_level": 2}),
        ("immediate_data=no&initial_r2t=Yes", {"immediate_data": False, "initial_r2t": True}),
    ],
)
def test_what_is_to_be_negotiated_may_be_said(query: str, options: dict[str, object]):
    assert Url.parse(f"iscsi://host/{NAME}/3?{query}").options == options


@pytest.mark.parametrize(
    "query",
    [
        "header_digest=md5",
        "max_connections=many",
        pytest.param(f"max_connections={'9' * 5000}", id="5,000 digits"),
        "immediate_data=2",
        "immediate_data=no&immediate_data=yes",
        "target_name=x",
        "auth=chap",
    ],
)
def test_what_cannot_be_said_there_is_refused(query: str):
    with pytest.raises(UsageError, match="in a URL of a target"):
        Url.parse(f"iscsi://host/{NAME}/3?{query}")
