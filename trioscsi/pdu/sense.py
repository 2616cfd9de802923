"""The data segment that holds sense data (RFC 7143 sections 11.4.7 and 11.9.4)."""

from __future__ import annotations

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu.codes import RejectReason
from trioscsi.pdu.layout import Buffer

_LENGTH = 2
_MAXIMUM = 0xFFFF


def join(sense: Buffer, rest: Buffer = b"") -> bytes:
    """A data segment of sense data, and of the response or event data that follow them.

    Raises UsageError if the sense data are longer than their length field can say.
    """
    if len(sense) > _MAXIMUM:
        raise UsageError(f"{len(sense)} bytes of sense data")
    return b"".join((len(sense).to_bytes(_LENGTH, "big"), sense, rest))


def split(segment: Buffer) -> tuple[Buffer, Buffer]:
    """The sense data of a data segment, and what follows them; both empty if the segment is.

    Raises PeerError if the segment is shorter than it says.
    """
    if not segment:
        return b"", b""
    end = _LENGTH + int.from_bytes(segment[:_LENGTH], "big")
    if end > len(segment):
        raise PeerError(
            "sense data longer than the data segment",
            section="11.4.7.1",
            answer=RejectReason.INVALID_PDU_FIELD,
        )
    return segment[_LENGTH:end], segment[end:]
