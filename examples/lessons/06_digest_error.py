"""Lesson 6: a digest error.

    python examples/lessons/06_digest_error.py

TCP's checksum is weak, and routers compute it anew.  So both sides may agree on a CRC32C for
headers and one for data.  This initiator damages its own on purpose: first those of data.
"""

import trio
from classroom import ask, classroom, say, silence

from trioscsi.errors import SessionLost
from trioscsi.initiator.client import connect
from trioscsi.initiator.mutants import MUTANTS

DIGESTS = {"header_digests": ("CRC32C",), "data_digests": ("CRC32C",)}


async def write(url, fault):
    mutant = MUTANTS[fault]
    print(f"       (this initiator {mutant.says}: section {mutant.section})")
    try:
        async with connect(url, deviation=mutant, **DIGESTS) as session:
            with silence():
                if fault == "data-digest":
                    await session.read_capacity()
            await session.write(0, bytes(512))
    except SessionLost as error:
        print(f"       the initiator gives up: {error}")


async def main():
    async with classroom() as url:
        say("Damaged data: the header is sound, so the target knows what it has to reject.")
        await write(url, "data-digest")
        say("A damaged header: not even the length can be believed, nor where the next PDU begins.")
        await write(url, "header-digest")
    ask(
        "why may the target answer the first error, and why must it close the connection after the "
        "second? What could it do at a higher error recovery level? (7.8, 7.9)"
    )


if __name__ == "__main__":
    trio.run(main)
