"""What one third-party copy may ask for, in one place; initiators are told all of it.

Lengths are in bytes, times in seconds.
"""

from __future__ import annotations

TARGET_DESCRIPTORS = 64
"""CSCD descriptors of one EXTENDED COPY."""
SEGMENT_DESCRIPTORS = 256
"""Segment descriptors of one EXTENDED COPY."""
DESCRIPTORS_LENGTH = TARGET_DESCRIPTORS * 32 + SEGMENT_DESCRIPTORS * 28
"""Both lists of descriptors together."""
SEGMENT = 32 * 2**20
"""What one segment descriptor may copy."""
HELD = 65_536
"""Data of one copy that is held for the initiator; of more, the latest are."""
HOLDING = 16
"""Copies of one unit that have ended and of which data are held; the oldest let go of theirs."""
CONCURRENT = 16
"""Copies that one unit makes at the same time."""
REMEMBERED = 64
"""Copies of one nexus and unit whose end can still be asked for."""
TOKENS = 256
"""Tokens that stand for blocks of one unit."""
TOKEN_RANGES = 1024
"""Ranges of blocks of one unit for which tokens stand: each write looks at all of them."""
RANGES = 128
"""Block device range descriptors of one command."""
TOKEN_TRANSFER = 2**40
"""What one token may stand for, and what one WRITE USING TOKEN may write."""
INACTIVITY = 60
"""How long a token is valid that nobody uses, if the initiator does not say."""
MAXIMUM_INACTIVITY = 3600
CHUNK = 2**20
"""What is read at once."""
HOLES = 64 * 2**20
"""How far storage is asked at once for blocks that are not stored."""
