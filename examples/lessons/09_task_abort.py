"""Lesson 9: a task is aborted.

    python examples/lessons/09_task_abort.py

A read takes too long.  The initiator does not hang up: it asks the target, by a request that
overtakes everything else (I bit), to abort that one task.  What it must know then is whether the
task has ended before, now, or not at all.
"""

import trio
import trio.testing
from classroom import ask, classroom, say, silence

from trioscsi import MemoryDisk, Slow
from trioscsi.errors import SessionLost
from trioscsi.initiator.client import connect
from trioscsi.pdu import TaskFunction


async def read(session):
    try:
        await session.read(0, 1)
    except SessionLost as error:
        print(f"       the reader hears: {error}")


async def main():
    async with (
        classroom(Slow(MemoryDisk("1MiB"), read_ms=60_000), machines=()) as url,
        connect(url) as session,
    ):
        with silence():
            await session.read_capacity()
        async with trio.open_nursery() as nursery:
            say("A read from a disk that takes a minute:")
            nursery.start_soon(read, session)
            await trio.testing.wait_all_tasks_blocked()
            [task] = session.core.requests.values()
            say(f"Too long. ABORT TASK refers to it by its tag, 0x{task.itt:08x}:")
            result = await session.manage(TaskFunction.ABORT_TASK, about=task)
        say(f"{result.name}: it had not ended, and will not any more. Once more, the same:")
        result = await session.manage(TaskFunction.ABORT_TASK, about=task)
        say(f"{result.name}. The session goes on: a ping.")
        await session.ping(b"well?")
    ask(
        "the answer to the read and the abort may cross on their way. Which of the two results "
        "must the initiator expect then, and what is RefCmdSN for? (11.5.1, 11.5.6, 11.6.1)"
    )


if __name__ == "__main__":
    trio.run(main)
