from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.capture.secrets import SECRET_KEYS, LoginVeil
from trioscsi.pdu import LoginRequest, LoginResponse, NopOut, Pdu, ScsiCommand, encode

SECRET = "b0e1d2c3a4f5"


def stream(*pdus: Pdu) -> bytes:
    return b"".join(b"".join(encode(pdu)) for pdu in pdus)


def veiled(data: bytes, cuts: list[int] | None = None, *, inbound: bool = True) -> bytes:
    veil = LoginVeil()
    places = sorted({min(cut, len(data)) for cut in cuts or []} | {0, len(data)})
    return b"".join(veil.veil(data[start:end], inbound=inbound) for start, end in pairwise(places))


def test_what_proves_a_secret_is_one() -> None:
    assert {b"CHAP_R", b"CHAP_C", b"SRP_M", b"KRB_AP_REQ"} <= SECRET_KEYS
    assert not {b"CHAP_N", b"CHAP_A", b"CHAP_I", b"InitiatorName"} & SECRET_KEYS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"CHAP_N=me\0CHAP_R=0xb0e1\0", b"CHAP_N=me\0CHAP_R=0x0000\0"),
        (b"CHAP_R=0bAbc=\0X=1\0", b"CHAP_R=0b0000\0X=1\0"),
        (b"CHAP_R=1234\0", b"CHAP_R=0000\0"),
        (b"CHAP_R=xb12\0", b"CHAP_R=0000\0"),
        (b"CHAP_R=\0CHAP_C=0x12", b"CHAP_R=\0CHAP_C=0x00"),
        (b"A=CHAP_R=0x12\0", b"A=CHAP_R=0x12\0"),
        (b"\0=\0CHAP_R\0CHAP_C=0x1\0", b"\0=\0CHAP_R\0CHAP_C=0x0\0"),
        (b"AuthMethod=CHAP,None\0", b"AuthMethod=CHAP,None\0"),
    ],
)
def test_the_digits_of_secret_values_are_zero(text: bytes, shown: bytes) -> None:
    assert veiled(stream(LoginRequest(data=text))) == stream(LoginRequest(data=shown))


@given(st.lists(st.integers(0, 400), max_size=20), st.integers(0, 30))
def test_however_the_bytes_are_cut_no_secret_is_seen(cuts: list[int], split: int) -> None:
    text = f"CHAP_N=me\0CHAP_R=0x{SECRET}\0CHAP_C=0x{SECRET}\0".encode()
    hidden = text.replace(SECRET.encode(), b"0" * len(SECRET))

    def requests(text: bytes) -> bytes:
        return stream(
            LoginRequest(data=b"InitiatorName=iqn.a:b\0"),
            LoginRequest(continue_=True, data=text[:split]),
            LoginRequest(data=text[split:]),
        )

    assert veiled(requests(text), cuts) == requests(hidden)


def test_values_are_counted() -> None:
    veil = LoginVeil()
    veil.veil(stream(LoginRequest(data=b"CHAP_R=0x12\0CHAP_C=0x34\0")), inbound=True)
    assert veil.veiled == 2


def test_other_pdus_in_a_login_are_looked_through_too() -> None:
    shown = veiled(stream(NopOut(data=b"CHAP_R=0x12\0")))
    assert shown == stream(NopOut(data=b"CHAP_R=0x00\0"))


def test_after_the_login_data_are_left_alone() -> None:
    veil = LoginVeil()
    request, data = stream(LoginRequest()), stream(ScsiCommand(data=b"CHAP_R=0x12\0"))
    assert veil.veil(request + data[:20], inbound=True) == request + data[:20]
    response = stream(LoginResponse(transit=True, csg=1, nsg=3, data=b"CHAP_R=0x12\0"))
    assert b"CHAP_R=0x00" in veil.veil(response, inbound=False)
    assert veil.over
    assert not veil.done  # a PDU of the initiator has begun, and might yet be one of the login
    veil.veil(data[20:], inbound=True)
    assert veil.done
    assert veil.veil(data, inbound=True) == data


@pytest.mark.parametrize(
    "response",
    [
        LoginResponse(transit=True, csg=0, nsg=1),
        LoginResponse(transit=False, csg=1, nsg=3),
        LoginResponse(transit=True, csg=1, nsg=3, status_class=2),
    ],
)
def test_a_login_that_goes_on_keeps_its_secrets(response: LoginResponse) -> None:
    veil = LoginVeil()
    veil.veil(stream(response), inbound=False)
    assert not veil.over


def test_an_initiator_cannot_say_that_the_login_is_over() -> None:
    veil = LoginVeil()
    veil.veil(stream(LoginResponse(transit=True, csg=1, nsg=3)), inbound=True)
    assert not veil.over


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_whatever_comes_stays_as_long_as_it_is(data: bytes, cuts: list[int]) -> None:
    assert len(veiled(data, cuts)) == len(data)
