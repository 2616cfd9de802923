from __future__ import annotations

from trioscsi.pdu import LogoutReason, LogoutRequest, LogoutResponse, LogoutResult


def test_a_logout_request_byte_by_byte():
    request = LogoutRequest(
        immediate=True, reason=LogoutReason.REMOVE_FOR_RECOVERY, itt=3, cid=9, cmd_sn=1
    )
    header = request.pack(0)
    assert header[:2].hex() == "4682"
    assert header[16:28].hex() == "000000030009000000000001"
    assert LogoutRequest.unpack(header) == request


def test_a_logout_response_byte_by_byte():
    response = LogoutResponse(response=LogoutResult.CLEANUP_FAILED, time2wait=2, time2retain=20)
    header = response.pack(0)
    assert header[:4].hex() == "26800300"
    assert header[36:].hex() == "000000000002001400000000"
    assert LogoutResponse.unpack(header) == response
