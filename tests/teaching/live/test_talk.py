from __future__ import annotations

import json

from tests.teaching.live.wire import KEYS, PEER, PORTAL, Wire, of
from trioscsi.lun import encode as encode_lun
from trioscsi.machines.session import machine as session_machine
from trioscsi.pdu import (
    DataIn,
    DataOut,
    LoginRequest,
    LoginResponse,
    NopOut,
    ReadyToTransfer,
    ScsiCommand,
    ScsiResponse,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)
from trioscsi.teaching.live.talk import shown
from trioscsi.teaching.splitting import Cut
from trioscsi.text import encode as encode_text

READ = b"\x28" + bytes(15)


def command(itt: int = 5, unit: int = 0, **more: object) -> ScsiCommand:
    fields = {"cdb": READ, "read": True, "expected_data_transfer_length": 512} | more
    return ScsiCommand(itt=itt, lun=encode_lun(unit), **fields)


def states(wire: Wire, said: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(task["itt"], task["state"]) for task in of(said, "task")]


def test_a_login_names_the_session():
    wire = Wire()
    heard = wire.listen()
    wire.log_in()
    first, last = of(heard.take(), "session")
    assert (first["initiator"], first["target"]) == ("iqn.a:b", "iqn.c:d")
    assert (first["tsih"], last["tsih"]) == (0, 7)
    assert first["kind"] == "Normal"
    (connection,) = wire.feed.hello()["connections"]
    assert connection["session"] == first["session"] == 1


def test_the_keys_of_a_login_are_told_with_their_results():
    wire = Wire()
    heard = wire.listen()
    wire.log_in(KEYS | {"HeaderDigest": "CRC32C,None"}, {"HeaderDigest": "CRC32C"})
    (keys,) = of(heard.take(), "keys")
    row = next(row for row in keys["rows"] if row["key"] == "HeaderDigest")
    assert row == {
        "key": "HeaderDigest",
        "by": "initiator",
        "offered": "CRC32C,None",
        "answered": "CRC32C",
        "rule": "the first offered that both know",
        "result": "CRC32C",
        "section": "13.1",
    }
    assert row in wire.feed.hello()["connections"][0]["keys"]
    assert (wire.talk.digests.header, wire.talk.digests.data) == (True, False)


def test_keys_that_come_in_parts_are_put_together():
    wire = Wire()
    text = encode_text(KEYS.items())
    wire.say(
        LoginRequest(continue_=True, csg=1, data=text[:20]),
        LoginResponse(csg=1),
        LoginRequest(transit=True, csg=1, nsg=3, data=text[20:]),
    )
    (session,) = wire.feed.hello()["sessions"]
    assert session["initiator"] == "iqn.a:b"


def test_what_answers_send_targets_is_told_and_not_kept():
    wire = Wire()
    wire.log_in({"InitiatorName": "iqn.a:b", "SessionType": "Discovery"})
    heard = wire.listen()
    before = wire.feed.hello()["connections"][0]["keys"]
    wire.say(
        TextRequest(final=True, itt=1, data=b"SendTargets=All\0"),
        TextResponse(final=True, itt=1, data=b"TargetName=iqn.c:d\0TargetAddress=192.0.2.2,1\0"),
    )
    (keys,) = of(heard.take(), "keys")
    assert [row["key"] for row in keys["rows"]] == ["SendTargets", "TargetName", "TargetAddress"]
    assert wire.feed.hello()["connections"][0]["keys"] == before


def test_secrets_are_veiled_wherever_they_could_be_seen():
    wire = Wire()
    heard = wire.listen()
    wire.say(
        LoginRequest(csg=0, data=encode_text((KEYS | {"AuthMethod": "CHAP"}).items())),
        LoginResponse(csg=0, data=b"AuthMethod=CHAP\0"),
        LoginRequest(csg=0, data=b"CHAP_A=5\0"),
        LoginResponse(csg=0, data=b"CHAP_A=5\0CHAP_I=1\0CHAP_C=0x1234567890\0"),
        LoginRequest(csg=0, data=b"CHAP_N=user\0CHAP_R=0x6789abcdef\0"),
    )
    said = json.dumps([heard.take(), wire.feed.hello(), wire.feed.explain(1, 5)])
    assert "CHAP_R" in said
    for secret in ("1234567890", "6789abcdef", b"1234567890".hex(), b"6789abcdef".hex()):
        assert secret not in said


