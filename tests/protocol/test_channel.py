"""What leaves by a channel: buffers, numbers, and when the driver is woken."""

from __future__ import annotations

from trioscsi.limits import Limits
from trioscsi.pdu import NopIn
from trioscsi.protocol.channel import Channel, nobody
from trioscsi.protocol.numbering import CommandOrder


def sent(channel: Channel) -> bytes:
    return b"".join(channel.take_output())


def test_output_is_counted_until_it_is_taken():
    channel = Channel(Limits(), now=0, wake=nobody)
    channel.send(NopIn(data=b"abc"))
    assert channel.output_size == 52
    assert len(sent(channel)) == 52
    assert channel.output_size == 0
    assert channel.take_output() == []


def test_the_driver_is_woken_once_for_all_that_waits():
    woken: list[bool] = []
    channel = Channel(Limits(), now=0, wake=lambda: woken.append(True))
    channel.send(NopIn())
    channel.send(NopIn())
    assert len(woken) == 1
    channel.take_output()
    channel.send(NopIn())
    assert len(woken) == 2


def test_nothing_is_sent_once_the_connection_is_closed():
    channel = Channel(Limits(), now=0, wake=nobody)
    channel.closed = True
    channel.send(NopIn())
    assert channel.take_output() == []


def test_a_status_uses_a_number_up_and_wraps():
    channel = Channel(Limits(), now=0, wake=nobody)
    channel.stat_sn = 0xFFFFFFFF
    first, second = NopIn(), NopIn()
    channel.send_status(first)
    channel.send_status(second)
    assert (first.stat_sn, second.stat_sn, channel.stat_sn) == (0xFFFFFFFF, 0, 1)


def test_what_is_only_numbered_uses_no_number_up():
    channel = Channel(Limits(), now=0, wake=nobody)
    channel.order = CommandOrder(7, 4)
    ping = NopIn()
    channel.number(ping)
    assert (ping.stat_sn, ping.exp_cmd_sn, ping.max_cmd_sn) == (0, 7, 10)
    assert channel.stat_sn == 0


def test_timers_run_at_the_time_that_the_driver_says():
    channel = Channel(Limits(), now=0, wake=nobody)
    rung: list[float] = []
    channel.deadlines.set("bell", 5, lambda: rung.append(channel.now))
    assert channel.next_deadline() == 5
    channel.handle_timer(6)
    assert rung == [6]
    assert channel.next_deadline() is None
