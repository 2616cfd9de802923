from __future__ import annotations

import pytest

from trioscsi.errors import PeerError
from trioscsi.pdu import AsyncEvent, AsyncMessage, Reject, RejectReason, encode, sense


def test_a_request_to_log_out_byte_by_byte():
    message = AsyncMessage(
        async_event=AsyncEvent.LOGOUT_REQUEST, async_vcode=1, parameter1=2, parameter3=10, stat_sn=3
    )
    header = message.pack(0)
    assert header[:2].hex() == "3280"
    assert header[16:28].hex() == "ffffffff0000000000000003"
    assert header[36:].hex() == "010100020000000a00000000"
    assert AsyncMessage.unpack(header) == message


def test_a_scsi_event_carries_sense_data():
    assert AsyncMessage(data=sense.join(b"\x70", b"more")).sense == b"\x70"
    with pytest.raises(PeerError):
        _ = AsyncMessage(data=b"\x01").sense


def test_a_reject_returns_the_header_that_it_rejects():
    bad = bytes([0x1F]) + bytes(47)
    reject = Reject(reason=RejectReason.COMMAND_NOT_SUPPORTED, stat_sn=1, data_sn=2, data=bad)
    header, data = encode(reject)
    assert header[:8].hex() == "3f80050000000030"
    assert header[36:40].hex() == "00000002"
    assert data is bad
