"""``trioscsi serve --step``: each PDU is explained, and waits for a key before it is answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from time import time_ns

import trio

from trioscsi.capture.packets import Address
from trioscsi.cli import keys
from trioscsi.machines import MACHINES, Transition
from trioscsi.teaching.explanation import address, explain_cut
from trioscsi.teaching.onlooker import Connection, Said
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.telling import Buffer, Tell, Teller, Told

PROMPT = "[Enter] let it be answered  [c] go on without waiting  [q] stop the server"
_SHOWN = ("session", "connection", "login")
"""The machines whose states are shown before a PDU is answered."""


class Stepper:
    """The gate of all connections; see `trioscsi.server.stepping.Gate`.

    ``tell`` is called with each line, ``next_key`` gives a key or None when there will be none;
    ``stop`` is called when the server is to stop.
    """

    def __init__(
        self, tell: Tell, next_key: Callable[[], Awaitable[str | None]], stop: Callable[[], None]
    ) -> None:
        self.teller = Teller(tell)
        self._next_key, self._stop = next_key, stop
        self.free = False
        """Whether nothing waits any more."""
        self._turn = trio.Lock()
        """Held by the connection whose PDU is shown."""
        self._count = 0

    def connect(self, peer: Address, own: Address, portal: Address) -> Step:
        """A connection has come in."""
        self._count += 1
        if self._turn.locked():
            self.teller.say(
                f"({self._count}) another connection, from {address(peer)}: its PDUs have to wait"
                " for their turn"
            )
        return Step(self, Connection(self._count, peer, own))

    async def ask(self, show: Callable[[], None]) -> None:
        """Show a PDU, and return when it may be answered."""
        async with self._turn:
            show()
            while not self.free:
                self.teller.say(PROMPT)
                match await self._next_key():
                    case keys.ENTER:
                        return
                    case "c":
                        self.free = True
                    case "q":
                        self.free = True
                        self._stop()
                    case None:
                        self.teller.say("no more keys will come: going on without waiting")
                        self.free = True
                    case _:
                        pass


class Step(Told):
    """The turnstile of one connection; see `trioscsi.server.stepping.Turnstile`."""

    def __init__(self, stepper: Stepper, connection: Connection) -> None:
        super().__init__(stepper.teller, connection)
        self._stepper = stepper
        self._held: deque[Cut] = deque()
        self._states = {name: MACHINES[name].initial for name in _SHOWN}

    def received(self, *buffers: Buffer) -> None:
        """Bytes have come from the initiator."""
        for buffer in buffers:
            self._held.extend(self._splitters[True].receive(self._open(bytes(buffer), True)))

    def moved(self, transition: Transition) -> None:
        """A machine of the connection, or of its session, has taken a transition."""
        if transition.machine in self._states:
            self._states[transition.machine] = transition.target
        super().moved(transition)

    def holds(self) -> bool:
        """Whether a PDU waits; when nothing waits any more, what has come is told in short."""
        if self._stepper.free:
            while self._held:
                self._take(Said(time_ns(), True, self._held.popleft()))
        return bool(self._held)

    async def wait(self) -> None:
        """Show the first PDU that is held, and wait for the key that lets it be answered."""
        await self._stepper.ask(self._show)

    def _show(self) -> None:
        """All about a PDU, and the states that it comes to."""
        cut = self._held.popleft()
        tell = self._teller.say
        tell("")
        tell("-" * 78)
        self._take(Said(time_ns(), True, cut))
        for part in explain_cut(cut):
            for line in part.split("\n"):
                tell(f"       {line}")
        tell("")
        for name, state in self._states.items():
            tell(f"       {_in_state(name, state)}")


def _in_state(machine: str, name: str) -> str:
    state = next(state for state in MACHINES[machine].states if state.name == name)
    return f"{machine}: {state.symbol} {name}. {state.sentence}"
