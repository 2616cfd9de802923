from __future__ import annotations

from trioscsi.pdu import NO_TASK, TextRequest, TextResponse, encode


def test_a_text_request_byte_by_byte():
    request = TextRequest(itt=1, cmd_sn=2, exp_stat_sn=3, data=b"SendTargets=All\0")
    header, data = encode(request)
    assert header.hex() == (
        "0480000000000010000000000000000000000001ffffffff0000000200000003" + "00" * 16
    )
    assert data is request.data
    assert TextRequest.unpack(header, 0, data) == request


def test_text_that_goes_on():
    response = TextResponse(final=False, continue_=True, lun=1 << 56, ttt=7)
    header = response.pack(0)
    assert header[:2].hex() == "2440"
    assert header[8:24].hex() == "01000000000000000000000000000007"
    assert TextResponse.unpack(header) == response


def test_a_text_exchange_starts_without_a_target_transfer_tag():
    assert TextRequest().ttt == TextResponse().ttt == NO_TASK
