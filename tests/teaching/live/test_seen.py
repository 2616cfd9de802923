from __future__ import annotations

from tests.teaching.live.wire import cut
from trioscsi.pdu import DataIn, LoginRequest, NopOut, ScsiCommand
from trioscsi.teaching.live.seen import MOST_KEPT, Seen, Shelf


def seen(pdu, number: int = 1) -> Seen:
    return Seen(1, number, 0.0, True, pdu, cut(pdu))


def test_a_pdu_is_told_in_one_line_with_its_bytes():
    message = seen(ScsiCommand(itt=5, cdb=b"\x28" + bytes(15), read=True)).message()
    assert message["summary"].startswith("SCSI Command, READ(10), ITT 0x00000005")
    assert bytes.fromhex(message["header"])[0] == 1
    assert (message["name"], message["title"]) == ("ScsiCommand", "SCSI Command")
    assert message["section"] == "11.3"


def test_a_message_is_made_once():
    one = seen(NopOut(itt=1))
    assert one.message() is one.message()


def test_of_much_data_a_little_is_told_and_a_little_more_kept():
    one = seen(DataIn(itt=5, data=bytes(range(256)) * 16))
    message = one.message()
    assert (len(message["data"]), message["data_length"]) == (128, 4096)
    assert len(one.cut.data) == 512


def test_a_pdu_without_a_task_has_no_tag():
    assert seen(NopOut(itt=0xFFFFFFFF)).message()["itt"] is None


def test_an_explained_pdu_has_all_fields_and_what_is_inside():
    explained = seen(LoginRequest(csg=1, data=b"InitiatorName=iqn.a:b\0")).explained()
    fields = {field["name"]: field for field in explained["fields"]}
    assert fields["csg"]["value"] == "0x01 LOGIN_OPERATIONAL_NEGOTIATION"
    assert (fields["isid"]["byte"], fields["isid"]["width"]) == (8, 48)
    (text,) = explained["contents"]
    assert text["title"] == "Text"
    assert text["rows"][1][:2] == ["InitiatorName", "iqn.a:b"]
    assert explained["wrong"] == []


def test_what_is_wrong_is_said():
    bad = seen(ScsiCommand(itt=1, cdb=b"\xff" + bytes(15))).explained()
    assert bad["wrong"] == ["no command of a disk"]


def test_a_shelf_keeps_the_last_ones():
    shelf = Shelf(most=5 * seen(NopOut(itt=1)).size)
    for number in range(1, 9):
        shelf.put(seen(NopOut(itt=1), number))
    assert [number for number in range(1, 9) if shelf.find(1, number)] == [4, 5, 6, 7, 8]
    assert MOST_KEPT == 4 * 2**20
