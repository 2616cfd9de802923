from __future__ import annotations

from tests.teaching.live.wire import PEER, PORTAL, Wire, of
from trioscsi.pdu import NopOut
from trioscsi.teaching.live import VERSION, Feed, Filter


def test_hello_has_what_there_is_besides_connections():
    feed = Feed(surroundings=lambda: {"portals": [{"address": "192.0.2.2:3260", "group": 1}]})
    hello = feed.hello()
    assert (hello["version"], hello["source"]) == (VERSION, "server")
    assert hello["program"].startswith("trioscsi ")
    assert (hello["targets"], hello["portals"][0]["group"]) == ([], 1)


def test_a_connection_is_announced():
    wire = Wire()
    heard = wire.listen()
    wire.feed.open(PEER, PORTAL)
    assert heard.take() == [
        {
            "type": "connection",
            "at": 1000.0,
            "connection": 2,
            "peer": "192.0.2.1:50000",
            "portal": "192.0.2.2:3260",
        }
    ]


def test_pdus_are_told_only_while_somebody_listens():
    wire = Wire()
    wire.say(NopOut(itt=1))
    assert wire.feed.explain(1, 1) is None
    heard = wire.listen()
    wire.say(NopOut(itt=2))
    (pdu,) = heard.take()
    assert (pdu["number"], pdu["itt"], pdu["sender"]) == (2, "0x00000002", "initiator")
    assert wire.feed.explain(1, 2) is not None


def test_rates_come_once_a_second():
    wire = Wire()
    heard = wire.feed.subscribe(Filter(types=["rates"]))
    heard.take()
    assert wire.feed.tick() == 1
    wire.talk.counted.bytes_in = 100
    wire.talk.counted.operations = 2
    wire.now += 0.5
    assert wire.feed.tick() == 0.5
    assert heard.take() == []
    wire.now += 0.5
    assert wire.feed.tick() == 1
    wire.now += 1
    wire.feed.tick()
    busy, idle = heard.take()
    assert (busy["seconds"], busy["operations"], busy["bytes_in"]) == (1, 2, 100)
    assert busy["connections"] == [{"connection": 1, "bytes_in": 100, "bytes_out": 0}]
    assert (idle["operations"], idle["connections"]) == (0, [])


def test_what_a_connection_carried_before_its_end_counts():
    wire = Wire()
    heard = wire.listen(types=["rates"])
    wire.talk.counted.bytes_out = 5
    wire.talk.close("broken off")
    wire.now += 1
    wire.feed.tick()
    assert heard.take()[0]["bytes_out"] == 5


def test_what_was_carried_before_anybody_listened_does_not():
    wire = Wire()
    wire.talk.counted.bytes_out = 5
    heard = wire.listen(types=["rates"])
    wire.now += 1
    wire.feed.tick()
    assert heard.take()[0]["bytes_out"] == 0


def test_the_commands_of_a_session_are_counted_by_its_cmd_sn():
    wire = Wire()
    cmd_sn = 2**32 - 2
    wire.talk.commands = lambda: cmd_sn
    wire.log_in()
    heard = wire.listen(types=["rates"])
    cmd_sn = 3
    wire.now += 1
    wire.feed.tick()
    assert heard.take()[0]["operations"] == 5


def test_a_clock_that_is_set_back_does_not_stop_the_rates():
    wire = Wire()
    heard = wire.listen(types=["rates"])
    wire.now -= 500
    wire.feed.tick()
    assert len(of(heard.take(), "rates")) == 1
