"""One connection's tasks: reader, writer, timer, and one for each command that has to wait.

A turn is done by plain calls: take what has arrived, let the protocol and the device server do what
can be done at once, send all answers with one call.  The reactor gives the turns; the tasks of the
conversation wait until something has to wait: the reader for a peer that lets its answers pile up,
the writer for a full socket, the timer for its deadline, and commands, in a nursery of their own,
for storage.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf

import trio

from trioscsi.limits import Limits
from trioscsi.protocol import Gatekeeper, Node, TargetConnection, Task
from trioscsi.protocol.line import nobody
from trioscsi.scsi import Plan
from trioscsi.server.lender import Lender
from trioscsi.server.listener import Address, format_address
from trioscsi.server.outbox import Backlog, Outbox
from trioscsi.server.perform import Performer
from trioscsi.server.reactor import Reactor
from trioscsi.server.refusals import Refusals
from trioscsi.server.remarks import Remarks
from trioscsi.server.tracing import Tap

_LARGE = 131_072
"""Bytes still to come of one PDU from which on it pays to let only headers through the buffer.

A large PDU seldom comes alone: if nothing but its header is received with the end of the one
before, all of its data find their place.
"""

_MUCH = 65_536
"""Bytes received at once that are not left lying until other connections were heard."""


class Conversation:
    """A transport connection and what is said on it."""

    def __init__(
        self,
        sock: socket.socket,
        peer: Address,
        gatekeeper: Gatekeeper,
        limits: Limits,
        lender: Lender,
        reactor: Reactor,
        backlog: Backlog,
        performer_of: Callable[[Node], Performer],
        refusals: Refusals,
        tap: Tap | None = None,
    ) -> None:
        self._socket = sock
        self._tap = tap
        self._limits = limits
        self._lender = lender
        self._reactor = reactor
        self._backlog = backlog
        self._performer_of = performer_of
        self._performer: Performer | None = None
        self._buffer: memoryview | None = None
        """Borrowed until what is in it was heard and done."""
        self._room = lender.size
        """How much of it may be filled at once."""
        self._held_back = trio.Event()
        self._fault: Exception | None = None
        self._in_turn = False
        self._more = self._much = False
        """Whether a turn has left something in the buffer, and whether that was much in all."""
        self._poked = trio.Event()
        self._drained: trio.Event | None = None
        """Set when the peer has read enough, if the reader waits for that."""
        self._timer = trio.CancelScope()
        self._waiting: deque[tuple[Task, Plan]] = deque()
        self._commands: trio.Nursery | None = None
        """Where those run that storage makes wait."""
        self._running: dict[Task, trio.CancelScope | None] = {}
        """Those of them that have begun; None: storage performs them by itself."""
        self._over = False
        """Whether the connection is closed, and only commands are left that storage keeps."""
        self._reading = 0
        """Bytes that running commands will add to what the peer has to read."""
        self.peer = format_address(peer)
        self._remarks = Remarks(self.peer, refusals, tap)
        self.connection = TargetConnection(
            gatekeeper,
            limits,
            now=trio.current_time(),
            wake=self._wake,
            watcher=None if tap is None else tap.moved,
        )
        self.connection.framer.lend = lender.lend
        self._outbox = Outbox(sock, self.connection, backlog, tap)

    async def run(self, left: Callable[[], None] = nobody) -> None:
        """Converse until either side ends it; then ``left`` is called.

        Commands that storage does not let go of keep this from returning, but not the connection
        from being closed.
        """
        async with trio.open_nursery() as commands:
            self._commands = commands
            try:
                async with trio.open_nursery() as nursery:
                    name = f"connection from {self.peer}"
                    nursery.start_soon(self._write, nursery.cancel_scope, name=f"{name} writer")
                    nursery.start_soon(self._keep_time, name=f"{name} timer")
                    await self._read()
            finally:
                self._leave()
                left()
                commands.cancel_scope.cancel()

    @property
    def node(self) -> Node | None:
        """The target that it is with, once that is known."""
        session = self.connection.session
        return None if session is None else session.node

    def ask_for_logout(self) -> None:
        """Ask the initiator to log out."""
        self._turn(partial(self.connection.ask_for_logout, trio.current_time()))

    def drop(self, reason: str) -> None:
        """End the conversation without asking, and its session with it."""
        self._turn(partial(self.connection.drop_session, reason))

    # Executor, as the performer sees it.

    def start(self, task: Task, plan: Plan) -> None:
        """See `trioscsi.server.perform.Executor`."""
        self._waiting.append((task, plan))
        self._start_waiting()

    def has_room(self, task: Task) -> bool:
        """See `trioscsi.server.perform.Executor`."""
        outgoing = self._outbox.size + self._reading
        if self._backlog.full:
            return not outgoing
        return not outgoing or outgoing + task.expected_in <= self._limits.output

    def cancel(self, task: Task) -> bool:
        """See `trioscsi.server.perform.Executor`."""
        if task in self._running:
            scope = self._running[task]
            if scope is not None:
                scope.cancel()
            return True
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not task)
        self.connection.release(task)
        return False

    def fail(self, fault: Exception) -> None:
        """See `trioscsi.server.perform.Executor`."""
        self._fault = fault
        self._reactor.nudge()
        self._held_back.set()

    # Tasks.

    async def _read(self) -> None:
        """See to it that the reactor gives turns, except while the peer has much to read."""
        reactor, connection = self._reactor, self.connection
        reactor.add(self._socket, self)
        try:
            while True:
                await self._held_back.wait()
                if self._fault is not None:
                    raise self._fault
                while self._has_much_to_read() and not connection.closed:
                    self._drained = trio.Event()
                    await self._drained.wait()
                self._drained = None
                if connection.closed:
                    break
                self._held_back = trio.Event()
                reactor.resume(self._socket)
        finally:
            reactor.remove(self._socket)
            self._give_buffer_back()
        # The writer sends what is left, then ends the conversation.
        self._poked.set()
        await trio.sleep_forever()

    async def _write(self, conversation: trio.CancelScope) -> None:
        outbox = self._outbox
        while True:
            await self._poked.wait()
            self._poked = trio.Event()
            self._report()
            if outbox.stuck:
                await self._send_slowly()
            if self.connection.closed:
                conversation.cancel()
                return

    async def _send_slowly(self) -> None:
        """Send what a full socket did not take, as it takes it."""
        self._reactor.elsewhere += 1
        try:
            while self._outbox.stuck:
                seconds = self._limits.send_time
                if self.connection.closed:  # only the last words are left
                    seconds = min(seconds, self._limits.logout_time)
                with trio.move_on_after(seconds) as patience:
                    await trio.lowlevel.wait_writable(self._socket)
                if patience.cancelled_caught:
                    self._lose(f"the peer read nothing for {seconds:g} seconds")
                self._send()
        finally:
            self._reactor.elsewhere -= 1

    async def _keep_time(self) -> None:
        while True:
            deadline = self.connection.next_deadline()
            with trio.CancelScope(deadline=inf if deadline is None else deadline) as self._timer:
                await trio.sleep_forever()
            self._turn(partial(self.connection.handle_timer, trio.current_time()))

    def _start_waiting(self) -> None:
        """Begin the commands that wait, in their order, as far as what they read has room."""
        while self._waiting and self.has_room(self._waiting[0][0]):
            task, plan = self._waiting.popleft()
            assert self._performer is not None, "commands come from a session"
            assert self._commands is not None, "commands come in conversations"
            self._running[task] = None
            self._reading += task.expected_in
            self._reactor.elsewhere += 1
            if not self._performer.begin(task, plan, partial(self._end, task)):
                scope = self._running[task] = trio.CancelScope()
                name = f"command 0x{task.itt:08x} from {self.peer}"
                self._commands.start_soon(self._run, task, plan, scope, name=name)

    async def _run(self, task: Task, plan: Plan, scope: trio.CancelScope) -> None:
        assert self._performer is not None, "commands come from a session"
        answer: Callable[[], None] | None = None
        try:
            with scope:
                answer = await self._performer.run(task, plan)
        finally:
            if answer is None:
                # Cancelled: the task was aborted, or the whole conversation ends.
                answer = partial(self.connection.release, task)
                if not task.over:
                    self.connection.drop("a command was cancelled")
            self._end(task, answer)

    def _end(self, task: Task, answer: Callable[[], None]) -> None:
        """A command that has waited for storage is answered."""
        del self._running[task]
        self._reading -= task.expected_in
        self._reactor.elsewhere -= 1
        try:
            self._act(answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this conversation alone
            self.fail(error)
        if self._running:
            self._poked.set()  # others may be about to end, too: their answers go together
        elif not self._over:
            self._report()

    # A turn.

    def hear(self, now: float) -> bool:
        """See `trioscsi.server.reactor.Talker`."""
        self._in_turn = True
        try:
            self._more = self._receive(now)
            if self._much or self._performer is None:
                # While the data are in the processor's cache; and what comes with a login, before
                # another connection of the target acts and does not know whose it is.
                self._handle_events()
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this conversation alone
            self._more = False
            self.fail(error)
        return self._more

    def act(self) -> None:
        """See `trioscsi.server.reactor.Talker`."""
        try:
            self._handle_events()
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(error)
        self._in_turn = False
        if not self._more:
            self._give_buffer_back()

    def answer(self) -> None:
        """See `trioscsi.server.reactor.Talker`; no more turns if the peer has too much to read."""
        try:
            self._report()
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(error)
        if self._has_much_to_read() or self.connection.closed or self._fault is not None:
            self._reactor.pause(self._socket)
            self._reactor.nudge()
            self._held_back.set()

    def _receive(self, now: float) -> bool:
        """Take bytes off the socket unless some are left, and at most a turn of PDUs of them."""
        connection, buffer = self.connection, self._buffer
        if buffer is None:
            buffer = self._lender.borrow()
            try:
                come = self._receive_into(buffer)
            except BlockingIOError:
                self._lender.give_back(buffer)
                return False
            except OSError as error:
                self._broke(error)
                come = None
            if come is None:
                self._lender.give_back(buffer)
                if self._tap is not None:
                    self._tap.ended()
                connection.lost("the initiator closed the connection", now)
                return False
            self._buffer, self._much = buffer, len(come) >= _MUCH
            connection.receive(come)
        pdus = self._limits.turn_pdus
        if self._reactor.crowded:
            pdus = max(pdus // 8, 1)
        while connection.pump(now, pdus):
            if not connection.framer.pauses:
                return True
            # A write has begun: once it is known where its data belong, they are put there.
            self._handle_events()
        return False

    def _receive_into(self, buffer: memoryview) -> memoryview | None:
        """What came into the buffer, after what came straight into a PDU; None: there is no more.

        Raises OSError if the connection is broken, or nothing has come.
        """
        framer = self.connection.framer
        rest = framer.get_buffer()
        if rest is None:
            received = self._socket.recv_into(buffer, self._room)
            self._room = len(buffer)
            if self._tap is not None and received:
                self._tap.received(buffer[:received])
            return buffer[:received] if received else None
        if len(rest) >= _LARGE:
            self._room = framer.header_length
        rest = rest[: self._limits.turn_bytes]
        room = max(min(self._room, len(buffer) - len(rest)), framer.header_length)
        received = self._socket.recvmsg_into([rest, buffer[:room]])[0]
        direct = min(received, len(rest))
        if self._tap is not None and received:
            self._tap.received(rest[:direct], buffer[: received - direct])
        framer.filled(direct)
        return buffer[: received - direct] if received else None

    def _give_buffer_back(self) -> None:
        if self._buffer is not None:
            self._lender.give_back(self._buffer)
            self._buffer = None

    def _turn(self, first: Callable[[], None] | None = None) -> None:
        """Do something, then what the protocol asks for; send what can be sent."""
        self._act(first)
        self._report()

    def _act(self, first: Callable[[], None] | None = None) -> None:
        """Do what the protocol asks for."""
        self._in_turn = True
        try:
            if first is not None:
                first()
            self._handle_events()
        finally:
            self._in_turn = False

    def _report(self) -> None:
        """Send what can be sent, set the timer, and tell other tasks what there is to do."""
        connection = self.connection
        if connection.remarks:
            self._log_remarks()
        if self._outbox.stuck:
            self._outbox.count()
        else:
            self._send()
        if connection.deadlines.changed:
            connection.deadlines.changed = False
            deadline = connection.next_deadline()
            self._timer.deadline = inf if deadline is None else deadline
        if self._tap is not None:
            self._tap.settle()
        if self._outbox.stuck or connection.closed:
            self._poked.set()
            self._reactor.nudge()
        if connection.closed:
            self._held_back.set()

    def _handle_events(self) -> None:
        session = self.connection.session
        if session is None:
            return
        performer = self._performer
        if performer is None:
            performer = self._performer = self._performer_of(session.node)
            performer.executors[self.connection] = self
        performer.attend(session.node)

    def _has_much_to_read(self) -> bool:
        """Whether the peer has to read answers before it may ask for more."""
        outbox = self._outbox
        return outbox.stuck and (outbox.size > self._limits.output or self._backlog.full)

    def _send(self) -> None:
        """Send as much as the socket takes."""
        try:
            self._outbox.send()
        except OSError as error:
            self._broke(error)
        if self._has_much_to_read():
            return
        if self._drained is None:
            self._start_waiting()
        else:
            self._drained.set()  # what the peer says now is heard before more is read for it

    def _lose(self, reason: str) -> None:
        self._outbox.clear()
        self.connection.lost(reason, trio.current_time())

    def _broke(self, error: OSError) -> None:
        if self._tap is not None:
            self._tap.ended(broken=True)
        self._lose(f"the connection broke: {error}")

    def _wake(self) -> None:
        if not self._in_turn:
            self._poked.set()
            self._reactor.nudge()

    def _log_remarks(self) -> None:
        session = self.connection.session
        remarks, self.connection.remarks = self.connection.remarks, []
        self._remarks.make(remarks, session.initiator_name if session else "")

    def _leave(self) -> None:
        """The conversation is over, by agreement or not."""
        self._over = True
        self.connection.lost("the conversation was ended", trio.current_time())
        if self._performer is not None:
            self._handle_events()
            del self._performer.executors[self.connection]
        if self.connection.remarks:
            self._log_remarks()
        self._outbox.clear()
        self._socket.close()
        if self._tap is not None:
            self._tap.close()
