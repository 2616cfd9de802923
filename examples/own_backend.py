"""A backend of one's own: blocks in a dict.

Four members make a disk; a fifth, `unmap`, lets initiators give space back. Run it, then look:

    python examples/own_backend.py
    qemu-img info iscsi://127.0.0.1:3260/iqn.2025-12.local:own/0
"""

import trio

from trioscsi import Target


class DictDisk:
    block_size = 512
    blocks = 131_072  # 64 MiB

    def __init__(self):
        self.kept = {}

    async def read(self, lba, blocks):
        return b"".join(self.kept.get(n, bytes(512)) for n in range(lba, lba + blocks))

    async def write(self, lba, data):
        for n in range(len(data) // 512):
            self.kept[lba + n] = bytes(data[512 * n : 512 * (n + 1)])

    async def unmap(self, lba, blocks):
        for n in range(lba, lba + blocks):
            self.kept.pop(n, None)


if __name__ == "__main__":
    target = Target("iqn.2025-12.local:own", DictDisk(), listen="127.0.0.1:3260")
    trio.run(target.serve)