def test_secrets_of_a_second_login_are_veiled_too():
    wire = Wire()
    wire.log_in()
    wire.listen()
    wire.say(LoginRequest(csg=0, data=b"CHAP_N=user\0CHAP_R=0x6789abcdef\0"))
    said = json.dumps(wire.feed.explain(1, 3))
    assert "CHAP_R" in said
    assert "6789abcdef" not in said


def test_a_command_is_followed_to_its_status():
    wire = Wire()
    wire.log_in()
    heard = wire.listen()
    wire.say(command())
    wire.now += 0.25
    wire.say(DataIn(itt=5, final=True, has_status=True, data=bytes(512)))
    began, ended = of(heard.take(), "task")
    assert (began["name"], began["lun"], began["reads"]) == ("READ(10)", 0, 512)
    assert (began["state"], began["ended"]) == ("EXECUTING", None)
    assert (ended["state"], ended["status"]) == ("RESPONDED", "GOOD")
    assert ended["ended"] - ended["began"] == 0.25


def test_a_write_receives_until_what_was_asked_for_is_there():
    wire = Wire()
    wire.log_in()
    heard = wire.listen()
    wire.say(
        command(cdb=b"\x2a" + bytes(15), read=False, write=True),
        ReadyToTransfer(itt=5, ttt=1, desired_data_transfer_length=256),
        DataOut(itt=5, ttt=1, final=False, data=bytes(128)),
        DataOut(itt=5, ttt=1, final=True, data=bytes(128)),
        ScsiResponse(itt=5, status=2),
    )
    said = heard.take()
    assert [task["state"] for task in of(said, "task")] == [
        "EXECUTING",
        "RECEIVING",
        "EXECUTING",
        "RESPONDED",
    ]
    assert of(said, "task")[-1]["status"] == "CHECK_CONDITION"


def test_unsolicited_data_is_received_too():
    wire = Wire()
    wire.log_in()
    heard = wire.listen()
    wire.say(
        command(cdb=b"\x2a" + bytes(15), read=False, write=True, final=False),
        DataOut(itt=5, final=True, data=bytes(512)),
    )
    assert [task["state"] for task in of(heard.take(), "task")] == ["RECEIVING", "EXECUTING"]


def test_an_abort_ends_the_task_when_it_is_answered():
    wire = Wire()
    wire.log_in()
    heard = wire.listen()
    abort = TaskManagementRequest(function=TaskFunction.ABORT_TASK, itt=9, referenced_task_tag=5)
    wire.say(command(5), command(6), abort)
    assert len(wire.feed.hello()["connections"][0]["tasks"]) == 2
    wire.say(TaskManagementResponse(itt=9, response=0))
    assert states(wire, heard.take())[-1] == ("0x00000005", "ABORTED")
    (left,) = wire.feed.hello()["connections"][0]["tasks"]
    assert left["itt"] == "0x00000006"


def test_an_abort_that_is_refused_ends_nothing():
    wire = Wire()
    wire.log_in()
    abort = TaskManagementRequest(function=TaskFunction.ABORT_TASK, itt=9, referenced_task_tag=5)
    wire.say(command(5), abort, TaskManagementResponse(itt=9, response=255))
    assert list(wire.talk.tasks) == [5]


def test_a_reset_of_a_unit_ends_its_tasks_on_all_connections_of_the_session():
    wire = Wire()
    wire.log_in()
    first = wire.talk
    wire.say(command(5), command(6, unit=1))
    wire.talk = wire.feed.open(PEER, PORTAL)
    wire.log_in(tsih=7)
    reset = TaskManagementRequest(function=TaskFunction.LOGICAL_UNIT_RESET, itt=9)
    wire.say(command(7), reset, TaskManagementResponse(itt=9))
    assert (list(first.tasks), list(wire.talk.tasks)) == ([6], [])


