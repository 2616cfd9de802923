"""DG: damaged and malformed PDUs (RFC 7143 sections 7.7, 7.8, 11 and 13.1)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.faults import bad_data_digest, bad_header_digest, damaging_once
from trioscsi.conformance.bench.link import Link
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reading, reads_blocks
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios, Stimulus
from trioscsi.conformance.bench.words import ping
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    BHS_LENGTH,
    FROM_TARGET,
    AsyncEvent,
    AsyncMessage,
    DataIn,
    NopIn,
    NopOut,
    Pdu,
    ScsiCommand,
    ScsiResponse,
    encode,
)
from trioscsi.pdu.digest import digest
from trioscsi.pdu.sense import join

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_DATA = Rule("7143-7.8-1")
_HEADER = Rule("7143-7.8-2")
_COVERED = Rule("7143-13.1-2")
_AHS = Rule("7143-13.1-1")
_RESERVED = Rule("7143-11-3")
_OPCODES = Rule("7143-11.2.1.2-3", Level.NOTE)
_FORMAT = Rule("7143-7.7-1", Level.NOTE)
_FAILURE = Rule("7143-7.14-1", Level.NOTE)
_CONNECTION = Rule("7143-7.14-1")
_ANY_CUT = Rule("7143-11-3", Level.NOTE)

_DATA_DIGEST: dict[str, Any] = {
    "target": {"data_digests": ("CRC32C",)},
    "initiator": {"data_digests": ("CRC32C", "None")},
    "needs": {Ability.DIGESTS},
}
_HEADER_DIGEST: dict[str, Any] = {
    "target": {"header_digests": ("CRC32C",)},
    "initiator": {"header_digests": ("CRC32C", "None")},
    "needs": {Ability.DIGESTS},
}
_LUNS_CHANGED = bytes.fromhex("7000060000000010000000003f0e00000000")
"""UNIT ATTENTION: the list of units has changed."""
_OPCODE = 0x2E
"""An opcode of targets that is not assigned."""


async def _idle(play: Play) -> Link:
    """A session in which nothing happens."""
    link = await play.session()
    await link.run_for(1)
    return link


@scenario(
    "DG-01",
    "Data whose digest does not match them are not taken.",
    _DATA,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches={"7143-13.1-1"},
    mutants=("data-damaged",),
    **_DATA_DIGEST,
)
async def damaged_data(play: Play) -> None:
    link = await play.session()
    if not link.parameters.data_digest:
        raise NotExercised("no data digest was agreed")
    command = await link.see(ScsiCommand, where=reads_blocks)
    link.damage(damaging_once(bad_data_digest(DataIn)))
    await play.expect_no_success(link, command, "the read is taken for a success")


@scenario(
    "DG-02",
    "A status that is damaged is not taken, and that it is missing is noticed.",
    _DATA,
    Drive.MIXED,
    stimulus=Stimulus.FAULT,
    breaches={"7143-13.1-1"},
    mutants=("data-damaged",),
    **_DATA_DIGEST,
)
async def damaged_sense(play: Play) -> None:
    link = await play.session()
    if not link.parameters.data_digest:
        raise NotExercised("no data digest was agreed")
    command = await link.take(ScsiCommand, where=reads_blocks)
    link.damage(damaging_once(bad_data_digest(AsyncMessage)))
    await link.say(AsyncMessage(async_event=AsyncEvent.SCSI_EVENT, data=join(_LUNS_CHANGED)))
    await link.forward(command)
    await play.expect_recovery(link, "nothing is done about the status that is missing", 3)


@scenario(
    "DG-03",
    "After a header whose digest does not match it the connection is closed, or order restored.",
    _HEADER,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches={"7143-13.1-1"},
    mutants=("header-damaged",),
    **_HEADER_DIGEST,
)
async def damaged_header(play: Play) -> None:
    link = await play.session()
    if not link.parameters.header_digest:
        raise NotExercised("no header digest was agreed")
    command = await link.see(ScsiCommand, where=reads_blocks)
    link.damage(damaging_once(bad_header_digest(DataIn)))
    await play.expect_no_success(link, command, "the read is taken for a success")


def _pad_with_ones(data: bytes, pdu: Any) -> bytes:
    """The same PDU with padding that is not zero, under a right digest."""
    padding = -len(pdu.data) % 4
    if not isinstance(pdu, DataIn) or not padding:
        return data
    body = bytes(pdu.data) + b"\xff" * padding
    return data[:BHS_LENGTH] + body + digest(body)


@scenario(
    "DG-04",
    "The data digest covers the padding, whatever that is.",
    _COVERED,
    Drive.READ,
    stimulus=Stimulus.FAULT,
    breaches={"7143-11.2-2"},
    mutants=("padding-panic",),
    **_DATA_DIGEST,
)
async def padding_is_covered(play: Play) -> None:
    found = await reading(play)
    if not found.link.parameters.data_digest:
        raise NotExercised("no data digest was agreed")
    found.link.damage(_pad_with_ones)
    await found.say(found.cut(511, 3, 5, 509))
    await play.expect_success("a read fails")


@scenario(
    "DG-05",
    "A header digest covers the additional header segments.",
    _AHS,
    Drive.LONG_CDB,
    mutants=("digest-without-ahs",),
    **_HEADER_DIGEST,
)
async def long_header(play: Play) -> None:
    link = await play.session()
    if not link.parameters.header_digest:
        raise NotExercised("no header digest was agreed")
    before = link.count
    try:
        await link.take(ScsiCommand, where=lambda pdu: len(pdu.cdb) > 16, within=5)
    finally:
        play.check(not link.damaged, "its digest does not match the header")
    assert link.count > before


def _reserved_bits(cls: type[Pdu]) -> bytes:
    """The bits of a header that no field claims."""
    free = bytearray(b"\xff" * BHS_LENGTH)
    free[0] = 0
    free[4:8] = bytes(4)
    places = [field.place for field in cls.fields]
    places += [value for value in vars(cls).values() if type(value).__name__ == "Place"]
    for place in places:
        for bit in range(place.first, place.first + place.width):
            free[bit // 8] &= ~(0x80 >> bit % 8)
    return bytes(free)


_FREE = {cls: _reserved_bits(cls) for cls in FROM_TARGET}


def _set_reserved(data: bytes, pdu: Any) -> bytes:
    mask = _FREE.get(type(pdu))
    if mask is None:
        return data
    header = bytes(a | b for a, b in zip(data[:BHS_LENGTH], mask, strict=True))
    return header + data[BHS_LENGTH:]


@scenario(
    "DG-06",
    "Bits that are reserved are ignored.",
    _RESERVED,
    Drive.WRITE,
    stimulus=Stimulus.BREACH,
    mutants=("reserved-panic",),
)
async def reserved_bits(play: Play) -> None:
    link = await play.connection()
    link.damage(_set_reserved)
    await play.expect_success("it fails")


@scenario(
    "DG-07",
    "A PDU that no target may send ends the session.",
    _OPCODES,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
    mutants=("any-opcode",),
)
async def unknown_opcode(play: Play) -> None:
    link = await _idle(play)
    await link.write(bytes([_OPCODE, 0x80]) + bytes(BHS_LENGTH - 2))
    await play.expect_drop(link, "the session goes on", 3)


@scenario(
    "DG-08",
    "Additional header segments where there cannot be any end the session.",
    _FORMAT,
    Drive.IDLE,
    stimulus=Stimulus.BREACH,
    mutants=("any-ahs",),
)
async def additional_header(play: Play) -> None:
    link = await _idle(play)
    link.damage(_with_ahs)
    await link.say(ping(ttt=1), ping(ttt=2))  # some stumble over what comes after it
    await play.expect_drop(link, "the session goes on", 3)


def _with_ahs(data: bytes, pdu: Any) -> bytes:
    if not isinstance(pdu, NopIn):
        return data
    return data[:4] + b"\1" + data[5:BHS_LENGTH] + bytes(4) + data[BHS_LENGTH:]


@scenario(
    "DG-09",
    "A segment that is announced and does not come is not waited for for ever.",
    _FAILURE,
    Drive.PING,
    stimulus=Stimulus.BREACH,
)
async def nothing_behind_it(play: Play) -> None:
    link = await play.session()
    await link.see(ScsiCommand)
    link.damage(_announcing)
    await link.say(NopIn(ttt=1, data=b"x"))
    play.inform(await link.is_dropped(12), "it waits for more than 12 seconds")


def _announcing(data: bytes, pdu: Any) -> bytes:
    """A header that says more than comes; and nothing comes after it."""
    if isinstance(pdu, NopIn) and pdu.data:
        return data[:5] + b"\xff\xff\xff" + data[8:BHS_LENGTH]
    return b""


@scenario(
    "DG-10",
    "A PDU that breaks off with its connection is nothing, and the session is recovered.",
    _CONNECTION,
    Drive.RECOVER,
    stimulus=Stimulus.FAULT,
    needs={Ability.RECOVERS},
    mutants=("recovery-none",),
)
async def cut_in_the_middle(play: Play) -> None:
    link = await play.session()
    data = await link.take(DataIn, where=lambda pdu: len(pdu.data) > 100)
    link.damage(lambda raw, pdu: raw[: len(raw) // 2] if isinstance(pdu, DataIn) else raw)
    await link.forward(data)
    await link.close()
    await play.expect_connection("it does not come back", 20)
    ending = await play.ending()
    play.check(ending.how is not How.WRONG_DATA, str(ending))


@scenario(
    "DG-11",
    "However the stream is cut, PDUs are understood.",
    _ANY_CUT,
    Drive.SMALL_WRITE,
)
async def small_segments(play: Play) -> None:
    link = await play.session()
    link.segment = 1
    await link.see(ScsiResponse)
    link.segment = None
    pings = [ping(ttt=tag) for tag in range(1, 65)]
    for each in pings:
        link.numbers.own(each)
    await link.write(b"".join(bytes(piece) for each in pings for piece in encode(each)))
    answers = 0
    while answers < len(pings):
        await link.take(NopOut, within=5)
        answers += 1
    play.inform(True, "")
    ending = await play.ending()
    play.inform(ending.survived, str(ending))
