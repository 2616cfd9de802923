"""Asks an ASGI application as a browser does, without any socket."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import attrs
from starlette.types import ASGIApp

Message = MutableMapping[str, Any]


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: ASGIApp,
    path: str = "/",
    *,
    method: str = "GET",
    body: bytes = b"",
    host: str = "127.0.0.1:8080",
    **headers: str,
) -> Answer:
    """One request; ``_`` in the name of a header stands for ``-``."""
    path, _, query = path.partition("?")
    sent = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    parts: list[bytes] = [body[:5], body[5:]] if body else [b""]
    answered: list[Message] = []

    async def receive() -> Message:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8080),
    }
    await app(scope, receive, send)
    start = answered[0]
    return Answer(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in answered[1:]),
    )
