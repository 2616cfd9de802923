from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.teaching.conversation import OWN, READ, Conversation
from trioscsi.capture import Packet
from trioscsi.pdu import (
    AsyncMessage,
    DataIn,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    NopOut,
    Pdu,
    Reject,
    ScsiCommand,
    ScsiResponse,
    TextRequest,
    TextResponse,
    encode,
)
from trioscsi.pdu.sense import join
from trioscsi.scsi.complaints import invalid_field
from trioscsi.teaching.explanation import Ladder, explain_cut, printable, table
from trioscsi.teaching.splitting import Digests, Splitter


def explained(pdu: Pdu, cut: int | None = None) -> str:
    splitter = Splitter(Digests(False, False))
    data = b"".join(encode(pdu))
    cuts = [*splitter.receive(data[:cut]), *splitter.finish()]
    (found,) = cuts
    return "\n".join(explain_cut(found))


def ladder(packets: Iterable[Packet], **settings: object) -> str:
    found = Ladder(**settings)  # type: ignore[arg-type]
    lines = [line for packet in packets for line in found.hear(packet)]
    return "\n".join([*lines, *found.finish()])


def test_a_pdu_is_drawn_and_its_fields_are_told() -> None:
    text = explained(LogoutRequest(itt=5))
    assert text.startswith("Logout Request (RFC 7143 section 11.14)\n\nByte/")
    assert "|.|I|  Opcode   |1|" in text
    assert "Initiator Task Tag  0x00000005" in text
    assert "wrong" not in text


def test_what_is_inside_is_told_too() -> None:
    assert "CDB: READ(10)" in explained(ScsiCommand(read=True, cdb=READ))
    sense = join(invalid_field(2).encode(), b"more")
    for pdu in (ScsiResponse(status=2, data=sense), AsyncMessage(data=sense)):
        text = explained(pdu)
        assert "24h/00h INVALID_FIELD_IN_CDB" in text
        assert "More data: 6d 6f 72 65" in text
    assert "wrong: sense data longer" in explained(ScsiResponse(data=b"\xff\xffab"))
    rejected = bytes(encode(NopOut(itt=7))[0])
    text = explained(Reject(reason=4, data=rejected))
    assert "The rejected header: NOP-Out" in text
    assert "0x00000007" in text
    assert "Data of 100 bytes: " in explained(NopOut(data=bytes(100)))


def test_text_is_a_table() -> None:
    text = explained(TextRequest(data=b"SendTargets=All\0"))
    assert "SendTargets  All    a question  13.3" in text
    text = explained(TextResponse(data=b"TargetName=iqn.a:b\0rest"))
    assert "TargetName  iqn.a:b  declared, no answer  13.4" in text
    assert "wrong: text that does not end with a null" in text


@pytest.mark.parametrize("length", [1, 20, 47, 48, 50])
def test_what_is_cut_is_explained_as_far_as_it_goes(length: int) -> None:
    assert "wrong: " in explained(NopOut(data=b"abcd"), length)


def test_a_table_has_columns_and_a_head() -> None:
    assert list(table([("a", "bc"), ("def", "g")])) == ["  a    bc", "  ---  --", "  def  g"]


def test_a_capture_is_a_ladder_with_numbers() -> None:
    talk = Conversation()
    talk.log_in("MaxBurstLength=65536", "HeaderDigest=None")
    talk.ask(ScsiCommand(read=True, cdb=READ, cmd_sn=5, exp_stat_sn=1, itt=9))
    talk.answer(DataIn(has_status=True, data=bytes(4096), stat_sn=1, itt=9))
    talk.tap.note("a comment")
    talk.answer(ScsiResponse(status=2, data=join(invalid_field(2).encode())))
    text = ladder(talk.packets)
    assert "connection 1: 192.0.2.1:50000 --> 192.0.2.2:3260" in text
    assert "-->  Login Request, stage 1 to 3" in text
    assert "<--  Login Response, SUCCESS" in text
    assert "MaxBurstLength  initiator: 65536  65536" in text
    assert "-->  SCSI Command, READ(10), ITT 0x00000009, CmdSN 5, ExpStatSN 1" in text
    assert "<--  SCSI Data-In, GOOD, ITT 0x00000009, StatSN 1" in text
    assert "CHECK_CONDITION, 5h ILLEGAL_REQUEST 24h/00h INVALID_FIELD_IN_CDB" in text
    assert "* a comment" in text


