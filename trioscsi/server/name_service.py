"""Our entry in an iSNS server: registered, kept alive, told of changes, taken out (RFC 4171)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import trio

from trioscsi.errors import NameServiceError, leaves, why_unreachable
from trioscsi.isns import Entity, Function, Message, Reader, Status, Tag, decode_number, decode_text
from trioscsi.limits import Limits
from trioscsi.server.listener import Address, format_address

log = logging.getLogger("trioscsi")

_RECEIVE = 65_536
_LOST = (OSError, NameServiceError, trio.BrokenResourceError, trio.TooSlowError)
"""What ends a connection with a name server."""


class NameService:
    """A client of one iSNS server.

    ``entity_for`` says what to register, from our end of the connection to the server (the
    address at which it can reach us) and the port at which we hear notices.
    """

    def __init__(
        self, server: Address, entity_for: Callable[[Address, int], Entity], limits: Limits
    ) -> None:
        self._server = server
        self._where = format_address(server)
        self._entity_for = entity_for
        self._limits = limits
        self._transactions = count(1)
        self._told: tuple[_Conversation, Entity] | None = None
        """To whom what was said that is to be taken back."""
        self.registered = False
        """Whether the server has our entry, as far as we know."""
        self._complained = False
        self._notices: list[trio.CancelScope] = []
        """Those who tell us something, the oldest first."""

    async def run(self) -> None:
        """Be registered, and come back whenever the server has been away; until cancelled."""
        while True:
            try:
                await self._be_registered()
            except* (*_LOST, UnicodeError) as group:  # the one of what no host is called
                self._complain(next(leaves(group)))
            finally:
                self._told, self.registered = None, False
            await trio.sleep(self._limits.isns_retry)

    def _complain(self, error: Exception) -> None:
        """Say once that the server cannot be used, until it can."""
        if not self._complained:
            self._complained = True
            log.warning("the name server %s is of no use: %s", self._where, why_unreachable(error))

    async def deregister(self) -> None:
        """Take our entry out, if the server answers soon; called before the portals close."""
        if self._told is None:
            return
        conversation, entity = self._told
        with suppress(*_LOST):  # then it will find out by itself
            await conversation.send(entity.deregister(self._next()))

    async def _be_registered(self) -> None:
        """One registration, until the server is lost."""
        with trio.fail_after(self._limits.isns_time):
            stream = await trio.open_tcp_stream(*self._server)
        async with stream, trio.open_nursery() as nursery:
            own = stream.socket.getsockname()[:2]
            listeners = await trio.open_tcp_listeners(0, host=own[0])
            port = listeners[0].socket.getsockname()[1]
            nursery.start_soon(self._hear_notices, listeners, name="iSNS notices")
            entity = self._entity_for(own, port)
            if not entity.nodes:
                raise NameServiceError("there is no target to be registered yet")
            conversation = _Conversation(stream, self._limits, self._notice)
            self._told = conversation, entity
            response = await conversation.ask(entity.register(self._next()))
            interval = refresh_interval(entity, response)
            for node in entity.nodes:
                await conversation.ask(entity.ask_for_notices(node, self._next()))
            self.registered, self._complained = True, False
            log.info("registered as %s at the name server %s", entity.identifier, self._where)
            while True:
                # Silence is either a server without inquiries, or one that has forgotten us.
                with trio.move_on_after(interval):
                    await conversation.listen()
                await conversation.ask(entity.ask_for_itself(self._next()))

    async def _hear_notices(self, listeners: list[trio.SocketListener]) -> None:
        await trio.serve_listeners(self._hear_notice, listeners)

    async def _hear_notice(self, stream: trio.SocketStream) -> None:
        """A connection that the name server has opened to us, or somebody else has."""
        async with stream:
            with trio.CancelScope() as turn:
                self._notices.append(turn)
                if len(self._notices) > self._limits.isns_notices:
                    self._notices.pop(0).cancel()
                try:
                    await _Conversation(stream, self._limits, self._notice).listen()
                except _LOST as error:
                    log.info("a notice of the name server %s broke: %s", self._where, error)
                finally:
                    if turn in self._notices:
                        self._notices.remove(turn)

    def _notice(self, message: Message) -> Message:
        """The answer to something that the server says by itself."""
        match message.function:
            case Function.ENTITY_STATUS_INQUIRY:
                # All that was said is said again, to show that it is we who are alive.
                return message.answer(*message.attributes)
            case Function.STATE_CHANGE_NOTIFICATION:
                for tag, value in message.attributes:
                    if tag == Tag.ISCSI_NAME:
                        log.info("the name server tells of a change: %r", decode_text(value))
                return message.answer(*message.attributes[:1])
            case _:
                return message.answer(status=Status.MESSAGE_NOT_SUPPORTED)

    def _next(self) -> int:
        return next(self._transactions) % 0x10000


class _Conversation:
    """A connection with the name server, on which both sides may ask."""

    def __init__(
        self, stream: trio.SocketStream, limits: Limits, notice: Callable[[Message], Message]
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._notice = notice
        self._reader = Reader(limits.isns_message)
        self._waiting: list[Message] = []
        self._sending = trio.Lock()

    async def send(self, message: Message) -> None:
        """Say something; raises TooSlowError if the other side does not take it."""
        with trio.fail_after(self._limits.isns_time):
            async with self._sending:
                await self._stream.send_all(message.encode())

    async def ask(self, request: Message) -> Message:
        """The response to a request.

        Raises NameServiceError if it is a refusal, TooSlowError if it is late.
        """
        await self.send(request)
        with trio.fail_after(self._limits.isns_time):
            while True:
                message = await self._receive()
                if message.is_response and message.transaction == request.transaction:
                    break
        if message.status:
            raise NameServiceError(
                f"{Function(request.function).name} was refused with status {message.status}"
            )
        return message

    async def listen(self) -> None:
        """Answer what the other side asks, until it ends the connection."""
        while True:
            await self._receive()

    async def _receive(self) -> Message:
        """The next message; one that asks for something has been answered."""
        while not self._waiting:
            data = await self._stream.receive_some(_RECEIVE)
            if not data:
                raise trio.BrokenResourceError("the connection was closed")
            self._waiting += self._reader.receive(bytes(data))
        message = self._waiting.pop(0)
        if not message.is_response:
            await self.send(self._notice(message))
        return message


def refresh_interval(entity: Entity, response: Message) -> float:
    """Seconds after which a silent server is to hear from us, lest it forgets us."""
    period = response.first(Tag.REGISTRATION_PERIOD)
    granted = decode_number(period) if period else 0
    return min(entity.esi_interval, granted / 2) if granted else entity.esi_interval
