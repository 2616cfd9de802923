"""A server, or a capture, as a feed of small messages: what live views are made from.

``specs/feed.md`` lists the messages.  A `Feed` is told of connections by whoever sees them, and
tells its subscribers; each of them has a queue that is bounded, so that none can hold anything up:
what does not fit is left out, and how much that was is said.

General layout:

- ``feed``: all connections, and who listens; ``subscription``: one of those who do;
- ``talk``: what is understood of one connection; ``sessions`` and ``tasks``: what is found in it;
- ``tap``: the bytes of a connection of a server; ``sampling``: how many of them are looked at;
- ``replay``: a capture played as a feed, ``guessing`` the transitions that it does not tell;
- ``rates``: how much is done in a second, and how long it takes.
"""

from __future__ import annotations

from trioscsi.teaching.live.feed import VERSION, Feed
from trioscsi.teaching.live.message import Filter, Message
from trioscsi.teaching.live.replay import Replay
from trioscsi.teaching.live.subscription import Subscription
from trioscsi.teaching.live.talk import Talk
from trioscsi.teaching.live.tap import LiveTap

__all__ = ["VERSION", "Feed", "Filter", "LiveTap", "Message", "Replay", "Subscription", "Talk"]
