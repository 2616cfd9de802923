from __future__ import annotations

import re

import pytest
import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.server.web.asking import Answer, ask
from trioscsi import LivePage
from trioscsi.server.web.guard import COOKIE, HEADERS, Guard

TOKEN = "a-token-of-some-length"


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """What the guard stands before."""
    text = f"you asked for {Request(scope).url.path}"
    await PlainTextResponse(text)(scope, receive, send)


def guard(token: str | None = None) -> Guard:
    return Guard(behind, LivePage("127.0.0.1:8080", token))


def let_in(answer: Answer) -> bool:
    return answer.status == 200 and answer.text.startswith("you asked for")


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:9000", "[::1]:8080", "127.0.0.1"])
async def test_whoever_asks_this_machine_by_its_own_names_is_let_in(host: str) -> None:
    assert let_in(await ask(guard(), host=host))


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8080", "", "[::2]:8080"])
async def test_other_names_are_refused_where_nothing_is_asked_for(host: str) -> None:
    answer = await ask(guard(), host=host)
    assert answer.status == 421
    assert "you asked" not in answer.text


async def test_with_a_token_names_do_not_matter() -> None:
    app = guard(TOKEN)
    assert let_in(await ask(app, host="disk.example", authorization=f"Bearer {TOKEN}"))


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/sessions", "/static/page.js", "/feed"])
async def test_with_a_token_everything_needs_it(path: str) -> None:
    answer = await ask(guard(TOKEN), path)
    assert (answer.status, answer.text) == (401, "a token is needed\n")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "shown", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer a-token-of-some-lengtH", "\xfc"]
)
async def test_a_wrong_token_is_none(shown: str) -> None:
    assert (await ask(guard(TOKEN), authorization=shown)).status == 401


async def test_a_browser_is_shown_a_form() -> None:
    for path in ("/", "/login"):
        answer = await ask(guard(TOKEN), path, accept="text/html,*/*")
        assert '<form method="post" action="/login">' in answer.text
        assert "script" not in answer.text


async def test_the_form_gives_a_cookie_that_is_not_the_token() -> None:
    app = guard(TOKEN)
    answer = await ask(app, "/login", method="POST", body=b"token=" + TOKEN.encode())
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert re.search(r"; HttpOnly", cookie)
    assert re.search(r"; SameSite=strict", cookie)
    assert let_in(await ask(app, cookie=cookie_of(answer)))


async def test_a_token_in_the_address_is_taken_once_and_taken_out_of_it() -> None:
    app = guard(TOKEN)
    answer = await ask(app, f"/metrics?token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/metrics")
    assert let_in(await ask(app, "/metrics", cookie=cookie_of(answer)))


async def test_nobody_is_led_to_another_site_by_a_token() -> None:
    answer = await ask(guard(TOKEN), f"//evil.example/?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


async def test_a_cookie_does_not_outlive_the_process_nor_open_another_page() -> None:
    cookie = cookie_of(await ask(guard(TOKEN), f"/?token={TOKEN}"))
    assert (await ask(guard(TOKEN), cookie=cookie)).status == 401


@pytest.mark.parametrize(
    "cookie", [f"{COOKIE}=", f"{COOKIE}=wrong", f"{COOKIE}={TOKEN}", '="', "", "a,b=1"]
)
async def test_a_wrong_cookie_is_none(cookie: str) -> None:
    assert (await ask(guard(TOKEN), cookie=cookie)).status == 401


async def test_to_guess_takes_time(autojump_clock: trio.testing.MockClock) -> None:
    before = trio.current_time()
    answer = await ask(guard(TOKEN), "/login", method="POST", body=b"token=wrong")
    assert answer.status == 401
    assert "This is not the token." in answer.text
    assert "set-cookie" not in answer.headers
    assert trio.current_time() - before == 1


@pytest.mark.parametrize(
    "body", [b"", b"token=", b"\xff\xfe", b"x=1" + b"&x=1" * 40, b"other=" + TOKEN.encode()]
)
async def test_a_form_without_a_token_opens_nothing(
    body: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    answer = await ask(guard(TOKEN), "/login", method="POST", body=body)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


async def test_a_form_that_is_too_long_is_not_read() -> None:
    body = b"token=" + b"x" * 5000
    assert (await ask(guard(TOKEN), "/login", method="POST", body=body)).status == 413


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_other_sites_are_told_nothing(site: str) -> None:
    answer = await ask(guard(), "/api/sessions", sec_fetch_site=site, sec_fetch_mode="no-cors")
    assert answer.status == 403
    assert let_in(await ask(guard(), sec_fetch_site=site, sec_fetch_mode="navigate"))
    assert let_in(await ask(guard(), sec_fetch_site="same-origin", sec_fetch_mode="cors"))


async def test_every_answer_says_what_a_browser_may_do_with_it() -> None:
    app = guard(TOKEN)
    refused = await ask(app)
    answered = await ask(app, authorization=f"Bearer {TOKEN}")
    for answer in (refused, answered, await ask(guard(), host="evil.example")):
        assert HEADERS.items() <= answer.headers.items()
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy


async def test_what_is_not_http_is_not_heard() -> None:
    scope: Scope = {"type": "websocket"}

    async def never(*_: object) -> None:
        raise AssertionError("nothing is said")

    await guard()(scope, never, never)  # type: ignore[arg-type]
