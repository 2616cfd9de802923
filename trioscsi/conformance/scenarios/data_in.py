"""DI: what is read (RFC 7143 sections 4.2.2.4, 7.9 and 11.7)."""

from __future__ import annotations

from itertools import zip_longest

from trioscsi.conformance.bench.link import Left
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import (
    gather,
    reading,
    reads_blocks,
    take_reading,
)
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios
from trioscsi.conformance.drivers.driver import How
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import DataIn, SnackRequest

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_TAKEN = Rule("7143-11.7-1")
_SEQUENCES = Rule("7143-11.7.1-3")
_EMPTY = Rule("7143-11.7.7-2")
_DECLARED = Rule("7143-13.12-2")
_DUPLICATES = Rule("7143-7.9-2")
_ANY_ORDER = Rule("7143-13.18-1")
_A_IGNORED = Rule("7143-11.7.2-3")
_TAGS = Rule("7143-4.2.5.3-1")

_FAILS = "a read fails"


@scenario(
    "DI-01",
    "Data that come in several PDUs, with the status in one of its own, are all taken.",
    _TAKEN,
    Drive.READ,
    mutants=("data-in-first-only",),
)
async def several_pdus(play: Play) -> None:
    found = await reading(play)
    await found.say(found.cut_into(5))
    await play.expect_success(_FAILS)


@scenario(
    "DI-02",
    "The status of a read may be in its last Data-In.",
    _TAKEN,
    Drive.READ,
    mutants=("data-in-status-missed",),
    unh=("FFP 10.1",),
)
async def status_in_data(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(2)
    await found.link.say(*pdus[:-1], found.with_status(pdus[-1]))
    await play.expect_success(_FAILS)


@scenario(
    "DI-03",
    "Data come in several sequences, each with its own F bit, and DataSN counts on.",
    _SEQUENCES,
    Drive.READ,
    target={"max_burst_length": 4096, "first_burst_length": 4096},
    mutants=("data-in-one-sequence",),
)
async def several_sequences(play: Play) -> None:
    found = await reading(play, 4096 + 512, reads_blocks)
    await found.say(found.cut(*[1024] * (len(found.data) // 1024)))
    await play.expect_success(_FAILS)


@scenario(
    "DI-04",
    "A Data-In without data in the middle of the others does no harm.",
    _EMPTY,
    Drive.READ,
    mutants=("data-in-empty-lost",),
    unh=("FFP 11.1.2",),
)
async def empty_segment(play: Play) -> None:
    found = await reading(play)
    await found.say(found.cut(32, 0))
    await play.expect_success(_FAILS)


@scenario(
    "DI-05",
    "Segments that are no whole words come with padding, which is not data.",
    _TAKEN,
    Drive.READ,
    mutants=("data-in-words",),
)
async def odd_sizes(play: Play) -> None:
    found = await reading(play, 64)
    await found.say(found.cut(1, 3, 511))
    await play.expect_success(_FAILS)


@scenario(
    "DI-06",
    "A segment may be as long as the initiator has declared.",
    _DECLARED,
    Drive.READ,
    initiator={"max_recv_data_segment_length": 8192},
    target={"max_burst_length": 2**24 - 1},
    mutants=("data-in-longest-lost",),
)
async def longest_segment(play: Play) -> None:
    link = await play.session()
    most = link.parameters.initiator_max_recv_data_segment_length
    pdu = await link.see(DataIn, where=lambda pdu: len(pdu.data) == most)
    play.note(f"a segment of {len(pdu.data)} bytes")
    await play.expect_success(_FAILS)


@scenario(
    "DI-09",
    "A Data-In whose DataSN has come before is discarded.",
    _DUPLICATES,
    Drive.READ,
    needs=(Ability.CHECKS_DATA,),
    breaches=(
        "7143-4.2.2.4-2",
        "7143-11.4.5.2-1",
        "7143-11.4.8-1",
        "7143-11.7.1-2",
        "7143-13.19-1",
    ),
    mutants=("data-again",),
)
async def duplicate(play: Play) -> None:
    found = await reading(play, where=reads_blocks)
    pdus = found.cut_into(4)
    other = found.piece(pdus[1].buffer_offset, 0, 1, data=bytes(len(pdus[1].data)))
    await found.link.say(*pdus[:3], other, *pdus[3:], found.status(len(pdus)))
    ending = await play.ended()
    play.check(ending.survived, f"the data of a Data-In that comes twice are taken ({ending})")
    # Session recovery is allowed upon all errors (section 7.1.4.4).
    play.inform(ending.how in (How.DONE, How.UNKNOWN), f"it is not borne ({ending})")


@scenario(
    "DI-12",
    "With DataPDUInOrder=No the data of a sequence may come in any order.",
    _ANY_ORDER,
    Drive.WRITE,
    needs=(Ability.CHECKS_DATA,),
    target={"data_pdu_in_order": False},
    initiator={"data_pdu_in_order": False},
    mutants=("data-in-appended",),
)
async def any_order(play: Play) -> None:
    found = await reading(play, where=reads_blocks)
    if found.link.parameters.data_pdu_in_order:
        await found.goes_on()
        raise NotExercised("it does not agree to DataPDUInOrder=No")
    pdus = found.cut(512, 1024, 512)
    count = next(pdu.data_sn for pdu in pdus if pdu.final) + 1
    mixed = [*reversed(pdus[:count]), *pdus[count:]]
    for data_sn, pdu in enumerate(mixed):
        pdu.data_sn = data_sn
    mixed[0].final, mixed[count - 1].final = count == 1, True
    await found.say(mixed)
    await play.expect_success(_FAILS)


@scenario(
    "DI-15",
    "At error recovery level 0 an A bit is ignored.",
    _A_IGNORED,
    Drive.READ,
    breaches=("7143-11.7.2-1",),
    mutants=("data-in-acknowledged",),
)
async def acknowledgment_is_not_due(play: Play) -> None:
    found = await reading(play)
    if found.link.parameters.error_recovery_level:
        await found.goes_on()
        raise NotExercised("it has negotiated another error recovery level")
    pdus = found.cut_into(3)
    for pdu in pdus:
        pdu.acknowledge, pdu.ttt, pdu.lun = True, 5, found.command.lun
    await found.say(pdus)
    await play.expect_success(_FAILS)
    asked = any(isinstance(pdu, SnackRequest) for pdu in found.link.heard)
    play.check(not asked, "the A bit is answered with a SNACK")


@scenario(
    "DI-19",
    "Data that come slowly are waited for.",
    Rule("7143-11.7-1", Level.NOTE),
    Drive.READ,
    mutants=("impatient",),
)
async def slow_data(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(4)
    try:
        for pdu in pdus:
            await found.link.say(pdu)
            await found.link.run_for(1)
        await found.link.say(found.status(len(pdus)))
    except Left as left:
        play.check(False, f"data that come slowly are not waited for ({left})")
        return
    await play.expect_success("data that come slowly are not waited for")


@scenario(
    "DI-20",
    "The data of several reads may come by turns.",
    _TAGS,
    Drive.PARALLEL_READ,
    mutants=("data-in-astray",),
)
async def reads_by_turns(play: Play) -> None:
    link = await play.session()
    found = []
    for command in await gather(link, 8, reads_blocks):
        await link.forward(command)
        found.append(await take_reading(link, command))
    turns = [each.cut_into(4) for each in found]
    for turn in zip_longest(*turns):
        await link.say(*[pdu for pdu in turn if pdu is not None])
    for each, pdus in zip(found, turns, strict=True):
        await link.say(each.status(len(pdus)))
    await play.expect_success(_FAILS)