def test_digests_are_those_of_the_login() -> None:
    talk = Conversation()
    talk.log_in("HeaderDigest=CRC32C", "DataDigest=CRC32C")
    talk.ask(NopOut(itt=1, data=b"abc"), digests=True)
    talk.ask(NopOut(itt=2, data=b"abc"), digests=True)
    text = ladder(talk.packets)
    assert text.count("NOP-Out") == 2
    assert "wrong" not in text


def test_text_over_several_pdus_is_read_as_one() -> None:
    talk = Conversation()
    talk.ask(LoginRequest(continue_=True, csg=1, data=b"MaxBurst"))
    talk.answer(LoginResponse(csg=1))
    talk.ask(LoginRequest(transit=True, csg=1, nsg=3, data=b"Length=65536\0"))
    talk.answer(LoginResponse(transit=True, csg=1, nsg=3, data=b"MaxBurstLength=512\0"))
    assert "MaxBurstLength  initiator: 65536  512" in ladder(talk.packets)


def test_each_pdu_may_be_explained_in_full() -> None:
    talk = Conversation()
    talk.log_in()
    text = ladder(talk.packets, fields=True)
    assert text.count("byte.bit") == 2


def test_one_connection_may_be_chosen() -> None:
    talk = Conversation()
    talk.log_in()
    second = talk.trace.connect(("192.0.2.3", 1), OWN, OWN)
    second.received(*encode(LoginRequest(itt=77)))
    second.close()
    text = ladder(talk.packets, only=2)
    assert "connection 1" not in text
    assert "ITT 0x0000004d" in text


def test_what_is_wrong_is_told_in_the_ladder() -> None:
    talk = Conversation()
    talk.log_in()
    talk.ask(LogoutRequest(reason=77))
    assert "wrong: Reason has a reserved value" in ladder(talk.packets)


def test_gaps_are_told_in_the_ladder() -> None:
    talk = Conversation()
    talk.log_in()
    for itt in range(4):
        talk.ask(NopOut(itt=itt))
    packets = talk.packets
    del packets[-3]
    text = ladder(packets)
    assert "(48 bytes are missing in the capture)" in text
    assert text.count("NOP-Out") == 3


def test_packets_of_others_are_counted() -> None:
    found = Ladder()
    assert list(found.hear(Packet(0, 1, bytes(60)))) == []
    story = found.story
    assert (story.packets, story.others, story.connections) == (1, 1, 0)


@given(st.randoms(use_true_random=False))
def test_no_capture_is_too_odd(random: Random) -> None:
    talk = Conversation()
    talk.log_in("MaxBurstLength=65536", "HeaderDigest=None")
    talk.ask(ScsiCommand(read=True, cdb=READ))
    talk.answer(ScsiResponse(status=2, data=join(invalid_field(2).encode())))
    talk.tap.close()
    packets = []
    for packet in talk.packets:
        data = bytearray(packet.data)
        if random.random() < 0.3:
            for _ in range(5):
                data[random.randrange(len(data))] = random.randrange(256)
        if random.random() < 0.1:
            del data[random.randrange(len(data)) :]
        packets += [attrs.evolve(packet, data=bytes(data))] * random.choice([0, 1, 1, 1, 2])
    random.shuffle(packets)
    ladder(packets, fields=True)


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    assert printable("a\x1b[2Jb\x07") == "a\ufffd[2Jb\ufffd"
    assert printable("a b") == "a b"


def test_additional_header_segments_are_told() -> None:
    command = ScsiCommand(cdb=bytes(range(0x20, 0x40)), bidirectional_read_length=4096)
    text = explained(command)
    assert re.search(r"32\.0 +SCSI Command Descriptor Block +20 21 .* 2f  ", text)
    assert re.search(r"48 +SCSI Command Descriptor Block +30 31 .* 3f +The CDB from", text)
    assert re.search(r"68 +Bidirectional Read Length +4096 +How many bytes .* 11\.2\.2\.4", text)
    unknown = bytearray(b"".join(encode(command)))
    unknown[50] = 9
    (cut,) = Splitter(Digests(False, False)).receive(bytes(unknown))
    assert "AHS type 9" in "\n".join(explain_cut(cut))
