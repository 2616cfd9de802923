from __future__ import annotations

from trioscsi.pdu import LoginRequest, LoginResponse, LoginStage, LoginStatus, encode

REQUEST = bytes.fromhex(
    "43 87 00 00  00 00 00 05"  # immediate, T, CSG 1, NSG 3; five bytes of text
    "80 12 34 56  78 9a 00 00"  # ISID, TSIH
    "00 00 00 01  00 02 00 00"  # task tag, CID
    "00 00 00 7b  00 00 00 07"  # CmdSN, ExpStatSN
    "00 00 00 00  00 00 00 00"
    "00 00 00 00  00 00 00 00"
    "41 3d 42 3d  00 00 00 00"  # the text and its padding
)
RESPONSE = bytes.fromhex(
    "23 40 00 00  00 00 00 00"  # C
    "80 12 34 56  78 9a 00 05"
    "00 00 00 01  00 00 00 00"
    "00 00 00 08  00 00 00 7b"  # StatSN, ExpCmdSN
    "00 00 00 9b  02 0b 00 00"  # MaxCmdSN, status
    "00 00 00 00  00 00 00 00"
)


def test_a_login_request_byte_by_byte():
    request = LoginRequest(
        transit=True,
        csg=LoginStage.LOGIN_OPERATIONAL_NEGOTIATION,
        nsg=LoginStage.FULL_FEATURE_PHASE,
        isid=bytes.fromhex("80123456789a"),
        itt=1,
        cid=2,
        cmd_sn=123,
        exp_stat_sn=7,
        data=b"A=B=\0",
    )
    assert b"".join(encode(request)) == REQUEST
    assert LoginRequest.unpack(REQUEST, 0, b"A=B=\0") == request


def test_a_login_response_byte_by_byte():
    status_class, status_detail = divmod(LoginStatus.INVALID_DURING_LOGIN, 256)
    response = LoginResponse(
        continue_=True,
        isid=bytes.fromhex("80123456789a"),
        tsih=5,
        itt=1,
        stat_sn=8,
        exp_cmd_sn=123,
        max_cmd_sn=155,
        status_class=status_class,
        status_detail=status_detail,
    )
    assert encode(response) == [RESPONSE]
    assert LoginResponse.unpack(RESPONSE) == response


def test_a_login_is_immediate_unless_told_otherwise():
    assert LoginRequest().immediate
