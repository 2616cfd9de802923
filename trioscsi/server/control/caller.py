"""One of those who ask: its requests, their answers, and the messages that it listens to."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.metadata import version

import trio

from trioscsi.errors import ControlError
from trioscsi.server.control.requests import (
    MOST_LINE,
    BadRequest,
    Kind,
    Request,
    number,
    numbers,
    parse,
    types,
    words,
)
from trioscsi.server.live import Listener
from trioscsi.teaching.live import Feed, Filter, Message

log = logging.getLogger("trioscsi")

VERSION = 1
"""Of the protocol: it grows when something that is there changes its meaning."""

_PIECE = 4096
_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Caller:
    """A connection to the control socket."""

    def __init__(self, stream: trio.abc.Stream, feed: Feed) -> None:
        self._stream = stream
        self._feed = feed
        self._sending = trio.Lock()
        self._nursery: trio.Nursery | None = None
        self._listener: Listener | None = None
        self._waiting = trio.CancelScope()

    async def run(self) -> None:
        """Answer until either side has enough."""
        try:
            async with trio.open_nursery() as self._nursery:
                await self._send([{"type": "welcome", "version": VERSION, "program": _program()}])
                await self._answer_all()
                self._nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            log.debug("somebody has left the control socket")
        finally:
            await trio.aclose_forcefully(self._stream)

    async def _answer_all(self) -> None:
        buffer, too_long = bytearray(), False
        while data := await self._stream.receive_some(_PIECE):
            buffer += data
            while (end := buffer.find(b"\n")) >= 0:
                line, too_long_before = buffer[:end], too_long
                del buffer[: end + 1]
                too_long = False
                if line.strip() and not too_long_before:
                    await self._answer(line)
            if len(buffer) > MOST_LINE or too_long:
                buffer.clear()
                if not too_long:
                    too_long = True
                    reason = f"a request has at most {MOST_LINE} bytes"
                    await self._send([_refusal(None, reason)])

    async def _answer(self, line: bytearray) -> None:
        try:
            request = parse(line, {name: kind for name, (kind, _) in REQUESTS.items()})
            answer = await REQUESTS[request.name][1](self, request)
        except BadRequest as error:
            await self._send([_refusal(error.id, str(error))])
        except ControlError as error:
            await self._send([_refusal(request.id, str(error))])
        else:
            await self._send([{"type": "answer", "id": request.id, **answer}])

    async def _send(self, messages: Iterable[Message]) -> None:
        lines = map(_ENCODE, messages)
        async with self._sending:
            await self._stream.send_all("".join(f"{line}\n" for line in lines).encode())

    # What can be asked for.

    async def _snapshot(self, request: Request) -> Message:
        return {"snapshot": self._feed.hello()}

    async def _explain(self, request: Request) -> Message:
        connection, pdu = request.arguments["connection"], request.arguments["number"]
        explained = self._feed.explain(connection, pdu)
        if explained is None:
            raise ControlError(f"PDU {pdu} of connection {connection} is not remembered")
        return {"explained": explained}

    async def _subscribe(self, request: Request) -> Message:
        if self._listener is not None:
            raise ControlError("there is a subscription already: unsubscribe first")
        assert self._nursery is not None, "whoever asks is being answered"
        self._listener = Listener(self._feed, Filter(**request.arguments))
        self._nursery.start_soon(self._pass_on, self._listener, name="subscription")
        return {}

    async def _unsubscribe(self, request: Request) -> Message:
        if self._listener is None:
            raise ControlError("there is no subscription")
        self._listener = None
        self._waiting.cancel()
        return {}

    async def _pass_on(self, listener: Listener) -> None:
        """Send what comes; to unsubscribe cuts the waiting, not a line that was begun."""
        with listener:
            while self._listener is listener:
                with trio.CancelScope() as self._waiting:
                    messages = await listener.take()
                if not self._waiting.cancelled_caught:
                    await self._send(messages)


Answer = Callable[[Caller, Request], Awaitable[Message]]

REQUESTS: Mapping[str, tuple[Kind, Answer]] = {
    "subscribe": (
        Kind({"types": types, "connections": numbers, "pdus": words}),
        Caller._subscribe,
    ),
    "unsubscribe": (Kind({}), Caller._unsubscribe),
    "snapshot": (Kind({}), Caller._snapshot),
    "explain": (
        Kind({"connection": number, "number": number}, ("connection", "number")),
        Caller._explain,
    ),
}
"""Each request by its name, with who answers it."""


def _refusal(request_id: str | int | None, reason: str) -> Message:
    return {"type": "error", "id": request_id, "error": reason}


def _program() -> str:
    return f"trioscsi {version('trioscsi')}"
