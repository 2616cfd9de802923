"""What leaves by a line: buffers, and when the driver is woken."""

from __future__ import annotations

from trioscsi.limits import Limits
from trioscsi.pdu import NopIn
from trioscsi.protocol.line import Line, nobody


def sent(line: Line) -> bytes:
    return b"".join(line.take_output())


def test_output_is_counted_until_it_is_taken():
    line = Line(Limits(), now=0, wake=nobody)
    line.send(NopIn(data=b"abc"))
    assert line.output_size == 52
    assert len(sent(line)) == 52
    assert line.output_size == 0
    assert line.take_output() == []


def test_the_driver_is_woken_once_for_all_that_waits():
    woken: list[bool] = []
    line = Line(Limits(), now=0, wake=lambda: woken.append(True))
    line.send(NopIn())
    line.send(NopIn())
    assert len(woken) == 1
    line.take_output()
    line.send(NopIn())
    assert len(woken) == 2


def test_nothing_is_sent_once_the_connection_is_closed():
    line = Line(Limits(), now=0, wake=nobody)
    line.closed = True
    line.send(NopIn())
    assert line.take_output() == []


def test_timers_run_at_the_time_that_the_driver_says():
    line = Line(Limits(), now=0, wake=nobody)
    rung: list[float] = []
    line.deadlines.set("bell", 5, lambda: rung.append(line.now))
    assert line.next_deadline() == 5
    line.handle_timer(6)
    assert rung == [6]
    assert line.next_deadline() is None
