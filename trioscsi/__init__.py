"""trioscsi: an iSCSI target on trio.

    import trio
    from trioscsi import MemoryDisk, Target

    target = Target("iqn.2025-12.local:storage.disk1", MemoryDisk("100MiB"))
    trio.run(target.serve)

General layout, lowest layer first; an import never points up:

- ``errors``, ``limits``, ``serial``, ``lun``, ``digits``, ``difference``: what all others use;
- ``pdu``: bytes to values and back; ``text``: key=value negotiation; ``scsi``: a disk's device
  server; ``isns``: messages of the name service.  These four know nothing of one another;
- ``machines``: the state machines of RFC 7143, one transition a line;
- ``protocol``: machines, codec and numbering together, without I/O and without a clock;
- ``backends``: where blocks live; ``capture``: conversations as files that Wireshark reads;
- ``teaching``: the machines as pictures, PDUs and captures explained, connections as a live feed;
- ``initiator``: the other side of the same protocol;
- ``server``: the only layer that owns sockets;
- ``conformance``: what is seen on the wire, judged by the RFC;
- ``cli``: the ``trioscsi`` command.

``specs/`` holds the same protocol as tables, which the tests compare with the code both ways.
"""

from __future__ import annotations

from trioscsi.backends import (
    BlockDevice,
    CdRom,
    Failing,
    FileDisk,
    MemoryDisk,
    NullDisk,
    PatternDisk,
    ReadOnly,
    Slow,
    Thin,
    in_thread,
    open_disk,
)
from trioscsi.errors import (
    BackendError,
    CommandFailed,
    LoginFailure,
    OutOfSpace,
    PeerError,
    PortalError,
    SessionLost,
    ShortTransfer,
    TrioscsiError,
    UsageError,
)
from trioscsi.initiator.client import connect, discover
from trioscsi.initiator.recovery import Policy as RecoveryPolicy
from trioscsi.limits import Limits
from trioscsi.protocol import View
from trioscsi.server.access import Moved, Redirect
from trioscsi.server.portals import Portal
from trioscsi.server.refusals import Refusal
from trioscsi.server.server import Server
from trioscsi.server.target import Target
from trioscsi.server.web.page import LivePage

__all__ = [
    "BackendError",
    "BlockDevice",
    "CdRom",
    "CommandFailed",
    "Failing",
    "FileDisk",
    "Limits",
    "LivePage",
    "LoginFailure",
    "MemoryDisk",
    "Moved",
    "NullDisk",
    "OutOfSpace",
    "PatternDisk",
    "PeerError",
    "Portal",
    "PortalError",
    "ReadOnly",
    "RecoveryPolicy",
    "Redirect",
    "Refusal",
    "Server",
    "SessionLost",
    "ShortTransfer",
    "Slow",
    "Target",
    "Thin",
    "TrioscsiError",
    "UsageError",
    "View",
    "connect",
    "discover",
    "in_thread",
    "open_disk",
]
