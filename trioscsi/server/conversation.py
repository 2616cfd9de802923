"""One connection's tasks: reader, writer, timer, and one for each command that needs one to wait.

A turn is done by plain calls: take what has arrived, let the protocol and the device server do what
can be done at once, send all answers with one call.  The reactor gives the turns; the tasks of the
conversation wait until something has to wait: the reader for a peer that lets its answers pile up,
the writer for a full socket, the timer for its deadline, and commands, in a nursery of their own,
for storage.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from math import inf

import trio

from trioscsi.limits import Limits
from trioscsi.protocol import Gatekeeper, Node, TargetConnection
from trioscsi.protocol.line import nobody
from trioscsi.server.executor import CommandExecutor
from trioscsi.server.inbox import Inbox
from trioscsi.server.lender import Lender
from trioscsi.server.listener import Address, format_address
from trioscsi.server.outbox import Backlog, Outbox
from trioscsi.server.perform import Performer
from trioscsi.server.reactor import Reactor
from trioscsi.server.refusals import Refusals
from trioscsi.server.remarks import Remarks
from trioscsi.server.tracing import Tap


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
        self._reactor = reactor
        self._performer_of = performer_of
        self._performer: Performer | None = None
        self._held_back = trio.Event()
        self._fault: Exception | None = None
        self._in_turn = False
        self._more = False
        """Whether a turn has left something in the inbox."""
        self._poked = trio.Event()
        self._drained: trio.Event | None = None
        """Set when the peer has read enough, if the reader waits for that."""
        self._timer = trio.CancelScope()
        self._over = False
        """Whether the connection is closed, and only commands are left that storage keeps."""
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
        self._inbox = Inbox(sock, self.connection, lender, tap)
        self._outbox = Outbox(sock, self.connection, backlog, tap)
        self._executor = CommandExecutor(self.connection, self._outbox, reactor, self)

    async def run(self, left: Callable[[], None] = nobody) -> None:
        """Converse until either side ends it; then ``left`` is called.

        Commands that storage does not let go of keep this from returning, but not the connection
        from being closed.
        """
        async with trio.open_nursery() as commands:
            self._executor.nursery = commands
            try:
                async with trio.open_nursery() as nursery:
                    name = f"connection from {self.peer}"
                    nursery.start_soon(self._write, nursery.cancel_scope, name=f"{name} writer")
                    nursery.start_soon(self._keep_time, name=f"{name} timer")
                    await self._read()
            finally:
                try:
                    self._leave()
                finally:
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

    # As the executor of its commands sees it.

    def fail(self, fault: Exception) -> None:
        """See `trioscsi.server.perform.Executor`."""
        self._fault = fault
        self._reactor.nudge()
        self._held_back.set()

    def end(self, answer: Callable[[], None], *, more: bool) -> None:
        """See `trioscsi.server.executor.Talk`."""
        try:
            self._act(answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this conversation alone
            self.fail(error)
        if self._over or self._reactor.completions.collects_from(self):
            return
        if more:
            self._poked.set()
        else:
            self._report()

    def report(self) -> None:
        """See `trioscsi.server.reactor.Owing`."""
        try:
            self._report()
        except Exception as error:  # noqa: BLE001 - as above
            self.fail(error)

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
            self._inbox.done()
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

    # A turn.

    def hear(self, now: float) -> bool:
        """See `trioscsi.server.reactor.Talker`."""
        self._in_turn = True
        try:
            self._more = self._receive(now)
            if self._inbox.much or self._performer is None:
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
            self._inbox.done()

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
        connection = self.connection
        try:
            self._inbox.fill()
        except BlockingIOError:
            return False
        except OSError as error:
            self._broke(error)
            return False
        except EOFError:
            connection.lost("the initiator closed the connection", now)
            return False
        pdus = self._limits.turn_pdus
        if self._reactor.crowded:
            pdus = max(pdus // 8, 1)
        while connection.pump(now, pdus):
            if not connection.framer.pauses:
                return True
            # A write has begun: once it is known where its data belong, they are put there.
            self._handle_events()
        return False

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
            self._outbox.hold()
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
            performer.executors[self.connection] = self._executor
            self._executor.errands = performer.errands
        performer.attend(session.node)

    def _has_much_to_read(self) -> bool:
        """Whether the peer has to read answers before it may ask for more."""
        return self._outbox.overfull

    def _send(self) -> None:
        """Send as much as the socket takes."""
        try:
            self._outbox.send()
        except OSError as error:
            self._broke(error)
        if self._has_much_to_read():
            return
        if self._drained is None:
            self._executor.go_on()
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
        try:
            self.connection.lost("the conversation was ended", trio.current_time())
            if self._performer is not None:
                self._handle_events()
        finally:  # a fault of ours has ended it, perhaps, and comes again
            if self._performer is not None:
                del self._performer.executors[self.connection]
            if self.connection.remarks:
                self._log_remarks()
            self._outbox.clear()
            self._socket.close()
            if self._tap is not None:
                self._tap.close()
