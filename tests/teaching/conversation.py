"""Two sides whose words become a capture, without a socket."""

from __future__ import annotations

import io
from collections.abc import Iterable

import attrs

from trioscsi.capture import Packet, Trace, read_capture
from trioscsi.pdu import LoginRequest, LoginResponse, Pdu, encode

PEER, OWN = ("192.0.2.1", 50_000), ("192.0.2.2", 3260)
READ = bytes.fromhex("28000000100000000800") + bytes(6)


@attrs.define
class Memory:
    """Where a trace goes."""

    data: bytearray = attrs.field(factory=bytearray)

    def put(self, pieces: Iterable[bytes | memoryview]) -> bool:
        self.data += b"".join(pieces)
        return True

    def close(self) -> None:
        """Nothing is open."""


class Conversation:
    """One connection of a trace; ``trace`` takes more of them."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.trace = Trace(self.memory, clock=iter(range(0, 10**12, 10**6)).__next__)
        self.tap = self.trace.connect(PEER, OWN, OWN)

    def ask(self, pdu: Pdu, *, digests: bool = False) -> None:
        self.tap.received(*encode(pdu, header_digest=digests, data_digest=digests))
        self.tap.settle()

    def answer(self, pdu: Pdu, *, digests: bool = False) -> None:
        data = b"".join(encode(pdu, header_digest=digests, data_digest=digests))
        self.tap.sent([data], len(data))

    def log_in(self, *keys: str) -> None:
        text = "\0".join([*keys, ""]).encode()
        self.ask(LoginRequest(transit=True, csg=1, nsg=3, data=text))
        self.answer(LoginResponse(transit=True, csg=1, nsg=3, data=text))

    @property
    def capture(self) -> bytes:
        return bytes(self.memory.data)

    @property
    def packets(self) -> list[Packet]:
        return list(read_capture(io.BytesIO(self.memory.data)))
