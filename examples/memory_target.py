"""A disk in memory, for initiators on this machine. Run it, then look:

python examples/memory_target.py
iscsi-ls -s iscsi://127.0.0.1:3260
"""

import trio

from trioscsi import MemoryDisk, Target

target = Target("iqn.2025-12.local:memory", MemoryDisk("1GiB"), listen="127.0.0.1:3260")

if __name__ == "__main__":
    trio.run(target.serve)
