"""Tokens that stand for blocks, as an initiator asks for them and uses them (offloaded copies)."""

from __future__ import annotations

from tests.server.peer import Answer, Peer
from trioscsi.scsi import Status


def parameters(*numbers: tuple[int, int]) -> bytes:
    """Numbers in so many bytes each, one after another."""
    return b"".join(number.to_bytes(width, "big") for number, width in numbers)


async def token_of(peer: Peer, lba: int, blocks: int) -> bytes:
    """A token that stands for these blocks of LUN 0."""
    data = parameters((30, 2), (0, 12), (16, 2), (lba, 8), (blocks, 4), (0, 4))
    populate = parameters((0x8310, 2), (0, 4), (1, 4), (len(data), 4), (0, 2))
    assert (await peer.do(populate, data)).status == Status.GOOD
    receive = parameters((0x8407, 2), (1, 4), (0, 4), (4096, 4), (0, 2))
    return (await peer.do(receive, reads=4096)).data[-512:]


async def use(peer: Peer, token: bytes, lba: int, blocks: int, *, unit: int = 0) -> Answer:
    """WRITE USING TOKEN."""
    ranges = parameters((lba, 8), (blocks, 4), (0, 4))
    data = parameters((550, 2), (0, 14)) + token + parameters((0, 6), (16, 2)) + ranges
    cdb = parameters((0x8311, 2), (0, 4), (2, 4), (len(data), 4), (0, 2))
    return await peer.do(cdb, data, unit=unit)
