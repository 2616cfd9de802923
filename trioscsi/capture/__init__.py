"""Conversations as packet captures that Wireshark reads, and such captures read again.

General layout:

- ``pcapng``: the blocks of a capture file; ``reading``: packets out of one, of pcap files too;
- ``packets``: IP and TCP headers; ``stream``: one TCP connection, made up around real bytes;
- ``secrets``: what of a login must not be in a trace;
- ``trace``: what a server tells of its connections; ``spool``: how that gets into a file.
"""

from __future__ import annotations

from trioscsi.capture.packets import Segment, dissect
from trioscsi.capture.reading import Packet, read_capture
from trioscsi.capture.spool import Spool
from trioscsi.capture.trace import Tap, Trace

__all__ = ["Packet", "Segment", "Spool", "Tap", "Trace", "dissect", "read_capture"]
