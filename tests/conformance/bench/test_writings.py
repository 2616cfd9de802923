from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.conformance.bench.writings import (
    Writing,
    stays_silent,
    write_command,
    writes_blocks,
    writing,
)
from trioscsi.conformance.drivers.driver import How
from trioscsi.pdu import DataOut, ScsiCommand

_RULE = Rule("7143-11.8-1")


def act_of(drive: Drive, act, **more: Any):
    return played(Scenario(id="XX-01", says="It works.", rule=_RULE, drive=drive, act=act, **more))


@pytest.mark.parametrize("initial_r2t", [True, False])
def test_what_is_written_is_asked_for_and_then_given_to_the_target(initial_r2t: bool):
    async def act(play: Play) -> None:
        found = await writing(play)
        play.check(bool(found.unasked) is not initial_r2t, "unsolicited data")
        await found.ask_for_rest()
        await found.carry_out()
        await play.expect_success("what was written is not there")

    outcome = act_of(
        Drive.WRITE,
        act,
        target={"initial_r2t": initial_r2t, "first_burst_length": 4096, "immediate_data": False},
    )
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


def test_data_are_put_where_they_belong_and_not_beyond():
    link: Any = Link
    found = Writing(link, ScsiCommand(expected_data_transfer_length=8), [], bytearray())
    found.put(DataOut(buffer_offset=4, data=b"abcdefgh"))
    found.put(DataOut(buffer_offset=0, data=b"0123"))
    assert (bytes(found.data), found.missing) == (b"0123abcd", 0)


def test_it_is_told_whether_data_come():
    async def act(play: Play) -> None:
        link, command = await write_command(play)
        found = Writing(link, command, [], bytearray(command.data))
        play.check(await stays_silent(link, found.is_mine, 1), "data came unasked")
        await found.ask(0, 512)
        play.check(not await stays_silent(link, found.is_mine, 1), "no data came")

    target = {"initial_r2t": True, "immediate_data": False}
    assert act_of(Drive.WRITE, act, target=target).verdict is Verdict.PASS


def test_a_write_that_is_abandoned_is_done_once_more():
    async def act(play: Play) -> None:
        await (await writing(play)).abandon()
        await play.expect_success("it is not done")

    outcome = act_of(Drive.WRITE, act)
    assert (outcome.verdict, outcome.ending.how) == (Verdict.PASS, How.DONE)


def test_writes_are_known_by_their_operation_code():
    assert writes_blocks(ScsiCommand(cdb=b"\x8a" + bytes(15)))
    assert not writes_blocks(ScsiCommand(cdb=bytes(6)))
