from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pytest
import trio

from trioscsi.server.web import news
from trioscsi.server.web.news import News
from trioscsi.teaching.live import Feed
from trioscsi.teaching.live.message import Told

PEER, PORTAL = ("127.0.0.1", 50_000), ("127.0.0.1", 3260)


def messages(event: str) -> list[dict[str, Any]]:
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    assert event.count("\n") == 2
    found: list[dict[str, Any]] = json.loads(event.removeprefix("data: "))
    return found


async def test_who_listens_is_told_the_present_state_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    feed = Feed()
    async with aclosing(News(feed).stream()) as events:
        assert (await anext(events)).startswith("retry: ")
        assert messages(await anext(events))[0]["type"] == "hello"
        feed.connect(PEER, PORTAL, PORTAL)
        (message,) = messages(await anext(events))
        assert (message["type"], message["peer"]) == ("connection", "127.0.0.1:50000")


async def test_one_who_has_gone_is_not_told_any_more() -> None:
    feed = Feed()
    listened = News(feed)
    async with aclosing(listened.stream()) as events:
        await anext(events)
        assert listened.listeners == 1
        assert feed.followed
    assert listened.listeners == 0
    assert not feed.followed


async def test_only_so_many_may_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "MOST_LISTENERS", 1)
    listened = News(Feed())
    assert not listened.full
    async with aclosing(listened.stream()) as events:
        await anext(events)
        assert listened.full
    assert not listened.full


async def test_silence_is_broken_so_that_a_lost_browser_is_found_out(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(clock=lambda: 1e9)  # whose time stands still: it has nothing to tell
    async with aclosing(News(feed).stream()) as events:
        await anext(events)
        messages(await anext(events))
        before = trio.current_time()
        assert await anext(events) == ":\n\n"
        assert 10 < trio.current_time() - before < 30


async def test_one_who_does_not_read_loses_detail_and_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    feed = Feed()
    async with aclosing(News(feed).stream()) as events:
        await anext(events)
        await anext(events)
        for _ in range(20_000):
            feed.tell(Told({"type": "note", "connection": 1, "text": "again"}))
        told: list[dict[str, Any]] = []
        while not any(message["type"] == "dropped" for message in told):
            told += messages(await anext(events))
        assert len(told) < 10_000
        assert any(message["type"] == "hello" for message in told)
