"""What can be asked for: the page, the feed, the API and the metrics."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trioscsi.digits import number_of
from trioscsi.machines import MACHINES
from trioscsi.server.web import files, metrics, overview
from trioscsi.server.web.guard import Guard
from trioscsi.server.web.news import Events, News
from trioscsi.teaching.picture import figure

if TYPE_CHECKING:
    from trioscsi.server.server import Server
    from trioscsi.server.web.page import LivePage

SHOWN = ("connection", "session", "login", "chap", "full_feature", "text", "logout", "cleanup")
"""The machines that the page draws, in its order."""

_LARGEST = 2**63
"""The largest number that anything has here."""


def make_app(server: Server, page: LivePage) -> ASGIApp:
    """The application for a server, with the guard before it."""
    return Guard(Starlette(routes=_routes(server)), page)


def _routes(server: Server) -> list[Route]:
    # Asked for here, the feed is told of all connections that come in later.
    feed = server.feed
    news = News(feed)
    static = files.load()

    async def index(request: Request) -> Response:
        return static["index.html"].answer(request)

    async def file(request: Request) -> Response:
        found = static.get(request.path_params["name"])
        return _nothing("the page has other files") if found is None else found.answer(request)

    async def listen(request: Request) -> Response:
        if news.full:
            return PlainTextResponse("too many pages are open\n", 503, {"retry-after": "10"})
        return Events(news.stream())

    async def machines(request: Request) -> Response:
        return JSONResponse(await drawn())

    async def part(request: Request) -> Response:
        listed = overview.PARTS.get(request.path_params["part"])
        if listed is None:
            return _nothing(f"there are {', '.join(overview.PARTS)}")
        return JSONResponse(listed(server))

    async def pdu(request: Request) -> Response:
        connection, number = (
            number_of(request.path_params[name], _LARGEST) for name in ("connection", "number")
        )
        found = None
        if connection is not None and number is not None:
            found = feed.explain(connection, number)
        if found is None:
            return _nothing("it is forgotten, or was never seen")
        return JSONResponse(found)

    async def counted(request: Request) -> Response:
        return PlainTextResponse(metrics.text(server), media_type=metrics.CONTENT_TYPE)

    return [
        Route("/", index),
        Route("/feed", listen),
        Route("/metrics", counted),
        Route("/api/machines", machines),
        Route("/api/connections/{connection}/pdus/{number}", pdu),
        Route("/api/{part}", part),
        Route("/static/{name}", file),
    ]


def _nothing(why: str) -> Response:
    return JSONResponse({"error": f"there is no such thing: {why}"}, 404)


async def drawn() -> list[dict[str, Any]]:
    """The machines with their pictures; drawing takes a moment, and is done once, in a thread."""
    return await trio.to_thread.run_sync(_drawn)


@cache
def _drawn() -> list[dict[str, Any]]:
    return [
        {
            "name": machine.name,
            "section": machine.section,
            "sentence": machine.sentence,
            "initial": machine.initial,
            "states": [
                {"name": state.name, "symbol": state.symbol, "sentence": state.sentence}
                for state in machine.states
            ],
            "figure": figure(machine),
        }
        for machine in map(MACHINES.__getitem__, SHOWN)
    ]
