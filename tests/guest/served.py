"""A target whose units change as standard input says.

Lines are ``add 3 32MiB``, ``resize 3 64MiB`` and ``remove 3``. Each is answered with ``done`` when
it is carried out.
"""

from __future__ import annotations

import sys

import trio

from trioscsi import MemoryDisk, Portal, Target


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(port: int, name: str, advertise: str) -> None:
    target = Target(
        name, MemoryDisk("32MiB"), listen=Portal(f"127.0.0.1:{port}", advertise=advertise)
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(target.serve)
        _say("done")
        while words := (await trio.to_thread.run_sync(sys.stdin.readline)).split():
            match words:
                case "add", lun, size:
                    target.add_lun(int(lun), MemoryDisk(size))
                case "resize", lun, size:
                    await target.resize(int(lun), size)
                case "remove", lun:
                    await target.remove_lun(int(lun))
            _say("done")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), *sys.argv[2:])
