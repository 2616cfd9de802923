"""Judging what initiators send, unasked or for R2Ts (RFC 7143 sections 11.7 and 11.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trioscsi.conformance.bench.link import Silence
from trioscsi.conformance.bench.play import Play, Stop
from trioscsi.conformance.bench.writings import Writing, data_outs, unsolicited, write_command
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import DataOut, ReadyToTransfer

SOLICITED: Mapping[str, Any] = {"initial_r2t": True, "immediate_data": False}
"""Settings of a target with which all data are asked for."""
WHOLE_BURST = Rule("7143-4.2.5.2-1")
ANSWERED = Rule("7143-4.2.5.2-3")
SEGMENT = Rule("7143-11.7.1-1")
_COPIED = Rule("7143-11.7.4-1")
_COUNTED = Rule("7143-4.2.2.4-1")
_CONTIGUOUS = Rule("7143-11.8-3")
_LAST_IS_FINAL = Rule("7143-11.8-4")


async def take_unasked(play: Play, at_least: int = 512) -> Writing:
    """A command with unsolicited data, which are judged."""
    link, command = await write_command(play, at_least)
    found = Writing(link, command, [], bytearray(command.data))
    try:
        found = await unsolicited(link, command)
    except Silence as what:
        play.check(False, f"data that the command announces do not come ({what})", WHOLE_BURST)
        raise Stop from None
    pdus = found.unasked
    if pdus:
        due = min(link.parameters.first_burst_length, found.length)
        sent = len(command.data) + sum(len(pdu.data) for pdu in pdus)
        play.check(sent == due, f"{sent} bytes unasked, {due} are due", WHOLE_BURST)
        judge_sequence(play, pdus, len(command.data))
        _judge_segments(play, found, pdus)
    return found


async def ask_burst(play: Play, found: Writing, offset: int, length: int) -> None:
    """Ask for data, and judge what comes."""
    asked = await found.ask(offset, length)
    try:
        pdus = await found.burst(asked)
    except Silence as what:
        play.check(False, f"an R2T is not answered as a whole ({what})", ANSWERED)
        raise Stop from None
    same = all((pdu.ttt, pdu.lun) == (asked.ttt, asked.lun) for pdu in pdus)
    play.check(same, "the data have not the tag and the unit of the R2T", _COPIED)
    judge_sequence(play, pdus, offset)
    sent = sum(len(pdu.data) for pdu in pdus)
    play.check(sent == length, f"{sent} bytes for an R2T of {length}", ANSWERED)
    _judge_segments(play, found, pdus)


def judge_sequence(play: Play, pdus: Sequence[DataOut], offset: int) -> None:
    """The Data-Out of one sequence are numbered from 0, contiguous, and the last one has F."""
    numbers = [pdu.data_sn for pdu in pdus]
    play.check(numbers == list(range(len(pdus))), f"DataSN is {numbers[:8]}", _COUNTED)
    for pdu in pdus:
        if not play.check(pdu.buffer_offset == offset, "data beside their place", _CONTIGUOUS):
            break
        offset += len(pdu.data)
    final = [pdu.final for pdu in pdus]
    play.check(final[-1] and not any(final[:-1]), "F is not on the last PDU alone", _LAST_IS_FINAL)


def _judge_segments(play: Play, found: Writing, pdus: Sequence[DataOut]) -> None:
    most = found.link.parameters.target_max_recv_data_segment_length
    play.check(all(len(pdu.data) <= most for pdu in pdus), "a segment is too long", SEGMENT)


async def answers(play: Play, asked: list[tuple[Writing, ReadyToTransfer]]) -> list[DataOut]:
    """All data that R2Ts ask for, in the order in which they come; Stop if some do not."""
    try:
        return await data_outs(asked)
    except Silence as what:
        play.check(False, f"an R2T is not answered ({what})", ANSWERED)
        raise Stop from None


def judge_order(play: Play, pdus: Sequence[DataOut], asked: Sequence[ReadyToTransfer]) -> None:
    """The answers to the R2Ts of a task begin and end in the order in which these came."""
    tags = [pdu.ttt for pdu in pdus]
    begun, ended = list(dict.fromkeys(tags)), list(dict.fromkeys(reversed(tags)))[::-1]
    due = [pdu.ttt for pdu in asked]
    in_turn = begun == ended == due
    play.check(in_turn, "R2Ts are not answered in the order in which they came")


async def settle(found: Writing) -> None:
    """Take what is missing, and have the write done."""
    await found.ask_for_rest()
    await found.carry_out()


async def goes_on(play: Play, found: Writing) -> None:
    """All else is as usual, and the initiator is content."""
    await settle(found)
    await play.expect_success("a write fails")
