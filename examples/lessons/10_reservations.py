"""Lesson 10: reservations.

    python examples/lessons/10_reservations.py

Two hosts share a disk.  Who wants it alone registers a key and reserves it; the others are told so
by a status.  What holds the reservation is a nexus: initiator name and ISID with this target.  That
is the name by which SCSI knows an initiator of iSCSI.
"""

import trio
from classroom import ask, classroom, say, silence

from trioscsi.errors import CommandFailed
from trioscsi.initiator.client import connect
from trioscsi.scsi import Status

PERSISTENT_RESERVE_OUT = 0x5F
REGISTER, RESERVE, PREEMPT = 0, 1, 4
WRITE_EXCLUSIVE = 1


async def reserve(session, action, key, other_key):
    parameters = key.to_bytes(8) + other_key.to_bytes(8) + bytes(8)
    kind = WRITE_EXCLUSIVE if action else 0
    cdb = bytes([PERSISTENT_RESERVE_OUT, action, kind, 0, 0]) + len(parameters).to_bytes(4) + b"\0"
    (await session.command(cdb, data_out=parameters)).check()


async def write(session):
    try:
        await session.write(0, bytes(512))
        print("       that went well")
    except CommandFailed as error:
        print(f"       that was refused: {Status(error.status).name}")


async def main():
    async with (
        classroom(machines=()) as url,
        connect(url, name="iqn.2025-12.local:anna") as anna,
        connect(url, name="iqn.2025-12.local:bert") as bert,
    ):
        with silence():
            await anna.read_capacity()
            await bert.read_capacity()
        say("Anna registers a key and reserves the disk: others may read, but not write.")
        await reserve(anna, REGISTER, 0, 0xA)
        await reserve(anna, RESERVE, 0xA, 0)
        say("Bert (2) writes.")
        await write(bert)
        say(
            "Anna is silent. Bert registers, too, and preempts her: so a cluster goes on when a "
            "node has died."
        )
        await reserve(bert, REGISTER, 0, 0xB)
        await reserve(bert, PREEMPT, 0xB, 0xA)
        await write(bert)
        say("And Anna, who was only slow? She is told why, then that she may not.")
        await write(anna)
        await write(anna)
    ask(
        "what if Anna's machine starts anew, with another ISID: would her reservation know her? "
        "Which field of a login could keep it so? (4.4.3, 10.2; and trioscsi serve "
        "--registrations-by-name)"
    )


if __name__ == "__main__":
    trio.run(main)
