"""What comes and leaves by a line: PDUs, buffers, and when the driver is woken."""

from __future__ import annotations

import pytest

from trioscsi.limits import Limits
from trioscsi.pdu import NopIn, Received, encode
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


@pytest.mark.parametrize("length", [4096, 100_000])
def test_what_is_kept_is_a_copy(length: int):
    line = Line(Limits(), now=0, wake=nobody)
    store = bytearray(b"x" * length)
    kept = line.keep(memoryview(store))
    store[:] = bytes(length)
    assert kept == b"x" * length


def test_much_that_is_kept_takes_memory_that_was_used_before():
    lent: list[memoryview] = []

    def lend(length: int) -> memoryview:
        lent.append(memoryview(bytearray(length)))
        return lent[-1]

    line = Line(Limits(), now=0, wake=nobody)
    line.framer.lend = lend
    kept = [line.keep(bytes(length)) for length in (16_384, 16_385)]
    assert lent == [kept[1]]


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


class Listener(Line):
    """Remembers what it hears, and hears no more after so many PDUs."""

    def __init__(self, until: int = 9) -> None:
        super().__init__(Limits(), now=0, wake=nobody)
        self.heard: list[Received] = []
        self._until = until

    def _hear(self, received: Received) -> None:
        self.heard.append(received)
        self.closed = len(self.heard) == self._until


def said(*pdus: NopIn) -> bytes:
    return b"".join(part for pdu in pdus for part in encode(pdu))


def test_so_many_pdus_are_heard_at_a_time():
    line = Listener()
    line.receive(said(NopIn(ttt=1), NopIn(ttt=2), NopIn(ttt=3)) + bytes(10))
    assert (line.pump(5.0, 2), len(line.heard), line.now) == (True, 2, 5.0)
    assert (line.pump(6.0, 2), len(line.heard), line.now) == (False, 3, 6.0)
    assert not line.pump(7.0, 2)


def test_nothing_is_left_after_the_last_of_so_many_pdus():
    line = Listener()
    line.receive(said(NopIn(), NopIn()))
    assert (line.pump(0.0, 2), len(line.heard)) == (False, 2)


def test_nothing_is_heard_once_the_connection_is_closed():
    line = Listener(until=1)
    line.receive(said(NopIn(), NopIn()))
    line.pump(0.0, 5)
    assert not line.pump(0.0, 5)
    assert len(line.heard) == 1


def test_nothing_is_heard_after_what_cannot_be_understood():
    line = Listener()
    line.receive(said(NopIn()) + said(NopIn(data=bytes(9000))))
    assert (line.pump(0.0, 5), len(line.heard)) == (False, 1)
    assert line.closed
    assert line.remarks
