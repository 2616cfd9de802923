from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.teaching.conversation import OWN, READ, Conversation
from trioscsi.machines import MACHINES
from trioscsi.pdu import LoginRequest, LogoutRequest, NopIn, NopOut, ScsiCommand, encode
from trioscsi.teaching.rungs import Sequence
from trioscsi.teaching.sequence import FORMATS, mermaid, svg
from trioscsi.teaching.story import Story

SVG = "{http://www.w3.org/2000/svg}"


def sequence(talk: Conversation, *only: int, most: int = 500) -> Sequence:
    story, found = Story(), Sequence(only, most)
    for packet in talk.packets:
        for event in story.hear(packet):
            found.hear(event)
    for event in story.finish():
        found.hear(event)
    return found


def texts(drawing: str, kind: str = "") -> list[str]:
    """What is written in an SVG, in elements of a class."""
    return [
        each.text or ""
        for each in ET.fromstring(drawing).iter(f"{SVG}text")
        if kind in (each.get("class") or "").split() or not kind
    ]


def talked() -> Conversation:
    talk = Conversation()
    transition = MACHINES["connection"].transitions[0]
    talk.tap.moved(transition)
    talk.log_in("MaxBurstLength=65536", "HeaderDigest=None")
    talk.ask(ScsiCommand(read=True, cdb=READ, itt=9))
    talk.answer(NopIn(itt=3))
    return talk


def test_what_each_side_says_is_an_arrow_from_it_to_the_other() -> None:
    drawing = svg(sequence(talked()))
    paths = [each.get("d") or "" for each in ET.fromstring(drawing).iter(f"{SVG}path")][1:]
    directions = [float(path.split()[0][1:]) < float(path.split()[2][1:]) for path in paths]
    assert directions == [True, False, True, False]


def test_the_mermaid_of_a_conversation() -> None:
    talk = Conversation()
    talk.log_in("HeaderDigest=None")
    talk.ask(NopOut(itt=1, cmd_sn=2, exp_stat_sn=3))
    talk.tap.note("pings; often")
    talk.answer(NopIn(itt=1))
    assert mermaid(sequence(talk)) == (
        "sequenceDiagram\n"
        "    participant I as initiator 192.0.2.1:50000\n"
        "    participant T as target 192.0.2.2:3260\n"
        "    I->>T: Login Request, stage 1 to 3<br>"
        "ITT 0x00000000, CmdSN 0, ExpStatSN 0, 18 bytes\n"
        "    T->>I: Login Response, SUCCESS<br>"
        "ITT 0x00000000, StatSN 0, ExpCmdSN 0, MaxCmdSN 0, 18 bytes\n"
        "    Note over I,T: HeaderDigest: None\n"
        "    I->>T: NOP-Out<br>ITT 0x00000001, CmdSN 2, ExpStatSN 3\n"
        "    T->>I: NOP-In<br>ITT 0x00000001, StatSN 0, ExpCmdSN 0, MaxCmdSN 0\n"
        "    Note right of T: pings#59; often\n"
    )


def test_a_transition_is_told_by_its_label_and_where_it_leads() -> None:
    row = MACHINES["connection"].transitions[0]
    drawing = svg(sequence(talked()))
    assert texts(drawing, "label") == [f"connection {row.label}: {row.source} -> {row.target}"]
    assert MACHINES["connection"].inputs[row.cause] in drawing


def test_what_was_negotiated_is_a_box() -> None:
    written = texts(svg(sequence(talked())), "plain")
    assert written == ["MaxBurstLength: 65536", "HeaderDigest: None"]


def test_the_pointer_tells_the_fields_of_a_pdu() -> None:
    tips = [each.text or "" for each in ET.fromstring(svg(sequence(talked()))).iter(f"{SVG}title")]
    assert any("Initiator Task Tag: 0x00000009. " in tip for tip in tips)


def test_what_is_wrong_is_drawn() -> None:
    talk = Conversation()
    talk.ask(LogoutRequest(reason=77))
    wrong = "wrong: Reason has a reserved value (RFC 7143 section 11.14)"
    assert wrong in texts(svg(sequence(talk)), "wrong")
    assert wrong in mermaid(sequence(talk))


def test_what_is_missing_is_drawn() -> None:
    talk = Conversation()
    talk.ask(NopOut(itt=0))
    header, data = encode(NopOut(data=bytes(100)))
    talk.tap.received(header, data[:10])
    talk.tap.ended(broken=True)
    assert "(the connection is broken off)" in texts(svg(sequence(talk)))
    assert "Note over I,T: the connection is broken off" in mermaid(sequence(talk))


def test_the_first_connection_that_speaks_is_drawn_unless_others_are_asked_for() -> None:
    talk = Conversation()
    second = talk.trace.connect(("192.0.2.3", 1), OWN, OWN)
    third = talk.trace.connect(("192.0.2.4", 1), OWN, OWN)
    second.received(*encode(LoginRequest(itt=77)))
    third.received(*encode(LoginRequest(itt=78)))
    for tap in talk.tap, second, third:
        tap.close()
    assert texts(svg(sequence(talk)), "title") == ["Connection 2"]
    assert texts(svg(sequence(talk, 3)), "title") == ["Connection 3"]
    both = svg(sequence(talk, 2, 3))
    assert texts(both, "title") == ["Connections 2 and 3"]
    assert "(3) Login Request, stage 0" in texts(both)
    assert "connection 3: 192.0.2.4:1 --> 192.0.2.2:3260" in texts(both)


def test_a_long_conversation_is_drawn_in_part_and_says_so() -> None:
    talk = Conversation()
    talk.log_in()
    for itt in range(20):
        talk.ask(NopOut(itt=itt))
    found = sequence(talk, most=5)
    assert "18 more are left out" in texts(svg(found))
    assert "Note over I,T: 18 more are left out" in mermaid(found)


@given(st.text(max_size=80))
def test_no_comment_is_too_odd_for_a_picture(comment: str) -> None:
    talk = Conversation()
    talk.log_in()
    talk.ask(NopOut(itt=1))
    talk.tap.note(comment.encode(errors="replace").decode())
    talk.tap.close()
    found = sequence(talk)
    ET.fromstring(svg(found))
    assert len(mermaid(found).splitlines()) == 7


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_is_the_same_at_every_run(form: str) -> None:
    assert FORMATS[form](sequence(talked())) == FORMATS[form](sequence(talked()))