def test_transitions_come_with_label_cause_section_and_sentence():
    wire = Wire()
    heard = wire.listen()
    wire.move("connection", "T3")
    assert heard.take() == [
        {
            "type": "transition",
            "at": 1000.0,
            "connection": 1,
            "machine": "connection",
            "label": "T3",
            "from": "FREE",
            "to": "XPT_UP",
            "cause": "transport_connected",
            "section": "8.1",
            "sentence": "A valid transport connection was accepted.",
            "effects": ["Give the initiator a bounded time to log in."],
        }
    ]
    assert wire.feed.hello()["connections"][0]["states"] == {"connection": "XPT_UP"}


def test_states_are_kept_while_nobody_listens():
    wire = Wire()
    wire.move("connection", "T3", "T4")
    wire.log_in()
    wire.move("session", "N1", "N2")
    wire.move("connection", "T3", "T4", "T5")
    hello = wire.feed.hello()
    assert hello["connections"][0]["states"]["connection"] == "LOGGED_IN"
    assert hello["sessions"][0]["state"] == "LOGGED_IN"


def test_a_pdu_that_changes_nothing_is_no_transition():
    wire = Wire()
    wire.move("full_feature", "normal")
    heard = wire.listen()
    wire.move("full_feature", "normal", "hear")
    assert len(of(heard.take(), "transition")) == 1


def test_a_refusal_is_a_note():
    wire = Wire()
    heard = wire.listen()
    wire.talk.note("refused: not yours")
    wire.talk.note("the initiator closed the connection")
    assert [(note["refused"], note["text"]) for note in heard.take()] == [
        (True, "not yours"),
        (False, "the initiator closed the connection"),
    ]


def test_a_connection_that_is_closed_ends_its_tasks_and_is_forgotten():
    wire = Wire()
    wire.log_in()
    wire.say(command(5))
    heard = wire.listen()
    wire.talk.close("closed by the initiator")
    wire.talk.close("twice")
    task, closed = heard.take()
    assert (task["state"], closed["type"], closed["how"]) == (
        "ABORTED",
        "closed",
        "closed by the initiator",
    )
    hello = wire.feed.hello()
    assert (hello["connections"], hello["sessions"]) == ([], [])


def test_a_connection_that_waits_for_cleanup_is_kept_until_that_is_over():
    wire = Wire()
    wire.log_in()
    wire.move("session", "N1", "N2", "N5")
    wire.move("connection", "T3", "T4", "T5", "T15")
    wire.talk.close("broken off")
    assert wire.feed.hello()["connections"][0]["closed"]
    wire.move("cleanup", "M1")
    hello = wire.feed.hello()
    assert hello["connections"] == []
    assert hello["sessions"][0]["state"] == "FAILED"
    # The session's end is told by the connection that it had last.
    heard = wire.listen()
    wire.talk.moved(next(row for row in session_machine.transitions if row.label == "N6"))
    assert [each["type"] for each in heard.take()] == ["transition", "session"]
    assert wire.feed.hello()["sessions"] == []


def test_bytes_that_are_no_pdu_are_told_as_such():
    wire = Wire()
    heard = wire.listen()
    wire.say(NopOut(itt=1))
    bad = b"\x3e" + bytes(47)
    wire.talk.hear(Cut(bad, b"", 0), from_initiator=True)
    good, other = heard.take()
    assert (good["name"], other["name"], other["title"]) == ("NopOut", "", "no PDU")
    explained = wire.feed.explain(1, 2)
    assert explained is not None
    assert explained["wrong"] == ["no PDU has the opcode 0x3e (RFC 7143 section 11.2.1.2)"]


def test_addresses_read_as_users_write_them():
    assert shown(("192.0.2.1", 1)) == "192.0.2.1:1"
    assert shown(("::1", 1)) == "[::1]:1"
