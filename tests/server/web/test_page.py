from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from trioscsi import LivePage, UsageError
from trioscsi.server.web.page import is_loopback

TOKEN = "a token of some length".replace(" ", "-")


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:0", "127.5.6.7:80", "[::1]:80", "localhost:8080", "LOCALHOST"]
)
def test_on_this_machine_no_token_is_needed(listen: str) -> None:
    assert LivePage(listen).open


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "disk.example:80"])
def test_a_page_that_others_can_reach_needs_a_token(listen: str) -> None:
    with pytest.raises(UsageError, match="would be open to whoever can reach it: give it a token"):
        LivePage(listen)
    assert not LivePage(listen, TOKEN).open


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "fewer than 16 characters"),
        ("short", "fewer than 16 characters"),
        ("with a space in it", "printable ASCII"),
        ("geheim-ü-geheim-ü", "printable ASCII"),
        ("line\nbreak-in-a-token", "printable ASCII"),
    ],
)
def test_a_token_that_is_easily_guessed_or_cannot_be_sent_is_refused(
    token: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        LivePage("127.0.0.1:80", token)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError, match="not HOST:PORT"):
        LivePage("x:y")


def test_without_its_packages_a_page_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        "trioscsi.server.web.page.find_spec",
        lambda name: None if name == "hypercorn" else known(name),
    )
    with pytest.raises(UsageError, match=r"pip install 'trioscsi\[web\]'"):
        LivePage("127.0.0.1:80")


def test_a_page_knows_its_token_and_its_ticket_and_no_others() -> None:
    page, other = LivePage("127.0.0.1:80", TOKEN), LivePage("127.0.0.1:80", TOKEN)
    assert page.knows_token(TOKEN)
    assert page.knows_ticket(page.ticket)
    for shown in ("", "x", TOKEN + "x", TOKEN[:-1], page.ticket, "ü"):
        assert not page.knows_token(shown)
    for shown in ("", TOKEN, other.ticket, "ü"):
        assert not page.knows_ticket(shown)


def test_a_page_without_a_token_knows_none() -> None:
    page = LivePage("127.0.0.1:80")
    assert not page.knows_token("")
    assert not page.knows_ticket(page.ticket)


def test_a_token_is_not_shown() -> None:
    page = LivePage("127.0.0.1:80", TOKEN)
    assert TOKEN not in repr(page)
    assert page.ticket not in repr(page)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.", True),
        ("::ffff:127.0.0.1", True),
        ("127.0.0.1.example", False),
        ("localhost.example", False),
        ("", False),
        ("192.0.2.1", False),
    ],
)
def test_only_names_of_this_machine_are_loopback(host: Any, expected: bool) -> None:
    assert is_loopback(host) is expected
