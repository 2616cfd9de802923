"""The conversations of a server: who is let in, and how they are seen off."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial

import trio

from trioscsi.limits import Limits
from trioscsi.protocol import Gatekeeper, Node
from trioscsi.server.conversation import Conversation
from trioscsi.server.crowd import Crowd
from trioscsi.server.lender import Lender
from trioscsi.server.listener import Address
from trioscsi.server.outbox import Backlog
from trioscsi.server.perform import Performer
from trioscsi.server.reactor import Reactor
from trioscsi.server.refusals import Refusals
from trioscsi.server.stepping import SteppedConversation, Turnstile
from trioscsi.server.tracing import Tap

log = logging.getLogger("trioscsi")


class Reception:
    """Lets connections in while there is room; what all of them share is here."""

    def __init__(self, limits: Limits, performer_of: Callable[[Node], Performer]) -> None:
        self._limits = limits
        self._performer_of = performer_of
        self.reactor = Reactor()
        """Gives the turns; to be run beside the conversations."""
        self.backlog = Backlog(limits.total_output)
        """What all peers have still to read."""
        self.refusals = Refusals(limits.refusals)
        """What was refused of late, and why."""
        self.conversations: list[Conversation] = []
        """Those that go on, in the order in which they were let in."""
        self.accepted = 0
        """Transport connections that were let in."""
        self._lender = Lender(limits.turn_bytes, limits.write_buffers)
        self._crowd = Crowd(limits)
        self._somebody_left = trio.Event()

    def refusal(self, peer: Address) -> str | None:
        """Why a connection may not come in, or None if it may."""
        refusal = self._crowd.refusal(peer[0], trio.current_time())
        if refusal is None and not self._make_room():
            refusal = "there is no room for another connection"
        return refusal

    def let_in(
        self,
        nursery: trio.Nursery,
        sock: socket.socket,
        peer: Address,
        gatekeeper: Gatekeeper,
        tap: Tap | None = None,
        turnstile: Turnstile | None = None,
    ) -> Conversation:
        """Converse over a connection in a task of this nursery, until either side ends it."""
        converse: Callable[..., Conversation] = Conversation
        if turnstile is not None:
            converse = partial(SteppedConversation, turnstile)
        conversation = converse(
            sock,
            peer,
            gatekeeper,
            self._limits,
            self._lender,
            self.reactor,
            self.backlog,
            self._performer_of,
            self.refusals,
            tap,
        )
        self.conversations.append(conversation)
        self.accepted += 1
        self._crowd.enter(peer[0])
        nursery.start_soon(
            self._converse, conversation, peer[0], name=f"connection from {conversation.peer}"
        )
        return conversation

    async def see_off(
        self, concerns: Callable[[Conversation], bool], grace: float, reason: str
    ) -> None:
        """Ask initiators to log out, and end what goes on after ``grace`` seconds."""

        def left() -> list[Conversation]:
            return [talk for talk in self.conversations if concerns(talk)]

        for conversation in left():
            conversation.ask_for_logout()
        with trio.move_on_after(grace):
            while left():
                await self._somebody_left.wait()
        for conversation in left():
            conversation.drop(reason)

    def _make_room(self) -> bool:
        """The oldest of too many connections that have not logged in gives way.

        False if there are too many connections and all have logged in.
        """
        waiting = [talk for talk in self.conversations if talk.connection.in_login]
        crowded = len(self.conversations) >= self._limits.connections
        if waiting and (crowded or len(waiting) >= self._limits.logins):
            waiting[0].drop("too many connections that have not logged in")
            return True
        return not crowded

    async def _converse(self, conversation: Conversation, host: str) -> None:
        try:
            await conversation.run(partial(self._left, conversation, host))
        except* Exception:
            # A fault in one conversation ends that conversation, never the server.
            log.exception("the connection from %s ended by a fault of ours", conversation.peer)

    def _left(self, conversation: Conversation, host: str) -> None:
        self.conversations.remove(conversation)
        self._crowd.leave(host)
        self._somebody_left.set()
        self._somebody_left = trio.Event()
