from __future__ import annotations

import pytest

from tests.teaching.conversation import OWN, Conversation
from trioscsi.machines import MACHINES
from trioscsi.pdu import LoginRequest, LoginResponse, LogoutRequest, NopIn, NopOut, encode
from trioscsi.teaching.fields import Explained, Part
from trioscsi.teaching.rungs import Kind, Sequence
from trioscsi.teaching.story import Story


def sequence(talk: Conversation, *only: int, most: int = 500) -> Sequence:
    story, found = Story(), Sequence(only, most)
    for packet in talk.packets:
        for event in story.hear(packet):
            found.hear(event)
    for event in story.finish():
        found.hear(event)
    return found


def test_a_pdu_is_its_headline_and_its_numbers() -> None:
    talk = Conversation()
    talk.log_in()
    talk.ask(NopOut(itt=7, data=b"abc"))
    talk.answer(NopIn(itt=7))
    said = [rung for rung in sequence(talk).rungs if rung.kind is Kind.SAID]
    assert [rung.from_initiator for rung in said] == [True, False, True, False]
    assert said[2].lines == ("NOP-Out", "ITT 0x00000007, CmdSN 0, ExpStatSN 0, 3 bytes")
    assert said[2].time == 2 * 10**6
    assert "Initiator Task Tag: 0x00000007. " in said[2].tip


def test_what_is_wrong_stays_with_its_pdu() -> None:
    talk = Conversation()
    talk.ask(LogoutRequest(reason=77))
    (rung,) = (rung for rung in sequence(talk).rungs if rung.kind is Kind.SAID)
    assert rung.wrong == ("Reason has a reserved value (RFC 7143 section 11.14)",)


def test_a_transition_is_where_it_leads_and_the_rest_is_its_tip() -> None:
    talk = Conversation()
    talk.log_in()
    row = MACHINES["connection"].transitions[0]
    talk.tap.moved(row)
    talk.tap.note("x" * 100)
    talk.ask(NopOut())
    comments = [rung for rung in sequence(talk).rungs if rung.kind is Kind.COMMENT]
    assert [rung.lines for rung in comments] == [
        (f"connection {row.label}: {row.source} -> {row.target}",),
        ("x" * 61 + "...",),
    ]
    assert MACHINES["connection"].inputs[row.cause] in comments[0].tip


def test_what_was_negotiated_is_one_rung() -> None:
    talk = Conversation()
    talk.log_in("MaxBurstLength=65536", "HeaderDigest=None")
    (settled,) = (rung for rung in sequence(talk).rungs if rung.kind is Kind.SETTLED)
    assert settled.lines == ("MaxBurstLength: 65536", "HeaderDigest: None")


def test_the_first_connection_that_speaks_is_taken_unless_others_are_asked_for() -> None:
    talk = Conversation()
    for itt, host in ((77, "192.0.2.3"), (78, "192.0.2.4")):
        tap = talk.trace.connect((host, 1), OWN, OWN)
        tap.received(*encode(LoginRequest(itt=itt)))
        tap.close()
    talk.tap.close()
    assert list(sequence(talk).connections) == [2]
    assert sequence(talk).ends == ("192.0.2.3:1", "192.0.2.2:3260")
    assert list(sequence(talk, 3).connections) == [3]
    assert sequence(talk, 2, 3).ends[0] == "192.0.2.3:1, 192.0.2.4:1"
    assert list(sequence(talk, 9).connections) == []


def test_of_several_connections_each_pdu_has_its_number() -> None:
    talk = Conversation()
    talk.log_in()
    tap = talk.trace.connect(("192.0.2.3", 1), OWN, OWN)
    tap.received(*encode(LoginRequest()))
    tap.close()
    alone = sequence(talk, 1)
    assert not any(rung.kind is Kind.BEGAN for rung in alone.shown())
    assert alone.shown()[0].lines[0] == "Login Request, stage 1 to 3"
    both = sequence(talk, 1, 2).shown()
    assert both[0].lines == ("connection 1: 192.0.2.1:50000 --> 192.0.2.2:3260",)
    assert both[-1].lines[0] == "(2) Login Request, stage 0"


def test_a_long_conversation_is_cut_and_counted() -> None:
    talk = Conversation()
    talk.log_in()
    for itt in range(20):
        talk.ask(NopOut(itt=itt))
    found = sequence(talk, most=5)
    assert (len(found.rungs), found.left_out) == (5, 18)


def test_what_there_is_no_room_for_is_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Explained] = []
    parts = Explained.parts.fget
    assert parts is not None

    def counted(explained: Explained) -> tuple[Part, ...]:
        told.append(explained)
        return parts(explained)

    monkeypatch.setattr(Explained, "parts", property(counted))
    talk = Conversation()
    for itt in range(20):
        talk.ask(NopOut(itt=itt))
    assert sequence(talk, most=5).left_out == 16
    assert len(told) == 4


def test_what_each_side_declares_for_itself_is_told_apart() -> None:
    talk = Conversation()
    own, others = (b"MaxRecvDataSegmentLength=%d\0" % length for length in (512, 1024))
    talk.ask(LoginRequest(transit=True, csg=1, nsg=3, data=own))
    talk.answer(LoginResponse(transit=True, csg=1, nsg=3, data=others))
    (settled,) = (rung for rung in sequence(talk).rungs if rung.kind is Kind.SETTLED)
    assert settled.lines == (
        "MaxRecvDataSegmentLength of the initiator: 512",
        "MaxRecvDataSegmentLength of the target: 1024",
    )
