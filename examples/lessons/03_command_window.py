"""Lesson 3: the command window.

    python examples/lessons/03_command_window.py

Each command has a number, CmdSN.  The target says in every PDU which one it expects (ExpCmdSN) and
up to which one it has room (MaxCmdSN).  Beyond that nobody may send: so a small target can live
with a hasty initiator.  Here there is room for three, and eight commands want to go.
"""

import trio
import trio.testing
from classroom import ask, classroom, say, silence

from trioscsi import Limits, MemoryDisk, Slow
from trioscsi.initiator.client import connect

ROOM, COMMANDS = 3, 8


def show(core):
    first, last = core.numbers.expected, core.numbers.maximum
    print(
        f"       window: ExpCmdSN {first} to MaxCmdSN {last}, room for {last - first + 1};"
        f" the next CmdSN is {core.numbers.next}, {len(core.waiting)} commands wait"
    )


async def main():
    slow = Slow(MemoryDisk("1MiB"), read_ms=150)
    async with (
        classroom(slow, machines=(), limits=Limits(tasks=ROOM)) as url,
        connect(url) as session,
    ):
        with silence():
            await session.read_capacity()
        say(f"{COMMANDS} reads at once, and room for {ROOM}:")
        async with trio.open_nursery() as nursery:
            for number in range(COMMANDS):
                nursery.start_soon(session.read, number, 1)
            await trio.testing.wait_all_tasks_blocked()
            show(session.core)
        say("Each answer has moved MaxCmdSN, and let one more command go:")
        show(session.core)
    ask(
        "an immediate command does not advance CmdSN and need not fit into the window (4.2.2.1). "
        "Which requests must get through when the window is closed, and why?"
    )


if __name__ == "__main__":
    trio.run(main)
