"""RS, residuals: data that are missing, or that there was no room for (RFC 7143 section 11.4.5)."""

from __future__ import annotations

from trioscsi.conformance.bench.link import Left, Silence
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.readings import (
    Reading,
    reading,
    reads_blocks,
    take_reading,
)
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.statuses import (
    GOOD,
)
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import ScsiCommand

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_UNDERFLOW = Rule("7143-11.4.5.1-3", Level.NOTE)
_UNFLAGGED = Rule("7143-11.4.5.1-4")
_BOTH = Rule("7143-11.4.1-2", Level.NOTE)
_LONGER_LIST = Rule("7143-11.4.5.3-1", Level.NOTE)

_FAILS = "a read fails"
_REPORT_LUNS = 0xA0


@scenario(
    "RS-01",
    "A read of which the target has brought less than all does not pass for a full success.",
    _UNDERFLOW,
    Drive.READ,
)
async def underflow(play: Play) -> None:
    found = await reading(play, 1024, reads_blocks)
    half = len(found.data) // 2
    short = Reading(found.link, found.command, found.data[:half], found.response)
    missing = found.command.expected_data_transfer_length - half
    await short.say(short.cut(), underflow=True, residual_count=missing)
    await play.expect_no_success(
        found.link, found.command, "a read of which a part is missing passes for a success"
    )


@scenario(
    "RS-02",
    "A target that has more data than the initiator expects has brought those that it expects.",
    Rule("7143-11.7-1", Level.NOTE),
    Drive.READ,
    mutants=("overflow-refused",),
)
async def overflow(play: Play) -> None:
    found = await reading(play, 512, reads_blocks)
    await found.say(found.cut(), overflow=True, residual_count=512)
    await play.expect_success("the data of a command with an overflow are not taken")


@scenario(
    "RS-03",
    "A residual count without the bits that make it valid means nothing.",
    _UNFLAGGED,
    Drive.READ,
    mutants=("residual-unflagged",),
)
async def unflagged_residual(play: Play) -> None:
    found = await reading(play, 512, reads_blocks)
    await found.say(found.cut(), residual_count=256, underflow=False)
    await play.expect_success(_FAILS)


@scenario(
    "RS-04",
    "A residual of both kinds is a protocol error, and no success.",
    _BOTH,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("residual-both",),
)
async def both_residuals(play: Play) -> None:
    found = await reading(play)
    await found.say(found.cut(), overflow=True, underflow=True)
    await play.expect_no_success(
        found.link, found.command, "a read with a residual of both kinds passes for a success"
    )


@scenario(
    "RS-17",
    "A list of units that is longer than its initiator has room for is asked for again.",
    _LONGER_LIST,
    Drive.SCAN,
    mutants=("list-taken",),
)
async def longer_list(play: Play) -> None:
    while True:
        link = await play.session()
        try:
            command = await link.see(ScsiCommand, where=lambda pdu: pdu.cdb[0] == _REPORT_LUNS)
            break
        except Left:
            continue  # it had other things to do on this connection
    found = await take_reading(link, command)
    room = int.from_bytes(command.cdb[6:10])
    length = min(room, command.expected_data_transfer_length) & ~7
    units = b"".join(
        bytes([unit >> 8 & 0x3F | 0x40, unit & 0xFF]) + bytes(6) for unit in range(room)
    )
    data = (room + 128).to_bytes(4) + bytes(4) + units
    listed = Reading(link, command, data[:length], found.response)
    missing = command.expected_data_transfer_length - length
    await listed.say(listed.cut(), underflow=missing > 0, residual_count=missing, status=GOOD)
    try:
        again = await link.see(ScsiCommand, where=lambda pdu: pdu.cdb[0] == _REPORT_LUNS, within=5)
        play.check(int.from_bytes(again.cdb[6:10]) > room, "the list is asked for as before")
    except (Left, Silence):
        play.check(False, "the list is not asked for again")
