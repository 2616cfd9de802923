"""Who may ask for what: every request to the live page passes here first.

Without a token, only names of this machine are answered to: else any page of the web could have its
own name lead here, and read what is shown (DNS rebinding).  With one, each request has to show it,
or the cookie that a browser gets for it.  Nothing is told to other sites, and nothing that is told
may be kept.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

import trio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trioscsi.server.web.page import LivePage, is_loopback

COOKIE = "trioscsi"
_LOGIN = "/login"
_PARAMETER = "token"
_MOST_FORM = 4096
"""Bytes of the form that a token is sent in."""
_PENANCE = 1.0
"""Seconds that a wrong token costs who sent it."""

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; display: grid; place-content: center;
  min-height: 90vh; margin: 0; }
form { display: grid; gap: .75rem; width: min(22rem, 90vw); }
input, button { font: inherit; padding: .5rem .75rem; }
"""
_FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>trioscsi</title>
<style>{style}</style>
<main>
<h1>trioscsi</h1>
<form method="post" action="/login">
<label for="token">The token of this page</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Open</button>
{complaint}
</form>
</main>
</html>
"""
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        f"style-src 'self' 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""What every answer says."""


class Guard:
    """Stands before an application."""

    def __init__(self, app: ASGIApp, page: LivePage) -> None:
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    said[name] = value
                said.setdefault("cache-control", "no-store")
            await send(message)

        answer = await self._answer(scope, headers, receive)
        await (self._app if answer is None else answer)(scope, receive, dressed)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive) -> Response | None:
        """What to say instead of what was asked for; None lets the request through."""
        if _comes_from_elsewhere(headers):
            return PlainTextResponse("this is not told to other sites\n", 403)
        if self._page.open:
            if is_loopback(_host(headers)):
                return None
            return PlainTextResponse("ask for 127.0.0.1, [::1] or localhost\n", 421)
        if scope["path"] == _LOGIN:
            return await self._log_in(scope, receive)
        shown = _parameter(scope["query_string"])
        if shown is not None:
            return await self._admit(shown, scope["path"])
        if self._knows(headers):
            return None
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(_form(""), 401)
        return PlainTextResponse("a token is needed\n", 401, {"www-authenticate": "Bearer"})

    def _knows(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._page.knows_token(token.strip())
        return self._page.knows_ticket(_cookie(headers))

    async def _log_in(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] != "POST":
            return HTMLResponse(_form(""))
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > _MOST_FORM or message["type"] == "http.disconnect":
                return PlainTextResponse("this is no token\n", 413)
            if not message.get("more_body"):
                break
        return await self._admit(_parameter(body) or "", "/")

    async def _admit(self, shown: str, path: str) -> Response:
        """A token was shown: if it is the right one, it is not to be seen in the address again."""
        if not self._page.knows_token(shown):
            await trio.sleep(_PENANCE)
            return HTMLResponse(_form('<p role="alert">This is not the token.</p>'), 401)
        # One slash: two would be another host.
        response = RedirectResponse("/" + path.lstrip("/"), 303)
        response.set_cookie(COOKIE, self._page.ticket, httponly=True, samesite="strict")
        return response


def _form(complaint: str) -> str:
    return _FORM.format(style=_STYLE, complaint=complaint)


def _comes_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that another site asks, other than by a link to here."""
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "navigate")
    return site not in ("none", "same-origin") and mode != "navigate"


def _host(headers: Headers) -> str:
    """The host that a request was meant for, without its port."""
    host = headers.get("host", "")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _parameter(encoded: bytes) -> str | None:
    """The token in a query or in a form."""
    try:
        fields = parse_qs(encoded.decode("ascii"), max_num_fields=16)
    except ValueError:
        return None
    return fields.get(_PARAMETER, [None])[0]
