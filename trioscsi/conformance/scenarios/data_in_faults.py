"""DI, what no target may do: data that are not as they have to be (RFC 7143 section 7.9)."""

from __future__ import annotations

from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.readings import (
    reading,
)
from trioscsi.conformance.bench.scenario import Drive, Scenarios, Stimulus
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import DataIn

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_SEGMENT = Rule("7143-11.7.1-1", Level.NOTE)
_MISSING = Rule("7143-7.9-1")
_IN_ORDER = Rule("7143-13.19-1", Level.NOTE)
_WITHIN = Rule("7143-11.7.6-1", Level.NOTE)
_FORMAT = Rule("7143-7.7-1", Level.NOTE)
_TAGS = Rule("7143-4.2.5.3-1")


@scenario(
    "DI-07",
    "A segment that is longer than the initiator has declared overruns nothing.",
    _SEGMENT,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    initiator={"max_recv_data_segment_length": 4096},
)
async def segment_too_long(play: Play) -> None:
    link = await play.session()
    most = link.parameters.initiator_max_recv_data_segment_length
    pdu = await link.take(DataIn, where=lambda pdu: len(pdu.data) == most and not pdu.final)
    more = await link.take(DataIn, where=lambda other: other.itt == pdu.itt)
    pdu.data = bytes(pdu.data) + bytes(more.data)
    pdu.final = more.final
    await link.say(pdu)
    await play.expect_survival("a segment that is too long does harm")


@scenario(
    "DI-08",
    "A read of which one Data-In is missing does not pass for a good one.",
    _MISSING,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("data-missed",),
)
async def gap(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(4)
    await found.link.say(*pdus[:1], *pdus[2:], found.status(len(pdus)))
    await play.expect_no_success(
        found.link, found.command, "a read succeeds although a Data-In is missing"
    )


@scenario(
    "DI-10",
    "Data-In that come as 1, 0, 2 are handled as if one were lost.",
    _MISSING,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("data-in-any-number",),
)
async def reordered(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(4)
    pdus[0].data_sn, pdus[1].data_sn = 1, 0
    await found.say(pdus)
    await play.expect_no_success(
        found.link, found.command, "a read succeeds although DataSN is out of order"
    )


@scenario(
    "DI-11",
    "A status that counts more Data-In than have come tells of missing data.",
    _MISSING,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("data-uncounted",),
)
async def count_too_high(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(3)
    await found.link.say(*pdus, found.status(len(pdus) + 1))
    await play.expect_no_success(
        found.link, found.command, "a read succeeds although ExpDataSN says that data are missing"
    )


@scenario(
    "DI-13",
    "Data that overlap others, and leave a hole, do not pass for good ones.",
    _IN_ORDER,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("data-beside",),
)
async def overlap(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(4)
    pdus[2].buffer_offset -= 4
    await found.say(pdus)
    await play.expect_no_success(found.link, found.command, "data that overlap are taken")


@scenario(
    "DI-14",
    "Data beyond what a command expects overrun nothing.",
    _WITHIN,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("data-beyond",),
)
async def beyond_the_end(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(2)
    pdus[-1].final = False
    end = found.command.expected_data_transfer_length
    pdus.append(found.piece(end, 0, len(pdus), data=bytes(512), final=True))
    await found.say(pdus)
    play.inform(await found.link.is_dropped(2), "the session goes on")
    await play.expect_survival("data beyond the end do harm")


@scenario(
    "DI-16",
    "A Data-In with a status and without F is a format error, which ends the session.",
    _FORMAT,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("status-without-f",),
)
async def status_without_final(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(2)
    found.with_status(pdus[-1]).final = False
    await found.link.say(*pdus)
    await play.expect_end(found.link, "the connection goes on", within=1)
    if found.link.is_open:
        await found.link.say(found.status(len(pdus)))


@scenario(
    "DI-17",
    "Data with a tag that nothing has go to no task.",
    _TAGS,
    Drive.READ,
    stimulus=Stimulus.BREACH,
    mutants=("data-in-astray", "stray-panic"),
)
async def unknown_tag(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(2)
    stray = found.piece(0, 0, 0, itt=found.command.itt ^ 0x1000, data=bytes(len(pdus[0].data)))
    await found.link.say(stray)
    ended = await found.link.is_ended(1)
    play.inform(not ended, "the session ends, and all its tasks")
    if found.link.is_open:
        await found.say(pdus)
    await play.expect_survival("data with an unknown tag do harm")


@scenario(
    "DI-18",
    "Data that come after the status of their command do no harm.",
    Rule("7143-4.2.5.3-1", Level.NOTE),
    Drive.READ,
    stimulus=Stimulus.BREACH,
)
async def data_after_status(play: Play) -> None:
    found = await reading(play)
    pdus = found.cut_into(2)
    late = found.piece(0, 0, len(pdus), data=bytes(len(pdus[0].data)), final=True)
    await found.link.say(*pdus)
    await found.link.say(found.status(len(pdus)), late, together=True)
    await play.expect_survival("data after the status do harm")
