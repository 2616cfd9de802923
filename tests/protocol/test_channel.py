"""The numbers of what leaves by a target's channel."""

from __future__ import annotations

from trioscsi.limits import Limits
from trioscsi.pdu import NopIn
from trioscsi.protocol.channel import Channel
from trioscsi.protocol.line import nobody
from trioscsi.protocol.numbering import CommandOrder


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
