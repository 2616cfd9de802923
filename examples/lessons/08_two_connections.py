"""Lesson 8: two connections.

    python examples/lessons/08_two_connections.py

A session may have several connections.  Its commands go by any of them, and have one order, CmdSN,
for all: who arrives early waits.  Answers go back where their command came from, and are counted
there, StatSN.  And a connection may leave while the session stays.
"""

import trio
import trio.testing
from classroom import ask, classroom, say, silence

from trioscsi.initiator.client import connect
from trioscsi.pdu import LogoutReason


async def main():
    say("The first login brings a session to life: N1, N2. The second one, (2), only joins it.")
    async with (
        classroom(max_connections=2, logins=True) as url,
        connect(url, connections=2) as session,
    ):
        with silence():
            await session.read_capacity()
        say("Four reads, by turns on both: CmdSN runs through all, each StatSN for itself.")
        async with trio.open_nursery() as nursery:
            for lba in range(4):
                nursery.start_soon(session.read, lba, 1)
        say("The second one is logged out. No N3: the first one is still in full feature phase.")
        second = session.core.connections[1]
        session.core.log_out(second, LogoutReason.CLOSE_CONNECTION, now=trio.current_time())
        await trio.testing.wait_all_tasks_blocked(0.05)
        say("The session goes on, and ends with its last connection:")
        await session.ping(b"still here")
    ask(
        "why has a session one CmdSN for all its connections, and each connection a StatSN of its "
        "own? What if the second one had been lost instead, with a command that nobody had "
        "answered? (4.2.2, 7.4, 8.3.4)"
    )


if __name__ == "__main__":
    trio.run(main)
