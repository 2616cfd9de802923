"""DO: what is written, unasked or for R2Ts (RFC 7143 sections 4.2.5.2, 11.3, 11.7 and 11.8)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from trioscsi.conformance.bench.link import Left, Silence
from trioscsi.conformance.bench.play import PATTERN, NotExercised, Play, Stop
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.statuses import failed
from trioscsi.conformance.bench.transfers import (
    TTT,
    Writing,
    data_outs,
    gather,
    next_reading,
    stays_silent,
    unsolicited,
    write_command,
    writes_blocks,
    writing,
)
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK, DataIn, DataOut, ReadyToTransfer, ScsiCommand

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_IMMEDIATE = Rule("7143-13.11-1")
_UNASKED = Rule("7143-11.8-1")
_FIRST_BURST = Rule("7143-13.12-1")
_WHOLE_BURST = Rule("7143-4.2.5.2-1")
_IS_FINAL = Rule("7143-11.3.4-2")
_ANSWERED = Rule("7143-4.2.5.2-3")
_COPIED = Rule("7143-11.7.4-1")
_COUNTED = Rule("7143-4.2.2.4-1")
_ASKED_FOR = Rule("7143-11.8-2")
_CONTIGUOUS = Rule("7143-11.8-3")
_LAST_IS_FINAL = Rule("7143-11.8-4")
_IN_TURN = Rule("7143-11.8-5")
_SEGMENT = Rule("7143-11.7.1-1")
_BURST = Rule("7143-11.7.1-2")
_COMMANDS_IN_TURN = Rule("7143-4.2.5.2-4")
_LIVE = Rule("7143-4.2.5.1-1")
_TAGS = Rule("7143-4.2.5.3-1")
_MISSING = Rule("7143-7.9-1")
_DUPLICATES = Rule("7143-7.9-2")
_FORMAT = Rule("7143-7.7-1", Level.NOTE)
_WITHIN = Rule("7143-11.7.6-1", Level.NOTE)
_SHORT = Rule("7143-11.4.5.1-3", Level.NOTE)
_READ_LENGTH = Rule("7143-11.3.4-1")
_LONG_CDB = Rule("7143-11.2.2.3-2")

_SOLICITED = {"initial_r2t": True, "immediate_data": False}
"""Settings of a target with which all data are asked for."""
_FAILS = "a write fails"


# Unsolicited data.


@scenario(
    "DO-01",
    "With InitialR2T=Yes and ImmediateData=No no data come before an R2T.",
    _IMMEDIATE,
    Drive.WRITE,
    target=_SOLICITED,
    mutants=("immediate-data", "unsolicited-data", "command-without-f"),
    unh=("FFP 8.2", "FFP 16.2.1"),
)
async def nothing_unasked(play: Play) -> None:
    link, command = await write_command(play)
    play.check(not command.data, "there are immediate data")
    play.check(command.final, "the command has no F bit", _UNASKED)
    silent = await stays_silent(link, lambda pdu: pdu.itt == command.itt, 1)
    play.check(silent, "data come before an R2T", _UNASKED)
    await _goes_on(play, Writing(link, command, [], bytearray(command.data)))


@scenario(
    "DO-02",
    "With InitialR2T=Yes and ImmediateData=Yes there may be immediate data, and no others unasked.",
    _FIRST_BURST,
    Drive.WRITE,
    target={"initial_r2t": True, "first_burst_length": 1024},
    limits={"segment": 2048},
    mutants=("first-burst",),
    unh=("FFP 16.1.1", "FFP 16.1.2", "FFP 16.2.2"),
)
async def immediate_data(play: Play) -> None:
    link, command = await write_command(play)
    agreed, length = link.parameters, len(command.data)
    play.check(length <= agreed.first_burst_length, f"{length} bytes of immediate data")
    most = agreed.target_max_recv_data_segment_length
    play.check(length <= most, f"a segment of {length} bytes", _SEGMENT)
    play.check(command.final, "the command has no F bit", _UNASKED)
    silent = await stays_silent(link, lambda pdu: pdu.itt == command.itt, 1)
    play.check(silent, "more data come before an R2T", _UNASKED)
    await _goes_on(play, Writing(link, command, [], bytearray(command.data)))


@scenario(
    "DO-03",
    "With InitialR2T=No and ImmediateData=No unsolicited data come in Data-Out PDUs of their own.",
    _IMMEDIATE,
    Drive.WRITE,
    target={"immediate_data": False, "first_burst_length": 4096},
    limits={"segment": 2048},
    mutants=("immediate-data", "data-unasked-tag", "data-sn", "data-without-f"),
    unh=("FFP 8.3", "FFP 11.2.1", "FFP 16.2.3"),
)
async def unsolicited_pdus(play: Play) -> None:
    found = await _unasked(play)
    play.check(not found.command.data, "there are immediate data")
    await _goes_on(play, found)


@scenario(
    "DO-04",
    "Unsolicited data that come apart from the command are a whole first burst with it.",
    _WHOLE_BURST,
    Drive.WRITE,
    target={"first_burst_length": 1024},
    limits={"segment": 512},
    mutants=("first-burst", "unsolicited-short"),
    unh=("FFP 8.1", "FFP 16.2.4"),
)
async def whole_first_burst(play: Play) -> None:
    await _goes_on(play, await _unasked(play, 2048))


@scenario(
    "DO-05",
    "A command whose immediate data are all that it writes has the F bit.",
    _IS_FINAL,
    Drive.SMALL_WRITE,
    mutants=("command-without-f",),
    unh=("FFP 16.3.1", "FFP 16.6"),
)
async def all_is_immediate(play: Play) -> None:
    link, command = await write_command(play)
    if len(command.data) < command.expected_data_transfer_length:
        await link.forward(command)
        raise NotExercised("its immediate data are not all that it writes")
    play.check(command.final, "the command has no F bit")
    await _goes_on(play, Writing(link, command, [], bytearray(command.data)))


# R2Ts.


@scenario(
    "DO-06",
    "The data for an R2T have its tag and its unit, are just what it asks for, and end by F.",
    _ANSWERED,
    Drive.WRITE,
    target={"initial_r2t": True, "max_burst_length": 2**24 - 1},
    limits={"segment": 8192},
    mutants=(
        "r2t-ignored",
        "data-tag",
        "data-sn",
        "data-sn-stays",
        "data-offset",
        "data-short",
        "data-without-f",
        "data-early-f",
    ),
    unh=("FFP 6.1", "FFP 9.1", "FFP 11.2.2", "FFP 11.3", "FFP 11.4", "FFP 12.1"),
)
async def one_r2t(play: Play) -> None:
    found = await writing(play)
    length = min(found.missing, found.link.parameters.max_burst_length)
    await _burst(play, found, len(found.data), length)
    await _goes_on(play, found)


@scenario(
    "DO-07",
    "R2Ts for odd lengths are answered with just so much.",
    _ANSWERED,
    Drive.WRITE,
    target=_SOLICITED,
    mutants=("data-rounded", "r2t-ignored"),
)
async def odd_lengths(play: Play) -> None:
    found = await writing(play, 2048)
    for length in (511, 1, 1023, 7):
        await _burst(play, found, len(found.data), length)
    await _goes_on(play, found)


@scenario(
    "DO-08",
    "Many Data-Out answer one R2T where segments are short; none is longer than the target takes.",
    _SEGMENT,
    Drive.WRITE,
    target={**_SOLICITED, "max_burst_length": 16_384, "first_burst_length": 4096},
    limits={"segment": 2048},
    mutants=("segment", "data-sn-stays"),
    unh=("FFP 12.2",),
)
async def short_segments(play: Play) -> None:
    found = await writing(play, 1024)
    length = min(found.missing, found.link.parameters.max_burst_length)
    await _burst(play, found, len(found.data), length)
    await _goes_on(play, found)


@scenario(
    "DO-09",
    "With DataSequenceInOrder=No R2Ts are honoured in whatever order they ask for data.",
    _ANSWERED,
    Drive.WRITE,
    target={**_SOLICITED, "data_sequence_in_order": False},
    initiator={"data_sequence_in_order": False},
    mutants=("r2t-back-ignored",),
)
async def backward(play: Play) -> None:
    found = await writing(play, 1536)
    if found.link.parameters.data_sequence_in_order:
        await _settle(found)
        raise NotExercised("it does not agree to DataSequenceInOrder=No")
    for offset in (1024, 512, 0):
        await _burst(play, found, offset, 512)
    await _goes_on(play, found)


@scenario(
    "DO-10",
    "R2Ts of a task that are outstanding together are answered in the order in which they came.",
    _IN_TURN,
    Drive.WRITE,
    target={**_SOLICITED, "max_outstanding_r2t": 4},
    initiator={"max_outstanding_r2t": 4},
    mutants=("r2t-reversed",),
    unh=("FFP 12.3",),
)
async def several_r2ts(play: Play) -> None:
    found = await writing(play, 2048)
    most = found.link.parameters.max_outstanding_r2t
    if most == 1:
        await _settle(found)
        raise NotExercised("it does not agree to several R2Ts at a time")
    count = min(most, 4)
    asked = [await found.ask(512 * n, 512) for n in range(count)]
    pdus = await _answers(play, [(found, pdu) for pdu in asked])
    _judge_order(play, pdus, asked)
    await _goes_on(play, found)


@scenario(
    "DO-11",
    "One R2T more than was agreed to be outstanding does no harm.",
    Rule("7143-4.2.5.2-3", Level.NOTE),
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target={**_SOLICITED, "max_outstanding_r2t": 2},
    initiator={"max_outstanding_r2t": 2},
)
async def one_r2t_too_many(play: Play) -> None:
    found = await writing(play, 2048)
    count = found.link.parameters.max_outstanding_r2t + 1
    asked = [(found, await found.ask(512 * n, 512)) for n in range(count)]
    try:
        await data_outs(asked)
    except (Left, Silence):
        await found.abandon()
    else:
        await _settle(found)
    await play.expect_survival("an R2T more than agreed does harm")


@scenario(
    "DO-12",
    "R2Ts for several writes may come by turns; each write gets its own in their order.",
    _IN_TURN,
    Drive.PARALLEL_WRITE,
    target={**_SOLICITED, "max_outstanding_r2t": 2},
    initiator={"max_outstanding_r2t": 2},
    mutants=("r2t-ignored",),
    unh=("FFP 12.4",),
)
async def writes_by_turns(play: Play) -> None:
    link = await play.session()
    commands = await gather(link, 4, lambda pdu: pdu.write and writes_blocks(pdu))
    found = [
        Writing(link, command, [], bytearray(), ttt=TTT + 16 * place)
        for place, command in enumerate(commands)
    ]
    rounds = min(2, link.parameters.max_outstanding_r2t)
    asked = [(each, await each.ask(256 * n, 256)) for n in range(rounds) for each in found]
    pdus = await _answers(play, asked)
    for each in found:
        own = [pdu for pdu in pdus if each.is_mine(pdu)]
        _judge_order(play, own, [pdu for one, pdu in asked if one is each])
    for each in found:
        await _settle(each)
    await play.expect_success(_FAILS)


@scenario(
    "DO-13",
    "The unsolicited data of a command all come before those of a later one.",
    _COMMANDS_IN_TURN,
    Drive.PARALLEL_WRITE,
    target={"immediate_data": False, "first_burst_length": 8192},
    mutants=("unsolicited-disordered",),
)
async def unsolicited_in_turn(play: Play) -> None:
    link = await play.session()
    sent: list[int] = []
    commands: list[int] = []

    def hear(pdu: Any) -> None:
        if isinstance(pdu, ScsiCommand) and not pdu.final:
            commands.append(pdu.itt)
        elif isinstance(pdu, DataOut) and pdu.ttt == NO_TASK and sent[-1:] != [pdu.itt]:
            sent.append(pdu.itt)

    link.on_request = hear
    await play.ending()
    if len(set(sent)) > 1:
        order = [itt for itt in commands if itt in sent]
        play.check(sent == order, "unsolicited data are not in the order of their commands")


@scenario(
    "DO-14",
    "A first R2T that comes late is waited for.",
    Rule("7143-11.8-1", Level.NOTE),
    Drive.WRITE,
    target=_SOLICITED,
)
async def late_r2t(play: Play) -> None:
    found = await writing(play)
    silent = await stays_silent(found.link, found.is_mine, 3)
    play.check(silent and found.link.is_open, "the initiator does not wait for an R2T")
    await _goes_on(play, found)


# R2Ts that no target may send.


@scenario(
    "DO-15",
    "An R2T for nothing is a format error, and none to wait upon.",
    _FORMAT,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=_SOLICITED,
    mutants=("r2t-empty",),
)
async def r2t_for_nothing(play: Play) -> None:
    found = await writing(play)
    await found.ask(0, 0)
    await play.expect_end(found.link, "an R2T for nothing is taken", within=2)
    await found.abandon()


@scenario(
    "DO-16",
    "An R2T for more than MaxBurstLength is not answered with more than that in one sequence.",
    _BURST,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target={**_SOLICITED, "max_burst_length": 4096, "first_burst_length": 4096},
    mutants=("r2t-long",),
)
async def r2t_too_long(play: Play) -> None:
    found = await writing(play, 8192)
    most = found.link.parameters.max_burst_length
    asked = await found.ask(0, min(2 * most, found.length))
    length = 0
    with suppress(Left, Silence):
        length = sum(len(pdu.data) for pdu in await found.burst(asked, within=1.5))
    play.check(length <= most, f"a sequence of {length} bytes, {most} were agreed")
    await _settle_or_abandon(found, length)


@scenario(
    "DO-17",
    "An R2T beyond the end of what a command writes brings no data from beyond it.",
    _WITHIN,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=_SOLICITED,
    mutants=("r2t-overrun",),
)
async def r2t_beyond_the_end(play: Play) -> None:
    found = await writing(play)
    await found.ask(found.length - 256, 512)
    beyond = await stays_silent(
        found.link,
        lambda pdu: found.is_mine(pdu) and pdu.buffer_offset + len(pdu.data) > found.length,
    )
    play.check(beyond, "data come from beyond the end of what is written")
    await found.abandon()


@scenario(
    "DO-18",
    "An R2T for another unit than that of its command is not answered.",
    _TAGS,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=_SOLICITED,
    mutants=("any-lun",),
)
async def r2t_of_another_unit(play: Play) -> None:
    found = await writing(play)
    await found.ask(0, 512, lun=found.command.lun ^ 1 << 48)
    silent = await stays_silent(found.link, found.is_mine)
    play.check(silent, "an R2T for another unit is answered")
    await found.abandon()


@scenario(
    "DO-19",
    "An R2T for a task that there is not, or for one that reads, brings no data.",
    _LIVE,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=_SOLICITED,
    mutants=("r2t-strays-answered",),
)
async def r2t_for_no_write(play: Play) -> None:
    found = await writing(play)
    link, unknown = found.link, found.command.itt ^ 0x1000
    await found.ask(0, 512, itt=unknown)
    silent = await stays_silent(link, lambda pdu: pdu.itt == unknown)
    play.check(silent, "an R2T with an unknown tag is answered")
    if not link.is_open:
        return
    found.r2t_sn = 0
    await _settle(found)
    read = await next_reading(link, 512)
    await link.say(Writing(link, read.command, [], bytearray()).r2t(0, 512))
    silent = await stays_silent(link, lambda pdu: pdu.itt == read.command.itt)
    play.check(silent, "an R2T for a read is answered")
    await read.goes_on()


@scenario(
    "DO-20",
    "An R2T with the reserved transfer tag is a format error.",
    _FORMAT,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=_SOLICITED,
    mutants=("r2t-untagged",),
)
async def r2t_without_tag(play: Play) -> None:
    found = await writing(play)
    await found.ask(0, 512, ttt=NO_TASK)
    await play.expect_end(found.link, "an R2T with the reserved tag is taken", within=2)
    await found.abandon()


@scenario(
    "DO-21",
    "An R2T that comes twice is answered once, and one that is missing is missed.",
    _MISSING,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    target=_SOLICITED,
    mutants=("r2t-again", "r2t-missed"),
)
async def r2t_sn(play: Play) -> None:
    found = await writing(play, 1536)
    asked = await found.ask(0, 512)
    await _answers(play, [(found, asked)])
    await found.link.say(asked)
    silent = await stays_silent(found.link, found.is_mine)
    play.check(silent, "an R2T that comes twice is answered twice", _DUPLICATES)
    if not play.check(found.link.is_open, "an R2T that comes twice ends the session", _DUPLICATES):
        return
    found.r2t_sn += 1
    asked = await found.ask(512, 512)
    try:
        await found.burst(asked, within=1.5)
    except Silence:
        play.check(True, "")
        await found.abandon()
        return
    except Left:
        play.check(True, "")
        return
    await _settle(found)
    await play.expect_no_success(
        found.link, found.command, "a write succeeds although an R2T is missing"
    )


@scenario(
    "DO-22",
    "Data that an R2T asks for once more are sent again.",
    _ANSWERED,
    Drive.WRITE,
    needs=(Ability.LEVEL_1,),
    target={**_SOLICITED, "error_recovery_level": 1},
    initiator={"error_recovery_level": 1},
    mutants=("r2t-back-ignored",),
)
async def recovery_r2t(play: Play) -> None:
    found = await writing(play, 1024)
    if not found.link.parameters.error_recovery_level:
        await _settle(found)
        raise NotExercised("it does not agree to error recovery level 1")
    await _burst(play, found, 0, 1024)
    await _burst(play, found, 512, 512)
    await _goes_on(play, found)


@scenario(
    "DO-23",
    "After a status that comes before all data were asked for no more data are sent.",
    _LIVE,
    Drive.WRITE,
    target=_SOLICITED,
    mutants=("data-after-status",),
)
async def early_failure(play: Play) -> None:
    found = await writing(play, 1024)
    await _answers(play, [(found, await found.ask(0, 512))])
    await found.link.say(failed(found.command, 0x0B, 0x4B, 0x00))
    silent = await stays_silent(found.link, found.is_mine, 1)
    play.check(silent, "data come after the status")


@scenario(
    "DO-24",
    "A write of which the target has taken less than all does not pass for a full success.",
    _SHORT,
    Drive.WRITE,
    target=_SOLICITED,
)
async def underflow(play: Play) -> None:
    found = await writing(play, 1024)
    await _answers(play, [(found, await found.ask(0, 512))])
    await found.link.answer(found.command, underflow=True, residual_count=found.missing)
    await play.expect_no_success(
        found.link, found.command, "a write of which a part is missing passes for a success"
    )


@scenario(
    "DO-25",
    "A command that writes and reads says how much it reads, and takes data and R2Ts by turns.",
    _READ_LENGTH,
    Drive.BIDIRECTIONAL,
    target=_SOLICITED,
    mutants=("bidirectional-short",),
)
async def both_ways(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand, where=lambda pdu: pdu.read and pdu.write)
    length = command.expected_data_transfer_length
    if not play.check(command.bidirectional_read_length == length, "it does not say what it reads"):
        await link.answer(command, status=0x08)
        return
    found = Writing(link, command, [], bytearray())
    half = length // 2
    for place, start in enumerate((0, half)):
        found.r2t_sn = 2 * place
        asked = await found.ask(start, half)
        await _answers(play, [(found, asked)])
        data = bytes(PATTERN ^ byte for byte in found.data[start : start + half])
        await link.say(
            DataIn(
                final=True,
                itt=command.itt,
                data_sn=2 * place + 1,
                buffer_offset=start,
                data=data,
            )
        )
    await link.answer(command, exp_data_sn=2)
    await play.expect_success("a command that writes and reads fails")


@scenario(
    "DO-26",
    "A CDB of 32 bytes comes whole, its end in an additional header segment.",
    _LONG_CDB,
    Drive.LONG_CDB,
    mutants=("cdb-cut",),
)
async def long_cdb(play: Play) -> None:
    link = await play.session()
    command = await link.take(ScsiCommand, where=lambda pdu: pdu.cdb[0] == 0x7F)
    length = command.cdb[7] + 8
    play.check(len(command.cdb) == length, f"{len(command.cdb)} bytes of a CDB of {length}")
    data = bytes([PATTERN]) * command.expected_data_transfer_length
    await link.say(DataIn(final=True, itt=command.itt, has_status=True, data=data))
    await play.expect_success("a command with a long CDB fails")


# What they have in common.


async def _unasked(play: Play, at_least: int = 512) -> Writing:
    """A command with unsolicited data, which are judged."""
    link, command = await write_command(play, at_least)
    found = Writing(link, command, [], bytearray(command.data))
    try:
        found = await unsolicited(link, command)
    except Silence as what:
        play.check(False, f"data that the command announces do not come ({what})", _WHOLE_BURST)
        raise Stop from None
    pdus = found.unasked
    if pdus:
        due = min(link.parameters.first_burst_length, found.length)
        sent = len(command.data) + sum(len(pdu.data) for pdu in pdus)
        play.check(sent == due, f"{sent} bytes unasked, {due} are due", _WHOLE_BURST)
        _judge_sequence(play, pdus, len(command.data))
        most = link.parameters.target_max_recv_data_segment_length
        play.check(all(len(pdu.data) <= most for pdu in pdus), "a segment is too long", _SEGMENT)
    return found


async def _burst(play: Play, found: Writing, offset: int, length: int) -> None:
    """Ask for data, and judge what comes."""
    asked = await found.ask(offset, length)
    try:
        pdus = await found.burst(asked)
    except Silence as what:
        play.check(False, f"an R2T is not answered as a whole ({what})", _ANSWERED)
        raise Stop from None
    agreed = found.link.parameters
    same = all((pdu.ttt, pdu.lun) == (asked.ttt, asked.lun) for pdu in pdus)
    play.check(same, "the data have not the tag and the unit of the R2T", _COPIED)
    _judge_sequence(play, pdus, offset)
    sent = sum(len(pdu.data) for pdu in pdus)
    play.check(sent == length, f"{sent} bytes for an R2T of {length}", _ANSWERED)
    most = agreed.target_max_recv_data_segment_length
    play.check(all(len(pdu.data) <= most for pdu in pdus), "a segment is too long", _SEGMENT)


def _judge_sequence(play: Play, pdus: Sequence[DataOut], offset: int) -> None:
    numbers = [pdu.data_sn for pdu in pdus]
    play.check(numbers == list(range(len(pdus))), f"DataSN is {numbers[:8]}", _COUNTED)
    for pdu in pdus:
        if not play.check(pdu.buffer_offset == offset, "data beside their place", _CONTIGUOUS):
            break
        offset += len(pdu.data)
    final = [pdu.final for pdu in pdus]
    play.check(final[-1] and not any(final[:-1]), "F is not on the last PDU alone", _LAST_IS_FINAL)


async def _answers(play: Play, asked: list[tuple[Writing, ReadyToTransfer]]) -> list[DataOut]:
    try:
        return await data_outs(asked)
    except Silence as what:
        play.check(False, f"an R2T is not answered ({what})", _ANSWERED)
        raise Stop from None


def _judge_order(play: Play, pdus: Sequence[DataOut], asked: Sequence[ReadyToTransfer]) -> None:
    """Data of one task come for its R2Ts one after the other."""
    answered = list(dict.fromkeys(pdu.ttt for pdu in pdus))
    due = [pdu.ttt for pdu in asked]
    play.check(answered == due, "R2Ts are not answered in the order in which they came")


async def _settle(found: Writing) -> None:
    """Take what is missing, and have the write done."""
    await found.ask_for_rest()
    await found.carry_out()


async def _settle_or_abandon(found: Writing, so_far: int) -> None:
    if so_far and found.link.is_open:
        await _settle(found)
    else:
        await found.abandon()


async def _goes_on(play: Play, found: Writing) -> None:
    """All else is as usual, and the initiator is content."""
    await _settle(found)
    await play.expect_success(_FAILS)
