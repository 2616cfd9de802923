from __future__ import annotations

from typing import Any

from tests.initiator.pair import logged_in, reading
from trioscsi.initiator.deviations import (
    Alter,
    Deviation,
    changing,
    dropping,
    following,
    repeating,
)
from trioscsi.pdu import NopIn, NopOut, ScsiCommand, encode


def sent(alter: Alter) -> list[Any]:
    """What an initiator sends for a command and for a ping that it has to answer."""
    deviation = Deviation(id="x", section="11.3", says="Does what the test wants.", alter=alter)
    script = logged_in(deviation=deviation)
    return script.request(reading(0, 4)) + script.say(NopIn(ttt=5))


def test_fields_are_changed_to_a_value_or_to_what_a_function_makes_of_the_pdu():
    command, answer = sent(changing(ScsiCommand, lun=7, itt=lambda pdu: pdu.itt + 100))
    assert (command.lun, command.itt) == (7, 102)
    assert answer.ttt == 5


def test_a_condition_chooses_among_the_pdus_of_a_class():
    command, _ = sent(changing(ScsiCommand, when=lambda pdu: pdu.write, lun=7))
    assert command.lun == 0


def test_pdus_are_dropped():
    assert [type(pdu) for pdu in sent(dropping(NopOut))] == [ScsiCommand]
    assert [type(pdu) for pdu in sent(dropping(NopOut, when=lambda pdu: pdu.itt == 0))] == [
        ScsiCommand,
        NopOut,
    ]


def test_pdus_are_repeated_and_the_second_may_differ():
    first, second, _ = sent(repeating(ScsiCommand, lun=3))
    assert (first.lun, second.lun) == (0, 3)
    assert first.itt == second.itt


def test_something_follows():
    command, extra, _ = sent(following(ScsiCommand, by=lambda pdu, _: NopOut(itt=pdu.itt)))
    assert isinstance(extra, NopOut)
    assert extra.itt == command.itt


def test_bytes_are_changed_where_they_leave():
    deviation = Deviation(
        id="x",
        section="11.2",
        says="Sets a reserved bit.",
        wire=lambda data, pdu: b"\x80" + data[1:] if isinstance(pdu, NopOut) else data,
    )
    script = logged_in(deviation=deviation)
    notice = NopIn(ttt=5)
    script.number(notice)
    script.feed(b"".join(map(bytes, encode(notice))))
    (answer,) = script.connection.take_output()
    assert (answer[0], len(answer)) == (0x80, 48)


def test_what_comes_may_be_heard_otherwise():
    deviation = Deviation(
        id="x",
        section="11.19",
        says="Does not hear pings.",
        hears=dropping(NopIn, when=lambda pdu: pdu.ttt == 5),
    )
    script = logged_in(deviation=deviation)
    assert script.say(NopIn(ttt=5)) == []
    assert [pdu.ttt for pdu in script.say(NopIn(ttt=6))] == [6]


def test_what_is_said_in_a_login_may_differ():
    deviation = Deviation(
        id="x",
        section="13.2",
        says="Wants many connections.",
        pair=lambda name, value: [(name, "7" if name == "MaxConnections" else value)],
    )
    script = logged_in(deviation=deviation)
    said = {each.name: each.value for each in script.connection.said}
    assert said["MaxConnections"] == "7"
