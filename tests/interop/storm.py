"""A target that is started again and again, at once: ``python -m tests.interop.storm FOLDER DISK``.

For each line on standard input, a child serves the disk and keeps its state in FOLDER; its process
id and its port go to standard output, and an empty line when it has ended. What costs time to load
was loaded before.
"""

from __future__ import annotations

import os
import sys

import trio

from tests.interop.serving import NAME
from trioscsi import Target, open_disk


async def _serve(folder: str, disk: str) -> None:
    target = Target(NAME, open_disk(disk), state=folder, listen="127.0.0.1:0")
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(target.serve)
        print(os.getpid(), addresses[0][1], flush=True)  # noqa: T201 - it is asked for


def main(folder: str, disk: str) -> None:
    """Start a child for each line, and wait for its end."""
    while sys.stdin.readline():
        child = os.fork()
        if not child:
            trio.run(_serve, folder, disk)
        os.waitpid(child, 0)
        print(flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
