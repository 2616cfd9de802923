"""One connection's tasks: reader, writer, executor, timer.

The reader does a turn by itself: it takes what has arrived, lets the protocol and the device server
do what can be done at once, and sends all answers with one call.  The others wait until something
has to wait: the writer for a full socket, the executor for storage, the timer for its deadline.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TypeAlias

import trio

from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.protocol import Gatekeeper, Node, TargetConnection, Task
from trioscsi.scsi import Plan
from trioscsi.server.access import Address, format_address
from trioscsi.server.perform import Performer

log = logging.getLogger("trioscsi")

Buffers: TypeAlias = list[bytes | bytearray | memoryview]

_MAXIMUM_REMARKS = 100
"""Log lines of one connection."""

_IOV_MAX = 1000
"""Buffers in one sendmsg; Linux takes 1024."""


class Lender:
    """Receive buffers, lent only while a connection has bytes to parse.

    An idle connection owns none, so a thousand of them cost little.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[bytearray] = []

    def borrow(self) -> bytearray:
        """A buffer for one turn."""
        return self._free.pop() if self._free else bytearray(self._size)

    def give_back(self, buffer: bytearray) -> None:
        """The turn is over."""
        self._free.append(buffer)


class Conversation:
    """A transport connection and what is said on it."""

    def __init__(
        self,
        sock: socket.socket,
        peer: Address,
        gatekeeper: Gatekeeper,
        limits: Limits,
        lender: Lender,
        performer_of: Callable[[Node], Performer],
    ) -> None:
        self._socket = sock
        self._limits = limits
        self._lender = lender
        self._performer_of = performer_of
        self._performer: Performer | None = None
        self._unsent: Buffers = []
        self._unsent_size = 0
        self._remarks = 0
        self._in_turn = False
        self._poked = trio.Event()
        self._drained = trio.Event()
        self._timer = trio.CancelScope()
        self._waiting: deque[tuple[Task, Plan]] = deque()
        self._work = trio.Event()
        self._running: dict[Task, trio.CancelScope] = {}
        self._reading = 0
        """Bytes that running commands will add to what the peer has to read."""
        self.peer = format_address(peer)
        self.connection = TargetConnection(
            gatekeeper, limits, now=trio.current_time(), wake=self._wake
        )

    async def run(self) -> None:
        """Converse until either side ends it."""
        try:
            async with trio.open_nursery() as nursery:
                name = f"connection from {self.peer}"
                nursery.start_soon(self._write, nursery.cancel_scope, name=f"{name} writer")
                nursery.start_soon(self._keep_time, name=f"{name} timer")
                nursery.start_soon(self._execute, name=f"{name} executor")
                await self._read()
        finally:
            self._leave()

    def ask_for_logout(self) -> None:
        """Ask the initiator to log out."""
        self._turn(partial(self.connection.ask_for_logout, trio.current_time()))

    def drop(self, reason: str) -> None:
        """End the conversation without asking."""
        self._turn(partial(self.connection.drop, reason))

    # Executor, as the performer sees it.

    def start(self, task: Task, plan: Plan) -> None:
        """See `trioscsi.server.perform.Executor`."""
        self._waiting.append((task, plan))
        self._work.set()

    def has_room(self, task: Task) -> bool:
        """See `trioscsi.server.perform.Executor`."""
        outgoing = self._backlog + self._reading
        return not outgoing or outgoing + task.expected_in <= self._limits.output

    def cancel(self, task: Task) -> None:
        """See `trioscsi.server.perform.Executor`."""
        scope = self._running.get(task)
        if scope is not None:
            scope.cancel()
            return
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not task)
        self.connection.release(task)

    # Tasks.

    async def _read(self) -> None:
        connection, limits = self.connection, self._limits
        pdus = size = 0  # since others had their turn
        while not connection.closed:
            buffer = self._lender.borrow()
            try:
                received = self._socket.recv_into(buffer)
                if received:
                    connection.receive(memoryview(buffer)[:received])
                    size += received
                    handled = connection.pump(trio.current_time(), limits.turn_pdus)
                    while handled == limits.turn_pdus:
                        self._turn()
                        await self._breathe()
                        handled = connection.pump(trio.current_time(), limits.turn_pdus)
                    pdus += handled
                else:
                    connection.lost("the initiator closed the connection", trio.current_time())
                self._turn()
            except BlockingIOError:
                received = -1
            except OSError as error:
                received = 0
                self._lose(f"the connection broke: {error}")
            finally:
                self._lender.give_back(buffer)
            if received < 0:
                await trio.lowlevel.wait_readable(self._socket)
                pdus = size = 0
            elif (
                pdus >= limits.turn_pdus
                or size >= limits.turn_bytes
                or self._backlog > limits.output
            ):
                await self._breathe()
                pdus = size = 0
        # The writer sends what is left, then ends the conversation.
        self._poked.set()
        await trio.sleep_forever()

    @property
    def _backlog(self) -> int:
        """Bytes that the peer has still to read."""
        return self._unsent_size + self.connection.output_size

    async def _breathe(self) -> None:
        """Let others have their turn, and let the peer read before it asks for more."""
        while self._backlog > self._limits.output and not self.connection.closed:
            self._drained = trio.Event()
            await self._drained.wait()
        await trio.lowlevel.checkpoint()

    async def _write(self, conversation: trio.CancelScope) -> None:
        while True:
            await self._poked.wait()
            self._poked = trio.Event()
            self._send()
            while self._unsent:
                seconds = self._limits.send_time
                if self.connection.closed:  # only the last words are left
                    seconds = min(seconds, self._limits.logout_time)
                with trio.move_on_after(seconds) as patience:
                    await trio.lowlevel.wait_writable(self._socket)
                if patience.cancelled_caught:
                    self._lose(f"the peer read nothing for {seconds:g} seconds")
                self._send()
            if self.connection.closed:
                conversation.cancel()
                return

    async def _keep_time(self) -> None:
        while True:
            deadline = self.connection.next_deadline()
            with trio.CancelScope(deadline=inf if deadline is None else deadline) as self._timer:
                await trio.sleep_forever()
            self._turn(partial(self.connection.handle_timer, trio.current_time()))

    async def _execute(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                while self._waiting and self.has_room(self._waiting[0][0]):
                    task, plan = self._waiting.popleft()
                    self._running[task] = trio.CancelScope()
                    self._reading += task.expected_in
                    nursery.start_soon(
                        self._run, task, plan, name=f"command 0x{task.itt:08x} from {self.peer}"
                    )
                self._work = trio.Event()
                await self._work.wait()

    async def _run(self, task: Task, plan: Plan) -> None:
        assert self._performer is not None, "commands come from a session"
        answer: Callable[[], None] | None = None
        try:
            with self._running[task]:
                answer = await self._performer.run(task, plan)
        finally:
            del self._running[task]
            self._reading -= task.expected_in
            self._work.set()
            if answer is None:
                # Cancelled: the task was aborted, or the whole conversation ends.
                answer = partial(self.connection.release, task)
                if not task.aborted:
                    self.connection.drop("a command was cancelled")
            self._turn(answer)

    # A turn.

    def _turn(self, first: Callable[[], None] | None = None) -> None:
        """Do what the protocol asks for, send what can be sent, and set the timer."""
        self._in_turn = True
        try:
            if first is not None:
                first()
            self._handle_events()
        finally:
            self._in_turn = False
        if not self._unsent:
            self._send()
        connection = self.connection
        deadline = connection.next_deadline()
        self._timer.deadline = inf if deadline is None else deadline
        if connection.remarks:
            self._log_remarks()
        if self._unsent or connection.closed:
            self._poked.set()

    def _handle_events(self) -> None:
        performer = self._performer
        if performer is None:
            session = self.connection.session
            if session is None:
                return
            performer = self._performer = self._performer_of(session.node)
            performer.executors[self.connection] = self
        session = self.connection.session
        assert session is not None
        node = session.node
        while node.events:
            performer.handle(node.take_events())

    def _send(self) -> None:
        """Send as much as the socket takes."""
        if not self._unsent:
            self._unsent_size = self.connection.output_size
            self._unsent = self.connection.take_output()
        try:
            while self._unsent:
                sent = self._socket.sendmsg(self._unsent[:_IOV_MAX])
                self._unsent_size -= sent
                self._unsent = _without(self._unsent, sent)
                if not self._unsent:
                    self._unsent_size = self.connection.output_size
                    self._unsent = self.connection.take_output()
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(f"the connection broke: {error}")
        if self._unsent_size <= self._limits.output:
            self._drained.set()
            if self._waiting:
                self._work.set()

    def _lose(self, reason: str) -> None:
        self._unsent, self._unsent_size = [], 0
        self.connection.take_output()
        self.connection.lost(reason, trio.current_time())

    def _wake(self) -> None:
        if not self._in_turn:
            self._poked.set()

    def _log_remarks(self) -> None:
        session = self.connection.session
        who = f"{session.initiator_name} at {self.peer}" if session else self.peer
        for remark in self.connection.remarks:
            self._remarks += 1
            if self._remarks > _MAXIMUM_REMARKS:
                break  # a peer that errs without end must not fill the log
            level = logging.WARNING if isinstance(remark, PeerError) else logging.INFO
            log.log(level, "%s: %s", who, remark)
            if self._remarks == _MAXIMUM_REMARKS:
                log.warning("%s: no more is logged of this connection", who)
        self.connection.remarks.clear()

    def _leave(self) -> None:
        """The conversation is over, by agreement or not."""
        self.connection.lost("the conversation was ended", trio.current_time())
        if self._performer is not None:
            self._handle_events()
            del self._performer.executors[self.connection]
        if self.connection.remarks:
            self._log_remarks()
        self._socket.close()


def _without(buffers: Buffers, sent: int) -> Buffers:
    """What is left of ``buffers`` after the first ``sent`` bytes."""
    for place, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[place + 1 :]]
        sent -= len(buffer)
    return []
