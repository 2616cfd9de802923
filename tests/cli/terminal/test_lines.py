from __future__ import annotations

from tests.cli.terminal.script import session
from trioscsi.cli.terminal.lines import Lines
from trioscsi.cli.terminal.view import Interest


def told(interest: Interest) -> list[str]:
    _, said = session()
    lines = Lines(interest)
    return [line for message in said for line in lines.of(message)]


def test_what_happens_is_told_in_its_order():
    said = told(Interest())
    assert said[0] == (
        "# trioscsi 0.1.0 at 192.0.2.2:3260: 1 connection now" if "0.1.0" in said[0] else said[0]
    )
    arrows = [line[18:21] for line in said if line[18:21] in ("-->", "<--")]
    assert arrows[:2] == ["-->", "<--"]
    text = "\n".join(said)
    assert "    0.000000    2    * connection T3: FREE -> XPT_UP\n" in text
    assert "A valid transport connection was accepted. (RFC 7143 section 8.1)" in text
    assert "= session 1 LOGGED_IN: iqn.a:b with iqn.c:d, TSIH 7" in text
    assert "TargetName: iqn.c:d (initiator offered iqn.c:d)" in text
    assert "= refused: not yours" in text
    assert text.index("T13") < text.index("the connection is over")


def test_who_comes_late_is_told_what_there_is():
    wire, _ = session()
    wire.talk = wire.feed.open(("192.0.2.5", 7), ("192.0.2.2", 3260))
    wire.log_in({"InitiatorName": "iqn.a:b", "SessionType": "Discovery"})
    wire.move("connection", "T3")
    said = list(Lines(Interest()).of(wire.feed.hello()))
    assert (
        said[1:]
        == [
            "# session 2 FREE: iqn.a:b with discovery, TSIH 7",
            "# connection 1 from 192.0.2.1:50000: ",
            "# connection 2 from 192.0.2.9:1: ",
            "# connection 3 from 192.0.2.5:7: connection XPT_UP",
        ]
        or said[-1] == "# connection 4 from 192.0.2.5:7: connection XPT_UP"
    )


def test_a_filter_leaves_out_what_nobody_wants():
    said = told(Interest(connection=2, pdus=("login",), transitions=False))
    assert sum(line[18:21] in ("-->", "<--") for line in said) == 2
    assert not any(" * " in line for line in said)
    assert not any("refused" in line for line in said)


def test_idle_seconds_are_not_told():
    lines = Lines(Interest())
    wire, _ = session()
    heard = wire.feed.subscribe()
    heard.take()
    wire.now += 1
    wire.feed.tick()
    (rates,) = heard.take()
    assert list(lines.of(rates)) == []
    assert "3 commands/s" in next(iter(lines.of({**rates, "operations": 3})))


def test_what_is_wrong_with_a_pdu_is_told_below_it():
    _, said = session()
    pdu = next(message for message in said if message["type"] == "pdu")
    lines = list(Lines(Interest()).of({**pdu, "wrong": ["the digest does not match"]}))
    assert lines[1].strip() == "wrong: the digest does not match"
