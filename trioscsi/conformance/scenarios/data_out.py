"""DO: what is written unasked, and long commands (RFC 7143 sections 4.2.5.2 and 11.3)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.bursts import (
    SEGMENT,
    SOLICITED,
    WHOLE_BURST,
    answers,
    goes_on,
    take_unasked,
)
from trioscsi.conformance.bench.play import PATTERN, NotExercised, Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.bench.writings import (
    Writing,
    stays_silent,
    write_command,
)
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import NO_TASK, DataIn, DataOut, ScsiCommand

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_IMMEDIATE = Rule("7143-13.11-1")
_UNASKED = Rule("7143-11.8-1")
_FIRST_BURST = Rule("7143-13.12-1")
_IS_FINAL = Rule("7143-11.3.4-2")
_COMMANDS_IN_TURN = Rule("7143-4.2.5.2-4")
_READ_LENGTH = Rule("7143-11.3.4-1")
_LONG_CDB = Rule("7143-11.2.2.3-2")


@scenario(
    "DO-01",
    "With InitialR2T=Yes and ImmediateData=No no data come before an R2T.",
    _IMMEDIATE,
    Drive.WRITE,
    target=SOLICITED,
    mutants=("immediate-data", "unsolicited-data", "command-without-f"),
    unh=("FFP 8.2", "FFP 16.2.1"),
)
async def nothing_unasked(play: Play) -> None:
    link, command = await write_command(play)
    play.check(not command.data, "there are immediate data")
    play.check(command.final, "the command has no F bit", _UNASKED)
    silent = await stays_silent(link, lambda pdu: pdu.itt == command.itt, 1)
    play.check(silent, "data come before an R2T", _UNASKED)
    await goes_on(play, Writing(link, command, [], bytearray(command.data)))


@scenario(
    "DO-02",
    "With InitialR2T=Yes and ImmediateData=Yes there may be immediate data, and no others unasked.",
    _FIRST_BURST,
    Drive.WRITE,
    target={"initial_r2t": True, "first_burst_length": 8192},
    limits={"segment": 16_384},
    mutants=("first-burst",),
    unh=("FFP 16.1.1", "FFP 16.1.2", "FFP 16.2.2"),
)
async def immediate_data(play: Play) -> None:
    link, command = await write_command(play)
    agreed, length = link.parameters, len(command.data)
    play.check(length <= agreed.first_burst_length, f"{length} bytes of immediate data")
    most = agreed.target_max_recv_data_segment_length
    play.check(length <= most, f"a segment of {length} bytes", SEGMENT)
    play.check(command.final, "the command has no F bit", _UNASKED)
    silent = await stays_silent(link, lambda pdu: pdu.itt == command.itt, 1)
    play.check(silent, "more data come before an R2T", _UNASKED)
    await goes_on(play, Writing(link, command, [], bytearray(command.data)))


@scenario(
    "DO-03",
    "With InitialR2T=No and ImmediateData=No unsolicited data come in Data-Out PDUs of their own.",
    _IMMEDIATE,
    Drive.WRITE,
    target={"immediate_data": False, "first_burst_length": 16_384},
    limits={"segment": 8192},
    mutants=("immediate-data", "data-unasked-tag", "data-sn", "data-without-f"),
    unh=("FFP 8.3", "FFP 11.2.1", "FFP 16.2.3"),
)
async def unsolicited_pdus(play: Play) -> None:
    found = await take_unasked(play)
    play.check(not found.command.data, "there are immediate data")
    await goes_on(play, found)


@scenario(
    "DO-04",
    "Unsolicited data that come apart from the command are a whole first burst with it.",
    WHOLE_BURST,
    Drive.WRITE,
    target={"first_burst_length": 8192},
    limits={"segment": 4096},
    mutants=("first-burst", "unsolicited-short"),
    unh=("FFP 8.1", "FFP 16.2.4", "FFP 16.6"),
)
async def whole_first_burst(play: Play) -> None:
    await goes_on(play, await take_unasked(play, 16_384))


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
    await goes_on(play, Writing(link, command, [], bytearray(command.data)))


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
    "DO-25",
    "A command that writes and reads says how much it reads, and takes data and R2Ts by turns.",
    _READ_LENGTH,
    Drive.BIDIRECTIONAL,
    target=SOLICITED,
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
        await answers(play, [(found, asked)])
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
