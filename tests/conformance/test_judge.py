from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.conversations import (
    CONVERSATIONS,
    digests,
    pings,
    reads,
    slow_login,
    text,
    writes,
)
from tests.conformance.talk import Talk
from trioscsi.conformance import Finding, Judge, Level, Verdict
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.verdicts import KEPT
from trioscsi.pdu import NopOut, ScsiResponse, encode
from trioscsi.text import Side

NEVER_PASSED = {"M-43"}
"""Its rule is put to the test by a breach alone."""


@pytest.mark.parametrize("converse", CONVERSATIONS, ids=lambda converse: converse.__name__)
def test_a_conversation_without_fault_is_found_to_have_none(converse):
    talk = converse()
    assert [str(f) for r in talk.judge.end().values() for f in r.findings] == []
    assert talk.failing() == set()


def test_every_monitor_passes_somewhere():
    passed = {
        name
        for converse in CONVERSATIONS
        for name, result in converse().judge.end().items()
        if result.verdict is Verdict.PASS
    }
    assert passed == MONITORS.keys() - NEVER_PASSED


def wire(converse: Any) -> list[tuple[Side, bytes]]:
    """What a conversation on one connection put on the wire."""
    sent: list[tuple[Side, bytes]] = []
    receive = Judge.receive

    def noting(judge: Judge, number: int, sender: Side, data: bytes, now: float = 0.0) -> None:
        sent.append((sender, bytes(data)))
        receive(judge, number, sender, data, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "receive", noting)
        converse()
    return sent


@given(st.sampled_from([writes, reads, pings, text, slow_login, digests]), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_how_the_bytes_are_cut(converse, size):
    judge = Judge()
    number = judge.open()
    for sender, data in wire(converse):
        for start in range(0, len(data), size):
            judge.receive(number, sender, data[start : start + size])
    judge.close(number, Side.INITIATOR)
    found = {name: result.exercised for name, result in judge.end().items()}
    talk = converse()
    talk.close()
    assert found == {name: result.exercised for name, result in talk.judge.end().items()}
    assert not any(result.findings for result in judge.results.values())


@given(st.sampled_from(CONVERSATIONS), st.integers(0, 2**32), st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_goes_over_the_wire_is_judged(converse, seed, data):
    chance = Random(seed)
    judge = Judge()
    number = judge.open()
    for sender, sent in wire(converse):
        stream = bytearray(sent)
        for _ in range(data.draw(st.integers(0, 3))):
            stream[chance.randrange(len(stream))] = chance.randrange(256)
        judge.receive(number, chance.choice([sender] * 9 + [sender.other]), stream)
    judge.close(number, Side.TARGET)
    assert all(len(result.findings) <= KEPT for result in judge.end().values())


@given(
    initial_r2t=st.booleans(),
    immediate=st.booleans(),
    first=st.integers(512, 3000),
    burst=st.integers(512, 3000),
    length=st.integers(1, 9000),
    segment=st.sampled_from([512, 600, 8192]),
    immediate_data=st.integers(0, 8192),
)
@settings(max_examples=150, deadline=None)
def test_a_write_by_the_rules_is_found_to_be_one(
    initial_r2t, immediate, first, burst, length, segment, immediate_data
):
    yes = {True: "Yes", False: "No"}
    talk = Talk().log_in(
        InitialR2T=yes[initial_r2t],
        ImmediateData=yes[immediate],
        FirstBurstLength=str(min(first, burst)),
        MaxBurstLength=str(burst),
    )
    unasked = min(first, burst, length)
    at_once = min(immediate_data, unasked) if immediate else 0
    final = initial_r2t or at_once == unasked
    command = talk.write(length, bytes(at_once), final=final)
    place = at_once
    if not final:
        send(talk, command, place, unasked, segment)
        place = unasked
    number = 0
    while place < length:
        end = min(place + burst, length)
        r2t = talk.r2t(command, end - place, buffer_offset=place, r2t_sn=number, ttt=number)
        send(talk, r2t, place, end, segment)
        place, number = end, number + 1
    talk.answer(ScsiResponse, command)
    assert talk.failing() == set()


def send(talk: Talk, of: Any, start: int, end: int, segment: int) -> None:
    """The data of one sequence, in segments of so many bytes."""
    for number, place in enumerate(range(start, end, segment)):
        stop = min(place + segment, end)
        talk.data(of, stop - place, data_sn=number, buffer_offset=place, final=stop == end)


def test_findings_are_told_as_they_are_made_and_kept_without_their_data():
    told: list[Finding] = []
    judge = Judge(tell=told.append)
    number = judge.open()
    for _ in range(KEPT + 4):
        judge.receive(number, Side.INITIATOR, b"".join(map(bytes, encode(NopOut(data=b"data")))))
    result = judge.end()["M-01"]
    assert len([finding for finding in told if finding.monitor == "M-01"]) == KEPT + 4
    assert (len(result.findings), result.broken[Level.MUST]) == (KEPT, KEPT + 4)
    assert all(not finding.evidence.pdu.data for finding in result.findings)
    assert result.findings[2].evidence.number == 2


def test_only_the_monitors_that_were_asked_for_judge():
    judge = Judge([MONITORS["M-01"]])
    judge.receive(judge.open(), Side.INITIATOR, bytes(48))
    assert judge.end().keys() == {"M-01"}
    assert judge.results["M-01"].verdict is Verdict.FAIL


def test_a_connection_that_is_closed_is_not_looked_at_any_more():
    talk = Talk().log_in()
    talk.close()
    talk.say_bytes(bytes(48))
    talk.close()
    assert talk.failing() == set()


def test_of_a_text_that_cannot_be_read_it_is_not_said_what_it_lacks():
    talk = Talk()
    talk.say(talk.login_request(data=b"InitiatorName=iqn.2025-12.local:a\0TargetName\0"))
    assert talk.failing() == {"M-32"}


def test_nothing_is_read_after_a_damaged_header():
    talk = Talk().log_in(HeaderDigest="CRC32C")
    talk.say_bytes(bytes(104))
    assert talk.result("M-36").exercised == 1
