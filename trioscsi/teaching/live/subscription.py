"""Somebody who listens to a feed, with a queue that does not grow."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from trioscsi.protocol.line import nobody
from trioscsi.teaching.live.message import DETAIL, Filter, Message, News, Told

if TYPE_CHECKING:
    from trioscsi.teaching.live.feed import Feed

MOST_QUEUED = 4096
"""Messages that wait for one subscriber; of detail, so many, and of the rest as many again."""


class Subscription:
    """The messages for one subscriber, the first of which is ``hello``.

    ``wake`` is called when there is something to take after there was nothing.  It must neither
    wait nor fail.
    """

    def __init__(
        self, feed: Feed, wanted: Filter, most: int = MOST_QUEUED, wake: Callable[[], None] = nobody
    ) -> None:
        self._feed = feed
        self.filter = wanted
        self._most = most
        self._wake = wake
        self._queue: deque[News] = deque([Told(feed.hello())])
        self._left_out: Counter[str] = Counter()
        self._lost = False
        """Whether the present state has to be told anew."""

    def __len__(self) -> int:
        """How many messages wait, those that say what was left out not counted."""
        return len(self._queue)

    def offer(self, news: News) -> None:
        """Something has happened."""
        if not self.filter.admits(news):
            return
        kind, waiting = news.type, len(self._queue)
        if waiting >= self._most and (kind in DETAIL or waiting >= 2 * self._most):
            self._left_out[kind] += 1
            self._lost |= kind not in DETAIL
            return
        self._queue.append(news)
        if not waiting:
            self._wake()

    def take(self, most: int = 256) -> list[Message]:
        """The next messages, oldest first; what was left out is said where the gap is."""
        messages = [self._queue.popleft().message() for _ in range(min(most, len(self._queue)))]
        if self._queue or len(messages) == most:
            return messages
        if self._left_out:
            messages.append(self._gap())
        if self._lost:
            self._lost = False
            messages.append(self._feed.hello())
        return messages

    def close(self) -> None:
        """Nothing more is wanted."""
        self._feed.unsubscribe(self)

    def _gap(self) -> Message:
        left_out, self._left_out = dict(sorted(self._left_out.items())), Counter()
        return {
            "type": "dropped",
            "at": self._feed.now,
            "why": "the subscriber is slow",
            "messages": left_out,
        }
