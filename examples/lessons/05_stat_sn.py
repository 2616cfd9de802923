"""Lesson 5: what StatSN is for.

    python examples/lessons/05_stat_sn.py

CmdSN counts what a session asks; StatSN counts what a connection answers.  Answers come in whatever
order storage has them.  By ExpStatSN an initiator says which ones have arrived: all before it.
"""

import trio
import trio.testing
from classroom import ask, classroom, say, silence

from trioscsi.initiator.client import connect


class BackToFront:
    """A disk of three blocks, of which the last one is read first."""

    block_size, blocks = 512, 3

    async def read(self, lba, blocks):
        await trio.sleep(0.06 * (self.blocks - lba))
        return bytes(512 * blocks)

    async def write(self, lba, data):
        pass


async def main():
    async with classroom(BackToFront(), machines=()) as url, connect(url) as session:
        with silence():
            await session.read_capacity()
        say("Three reads. Their CmdSN is the order of the questions:")
        async with trio.open_nursery() as nursery:
            for lba in range(3):
                nursery.start_soon(session.read, lba, 1)
                await trio.testing.wait_all_tasks_blocked()
            say("... and their StatSN is the order of the answers (see the task tags, ITT):")
        say("The next PDU of the initiator says by one number that all three have come:")
        await session.ping(b"still there?")
    ask(
        "the target may forget a status once ExpStatSN is beyond it. What would it be kept for, "
        "and how does an initiator notice that a status is missing? (4.2.2.2, 7.3, 11.16)"
    )


if __name__ == "__main__":
    trio.run(main)
