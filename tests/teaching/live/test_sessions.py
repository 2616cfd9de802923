from __future__ import annotations

from tests.teaching.live.wire import ISID, PEER, PORTAL, Wire
from trioscsi.teaching.live.sessions import Sessions


def test_a_login_with_a_tsih_joins_the_session_that_is_there():
    wire = Wire()
    wire.log_in()
    wire.talk = wire.feed.open(PEER, PORTAL)
    wire.log_in(tsih=7)
    (session,) = wire.feed.hello()["sessions"]
    assert session["connections"] == [1, 2]


def test_a_tsih_that_nobody_knows_begins_a_session():
    sessions = Sessions()
    one = sessions.join("iqn.a:b", "iqn.c:d", ISID, 0, "Normal")
    one.tsih = 7
    assert sessions.join("iqn.a:b", "iqn.c:d", ISID, 7, "Normal") is one
    assert sessions.join("iqn.a:b", "iqn.c:d", ISID, 8, "Normal").number == 2
    assert sessions.join("iqn.other", "iqn.c:d", ISID, 7, "Normal").number == 3
    assert len(sessions) == 3


def test_commands_are_counted_from_the_first_look():
    session = Sessions().join("iqn.a:b", "", ISID, 0, "Discovery")
    assert [session.advance(number) for number in (10, 12, 12, 2)] == [0, 2, 0, 2**32 - 10]
