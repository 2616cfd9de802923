from __future__ import annotations

from tests.teaching.live.wire import Wire, of
from trioscsi.pdu import NopOut
from trioscsi.teaching.live import Filter


def test_hello_comes_first_and_once():
    wire = Wire()
    subscription = wire.feed.subscribe()
    wire.say(NopOut(itt=1))
    assert [message["type"] for message in subscription.take()] == ["hello", "pdu"]
    assert subscription.take() == []


def test_nothing_is_taken_beyond_what_was_asked_for():
    wire = Wire()
    heard = wire.listen()
    wire.say(*(NopOut(itt=itt) for itt in range(5)))
    assert [len(heard.take(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_detail_that_does_not_fit_is_left_out_and_how_much_is_said():
    wire = Wire()
    heard = wire.feed.subscribe(most=4)
    heard.take()
    wire.say(*(NopOut(itt=itt) for itt in range(7)))
    wire.move("connection", "T3")
    said = heard.take()
    assert [message["type"] for message in said] == [*["pdu"] * 4, "transition", "dropped"]
    assert said[-1]["messages"] == {"pdu": 3}
    assert heard.take() == []


def test_after_lost_states_all_is_told_anew():
    wire = Wire()
    heard = wire.feed.subscribe(most=2)
    heard.take()
    for _ in range(5):
        wire.move("connection", "T3")
    said = heard.take()
    assert [message["type"] for message in said] == [*["transition"] * 4, "dropped", "hello"]
    assert said[-1]["connections"][0]["states"] == {"connection": "XPT_UP"}


def test_a_slow_subscriber_takes_nothing_from_another():
    wire = Wire()
    slow, quick = wire.feed.subscribe(most=1), wire.feed.subscribe()
    wire.say(*(NopOut(itt=itt) for itt in range(9)))
    assert len(of(quick.take(), "pdu")) == 9
    assert len(slow) == 1


def test_a_subscriber_is_woken_when_there_is_something_new():
    wire = Wire()
    woken: list[int] = []
    heard = wire.feed.subscribe(wake=lambda: woken.append(1))
    heard.take()
    wire.say(NopOut(itt=1), NopOut(itt=2))
    assert len(woken) == 1
    heard.take()
    wire.say(NopOut(itt=3))
    assert len(woken) == 2


def test_a_filter_admits_types_connections_and_pdus():
    wire = Wire()
    heard = wire.listen(types=["pdu", "closed"], connections=[1], pdus=["NopOut"])
    other = wire.feed.open(("192.0.2.9", 1), ("192.0.2.2", 3260))
    wire.log_in()
    wire.say(NopOut(itt=1))
    other.close("broken off")
    wire.talk.close("broken off")
    assert [message["type"] for message in heard.take()] == ["pdu", "closed"]


def test_a_filter_lets_through_what_is_of_no_connection():
    wire = Wire()
    heard = wire.listen(connections=[7])
    wire.now += 1
    wire.feed.tick()
    assert [message["type"] for message in heard.take()] == ["rates"]
    assert Filter().types is None


def test_nothing_comes_after_a_subscription_is_closed():
    wire = Wire()
    heard = wire.listen()
    heard.close()
    heard.close()
    assert not wire.feed.followed
    wire.say(NopOut(itt=1))
    assert heard.take() == []
