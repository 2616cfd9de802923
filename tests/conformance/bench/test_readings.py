from __future__ import annotations

from typing import Any

from tests.conformance.playing import played
from trioscsi.conformance import Rule, Verdict
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.readings import Reading, gather, reading, reads_blocks
from trioscsi.conformance.bench.scenario import Drive, Scenario
from trioscsi.conformance.drivers.driver import How
from trioscsi.pdu import ScsiCommand, ScsiResponse
from trioscsi.text import Parameters

_RULE = Rule("7143-11.7-1")


class OnPaper:
    """As much of a link as cutting needs."""

    def __init__(self, segment: int, burst: int) -> None:
        self.parameters = Parameters(
            initiator_max_recv_data_segment_length=segment, max_burst_length=burst
        )


def read(data: bytes, segment: int = 512, burst: int = 1024) -> Reading:
    link: Any = OnPaper(segment, burst)
    command = ScsiCommand(itt=7, read=True, expected_data_transfer_length=len(data))
    response = ScsiResponse(itt=7, underflow=True, residual_count=3)
    return Reading(link, command, data, response)


def act_of(drive: Drive, act, **more: Any):
    return played(Scenario(id="XX-01", says="It works.", rule=_RULE, drive=drive, act=act, **more))


def test_data_are_cut_as_long_as_they_may_be():
    pdus = read(bytes(2500)).cut()
    assert [len(pdu.data) for pdu in pdus] == [512, 512, 512, 512, 452]
    assert [pdu.buffer_offset for pdu in pdus] == [0, 512, 1024, 1536, 2048]
    assert [pdu.data_sn for pdu in pdus] == [0, 1, 2, 3, 4]
    assert [pdu.final for pdu in pdus] == [False, True, False, True, True]


def test_the_first_pieces_are_as_long_as_they_are_wanted():
    pdus = read(bytes(700)).cut(1, 0, 600)
    assert [len(pdu.data) for pdu in pdus] == [1, 0, 512, 187]
    assert b"".join(pdu.data for pdu in pdus) == bytes(700)


def test_data_are_cut_into_about_so_many_pieces_of_whole_words():
    assert [len(pdu.data) for pdu in read(bytes(102)).cut_into(4)] == [24, 24, 24, 30]
    assert [len(pdu.data) for pdu in read(bytes(6)).cut_into(4)] == [4, 2]


def test_a_last_piece_may_have_the_status():
    found = read(bytes(8))
    pdu = found.with_status(found.cut()[-1])
    assert (pdu.has_status, pdu.final, pdu.underflow, pdu.residual_count) == (True, True, True, 3)
    assert found.status(5, status=8).exp_data_sn == 5


def test_a_piece_may_ask_to_be_acknowledged():
    found = read(bytes(8))
    (pdu,) = found.cut()
    found.command.lun = 3 << 48
    found.ask(pdu, 5)
    assert (pdu.acknowledge, pdu.ttt, pdu.lun) == (True, 5, 3 << 48)


def test_what_was_taken_can_be_said_again():
    async def act(play: Play) -> None:
        found = await reading(play, where=reads_blocks)
        await found.goes_on()
        await play.expect_success("the data are wrong")

    outcome = act_of(Drive.READ, act)
    assert (outcome.verdict, outcome.own) == (Verdict.PASS, [])


def test_what_brings_too_little_goes_through():
    async def act(play: Play) -> None:
        found = await reading(play, 2**18)
        play.check(len(found.data) == 2**18, "too little")
        await found.goes_on()

    outcome = act_of(Drive.READ, act)
    assert (outcome.verdict, outcome.ending.how) == (Verdict.PASS, How.DONE)


def test_commands_are_gathered_until_no_more_come():
    async def act(play: Play) -> None:
        link = await play.session()
        commands = await gather(link, 20, reads_blocks)
        play.check(len(commands) == 8, f"{len(commands)} commands")
        for command in commands:
            await link.forward(command)

    assert act_of(Drive.PARALLEL_READ, act).verdict is Verdict.PASS


def test_one_command_at_a_time_is_none_to_be_gathered():
    async def act(play: Play) -> None:
        await gather(await play.session(), 2, reads_blocks)

    outcome = act_of(Drive.READ, act)
    assert outcome.says == "it gives one command at a time"
    assert outcome.ending.how is How.DONE


def test_reads_are_known_by_their_operation_code():
    assert reads_blocks(ScsiCommand(cdb=b"\x28" + bytes(9)))
    assert not reads_blocks(ScsiCommand(cdb=b"\x8a" + bytes(15)))
