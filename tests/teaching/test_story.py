from __future__ import annotations

from collections.abc import Iterable

from tests.teaching.conversation import OWN, PEER, Conversation
from trioscsi.capture import Packet
from trioscsi.pdu import (
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    NopOut,
    TextRequest,
    TextResponse,
    encode,
)
from trioscsi.teaching.story import Began, Commented, Event, Happened, Settled, Spoke, Story


def events(packets: Iterable[Packet], story: Story | None = None) -> list[Event]:
    story = story or Story()
    found = [event for packet in packets for event in story.hear(packet)]
    return found + list(story.finish())


def test_a_login_begins_speaks_and_settles_keys() -> None:
    talk = Conversation()
    talk.log_in("MaxBurstLength=65536")
    story = Story()
    began, request, response, settled = events(talk.packets, story)
    assert isinstance(began, Began)
    assert (began.connection.initiator, began.connection.target) == (PEER, OWN)
    assert isinstance(request, Spoke)
    assert request.line.startswith("Login Request, stage 1 to 3, ITT")
    assert (request.time, request.from_initiator, request.wrong) == (0, True, ())
    assert isinstance(response, Spoke)
    assert (response.time, response.from_initiator) == (10**6, False)
    assert isinstance(settled, Settled)
    assert [(key.name, key.result) for key in settled.keys] == [("MaxBurstLength", "65536")]
    assert settled.rows[1][:3] == ("MaxBurstLength", "initiator: 65536", "65536")
    assert (story.packets, story.connections, story.pdus) == (len(talk.packets), 1, 2)


def test_what_is_wrong_with_a_pdu_is_known() -> None:
    talk = Conversation()
    talk.ask(LogoutRequest(reason=77))
    (spoke,) = (event for event in events(talk.packets) if isinstance(event, Spoke))
    assert spoke.wrong == ("Reason has a reserved value (RFC 7143 section 11.14)",)


def test_comments_belong_to_the_connection_of_their_packet() -> None:
    talk = Conversation()
    other = talk.trace.connect(("192.0.2.3", 1), OWN, OWN)
    talk.ask(NopOut(itt=1))
    talk.tap.note("of the first")
    talk.ask(NopOut(itt=2))
    other.note("of the second")
    other.close()
    comments = [event for event in events(talk.packets) if isinstance(event, Commented)]
    assert [(each.connection.number, each.text) for each in comments] == [
        (1, "of the first"),
        (2, "of the second"),
    ]


def test_a_comment_is_told_though_no_pdu_ends_in_its_packet() -> None:
    talk = Conversation()
    header, data = encode(NopOut(data=b"abcd"))
    talk.tap.received(header)
    talk.tap.note("half of it")
    talk.tap.received(data)
    talk.tap.note("all of it")
    talk.tap.close()
    kinds = [type(event) for event in events(talk.packets)]
    assert kinds == [Began, Commented, Spoke, Commented]


def test_what_is_missing_happens_to_a_connection() -> None:
    talk = Conversation()
    talk.log_in()
    for itt in range(3):
        talk.ask(NopOut(itt=itt))
    packets = talk.packets
    del packets[-2]
    happened = [event for event in events(packets) if isinstance(event, Happened)]
    assert [each.text for each in happened] == ["48 bytes are missing in the capture"]


def test_digests_are_those_of_the_login() -> None:
    talk = Conversation()
    talk.log_in("HeaderDigest=CRC32C", "DataDigest=CRC32C")
    for itt in range(2):
        talk.ask(NopOut(itt=itt, data=b"abc"), digests=True)
    spoken = [event for event in events(talk.packets) if isinstance(event, Spoke)]
    assert [event.wrong for event in spoken] == [()] * 4


def test_a_login_that_is_refused_settles_what_was_said() -> None:
    talk = Conversation()
    talk.ask(LoginRequest(data=b"AuthMethod=CHAP\0"))
    talk.answer(LoginResponse(status_class=2))
    (settled,) = (event for event in events(talk.packets) if isinstance(event, Settled))
    assert [key.result for key in settled.keys] == ["no answer"]


def test_a_negotiation_after_the_login_has_a_table_of_its_own() -> None:
    talk = Conversation()
    talk.log_in("MaxBurstLength=65536")
    talk.ask(TextRequest(final=True, data=b"SendTargets=All\0"))
    talk.answer(TextResponse(final=True, data=b"TargetName=iqn.a:b\0"))
    tables = [event.rows for event in events(talk.packets) if isinstance(event, Settled)]
    assert [[row[0] for row in rows[1:]] for rows in tables] == [
        ["MaxBurstLength"],
        ["SendTargets", "TargetName"],
    ]


def test_packets_of_others_are_counted() -> None:
    story = Story()
    assert events([Packet(0, 1, bytes(60))], story) == []
    assert (story.packets, story.others, story.connections, story.pdus) == (1, 1, 0, 0)
