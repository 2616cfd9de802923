"""Conversations that go on step by step: each PDU waits until somebody lets it pass.

It is made for a class that walks through the login of a real initiator.  While a PDU waits, the
timers of its connection stand still; those of the initiator do not, which is not ours to change.
A server that does not step has conversations without any of this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Protocol

import trio

from trioscsi.protocol.line import nobody
from trioscsi.server.conversation import Conversation
from trioscsi.server.listener import Address
from trioscsi.server.tracing import Tap


class Turnstile(Tap, Protocol):
    """Where the PDUs of one connection wait; it is told of the connection as any tap is."""

    def holds(self) -> bool:
        """Whether a whole PDU has come that may not be handled yet."""

    async def wait(self) -> None:
        """Return when the first PDU that is held may be handled; it is not held any more then."""


class Gate(Protocol):
    """Says of all connections when their PDUs may be handled."""

    def connect(self, peer: Address, own: Address, portal: Address) -> Turnstile:
        """A connection has come in through a portal, to an address of ours."""


class SteppedConversation(Conversation):
    """A conversation whose PDUs go through a turnstile, one after the other."""

    def __init__(self, turnstile: Turnstile, *details: Any) -> None:
        super().__init__(*details)
        self._turnstile = turnstile
        self._wanted = trio.Event()
        """Set when there is a PDU to wait for."""
        self._passed = trio.Event()
        self._passed.set()
        """Not set while a PDU waits."""
        self._may_pass = False
        self._pump = self.connection.pump
        vars(self.connection)["pump"] = self._step

    async def run(self, left: Callable[[], None] = nobody) -> None:
        """Converse until either side ends it; then nobody waits for its PDUs any more."""
        attending = trio.CancelScope()

        def over() -> None:
            attending.cancel()
            left()

        async with trio.open_nursery() as nursery:
            name = f"connection from {self.peer} turnstile"
            nursery.start_soon(self._attend, attending, name=name)
            await super().run(over)

    def _step(self, now: float, pdus: int) -> bool:
        """Handle the PDU that may pass, if there is one, in place of `TargetConnection.pump`."""
        self.connection.framer.eager = None  # nothing is begun before it may pass
        if self._may_pass:
            self._may_pass = False
            self._pump(now, 1)
        if self.connection.closed or not self._turnstile.holds():
            return self._pump(now, pdus)
        self._passed = trio.Event()
        self._wanted.set()
        return True  # what was received must stay

    async def _attend(self, as_long: trio.CancelScope) -> None:
        """Wait for each PDU; then the clock of the connection goes on where it stood."""
        with as_long:
            while True:
                await self._wanted.wait()
                self._wanted = trio.Event()
                stopped = trio.current_time()
                await self._turnstile.wait()
                self.connection.deadlines.postpone(trio.current_time() - stopped)
                self._may_pass = True
                self._passed.set()
                if self._drained is not None:
                    self._drained.set()

    async def _keep_time(self) -> None:
        while True:
            deadline = self.connection.next_deadline()
            with trio.CancelScope(deadline=inf if deadline is None else deadline) as self._timer:
                await trio.sleep_forever()
            while not self._passed.is_set():
                await self._passed.wait()
            self._turn(partial(self.connection.handle_timer, trio.current_time()))

    def _has_much_to_read(self) -> bool:
        """Nothing is read while a PDU waits."""
        return not self._passed.is_set() or super()._has_much_to_read()
