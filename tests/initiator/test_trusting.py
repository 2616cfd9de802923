from __future__ import annotations

import pytest

from trioscsi.errors import DamagedHeader
from trioscsi.initiator.trusting import TrustingFramer
from trioscsi.pdu import BHS_LENGTH, Framer, NopIn, encode


def damaged() -> bytes:
    """Two pings, the header digest of the first of which is wrong."""
    pings = [NopIn(ttt=tag) for tag in (1, 2)]
    data = bytearray(b"".join(bytes(p) for each in pings for p in encode(each, header_digest=True)))
    data[BHS_LENGTH] ^= 1
    return bytes(data)


def test_a_header_that_does_not_match_its_digest_is_taken():
    framer = TrustingFramer(0, header_digest=True)
    framer.receive(damaged())
    assert [framer.next_pdu(), framer.next_pdu(), framer.next_pdu()] == [
        NopIn(ttt=1),
        NopIn(ttt=2),
        None,
    ]


def test_any_other_framer_refuses_it():
    framer = Framer(0, header_digest=True)
    framer.receive(damaged())
    with pytest.raises(DamagedHeader):
        framer.next_pdu()
