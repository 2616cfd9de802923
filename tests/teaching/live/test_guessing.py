from __future__ import annotations

import pytest

from tests.teaching.live.wire import ISID, PEER, PORTAL, Wire, cut, of
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    LoginRequest,
    LoginResponse,
    LogoutReason,
    LogoutRequest,
    LogoutResponse,
    NopOut,
    Pdu,
    from_initiator,
)
from trioscsi.teaching.live.guessing import Guess
from trioscsi.teaching.splitting import Cut

LOGIN = (
    LoginRequest(transit=True, csg=1, nsg=3, isid=ISID, data=b"InitiatorName=iqn.a:b\0"),
    LoginResponse(transit=True, csg=1, nsg=3, isid=ISID, tsih=7),
)


def labels(*pdus: Pdu, lost: bool = False) -> list[str]:
    """The labels of the transitions that PDUs (and the end) lead to."""
    wire = Wire()
    heard = wire.listen()
    guess = Guess(wire.talk)
    for pdu in pdus:
        wire.talk.hear(cut(pdu), from_initiator=from_initiator(pdu.opcode))
        guess.hear(cut(pdu))
    if lost:
        guess.close()
    return [message["label"] for message in of(heard.take(), "transition")]


def test_a_session_from_its_login_to_its_logout():
    found = labels(*LOGIN, LogoutRequest(), LogoutResponse(), lost=True)
    assert found == ["T3", "T4", "N1", "T5", "N2", "T9", "T13", "N3"]


def test_a_login_that_goes_on_is_one():
    more = LoginRequest(csg=1, isid=ISID), LoginResponse(csg=1, isid=ISID)
    assert labels(*more, *LOGIN) == ["T3", "T4", "N1", "T5", "N2"]


def test_a_login_that_is_refused():
    found = labels(LOGIN[0], LoginResponse(csg=1, status_class=2), lost=True)
    assert found == ["T3", "T4", "N1", "T7", "N9"]


def test_a_connection_that_is_lost():
    assert labels(*LOGIN, lost=True)[-2:] == ["T15", "N5"]
    assert labels(LOGIN[0], lost=True) == ["T3", "T4", "N1", "T7", "N9"]


def test_a_target_that_wants_to_be_left():
    asked = AsyncMessage(async_event=AsyncEvent.LOGOUT_REQUEST)
    found = labels(*LOGIN, asked, LogoutRequest(), LogoutResponse())
    assert found[5:] == ["T11", "T10", "T13", "N3"]
    other = AsyncMessage(async_event=AsyncEvent.SCSI_EVENT)
    assert len(labels(*LOGIN, other)) == 5


def test_a_logout_that_fails():
    found = labels(*LOGIN, LogoutRequest(), LogoutResponse(response=3))
    assert found[5:] == ["T9", "T17"]


@pytest.mark.parametrize(
    ("reason", "ends"), [(LogoutReason.CLOSE_SESSION, True), (LogoutReason.CLOSE_CONNECTION, False)]
)
def test_one_connection_of_two_leaves(reason: LogoutReason, ends: bool):
    wire = Wire()
    first = wire.talk
    for talk, tsih in ((first, 0), (wire.feed.open(PEER, PORTAL), 7)):
        wire.talk = talk
        wire.log_in(tsih=tsih)
    guess = Guess(first)
    heard = wire.listen()
    for pdu in (*LOGIN, LogoutRequest(reason=reason), LogoutResponse()):
        guess.hear(cut(pdu))
    found = [message["label"] for message in of(heard.take(), "transition")]
    assert ("N3" in found) is ends


def test_what_was_not_seen_from_its_login_on_is_not_guessed():
    assert labels(NopOut(), LogoutRequest(), LogoutResponse(), lost=True) == []


def test_what_is_no_pdu_says_nothing():
    wire = Wire()
    heard = wire.listen()
    guess = Guess(wire.talk)
    for header in (b"", b"\x03", b"\x3f" + bytes(47)):
        guess.hear(Cut(header, b"", 0))
    assert heard.take() == []
