from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initiator.pair import Script, intent, logged_in, reading, writing
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.events import LoginFailed, SessionFailed
from trioscsi.initiator.rules import Rule
from trioscsi.initiator.session import InitiatorSession
from trioscsi.machines import Transition
from trioscsi.pdu import FROM_TARGET, LoginResponse, NopOut, Pdu, encode


def test_a_transport_that_never_comes_up_is_given_up():
    session = InitiatorSession(intent())
    connection = session.connect(0.0)
    assert connection.take_output() == []
    connection.lost("refused", 0.0)
    assert connection.closed
    assert session.connections == []
    other = session.connect(0.0)
    other.give_up("no patience")
    assert other.closed


def test_who_gives_up_during_the_login_is_told_so():
    script = Script()
    script.connection.give_up("no patience")
    script.feed(b"")
    script.pass_time(0)
    (failure,) = script.happened(LoginFailed)
    assert failure.reason == "no patience"


def test_transitions_are_shown():
    seen: list[Transition] = []
    logged_in(watcher=seen.append)
    labels = [(move.machine, move.label) for move in seen]
    assert ("initiator.connection", "T5") in labels
    assert ("initiator.session", "N1") in labels
    assert ("initiator.login", "operational-full") in labels


def test_bytes_may_come_one_by_one():
    script = Script()
    request = script.said[-1]
    response = LoginResponse(
        transit=True, csg=1, nsg=3, isid=request.isid, itt=request.itt, tsih=1, max_cmd_sn=9
    )
    for byte in b"".join(map(bytes, encode(response))):
        script.feed(bytes([byte]))
    assert script.connection.full_feature


def test_a_lost_transport_is_told_once():
    script = logged_in()
    script.connection.lost("reset", 0.0)
    script.connection.lost("reset", 0.0)
    script.connection.give_up("why not")
    script.pass_time(0)
    assert len(script.happened(SessionFailed)) == 1


FORGETFUL = Deviation(
    id="x",
    section="6.3.5",
    says="Does not close what has failed.",
    breaks=frozenset({Rule.FAILED_IS_LEFT}),
)


def test_a_failed_connection_is_closed_and_says_nothing_when_it_is_replaced():
    script = logged_in()
    script.connection.give_up("silence")
    assert script.connection.closed
    script.session.reinstated()
    assert script.hear() == []


def test_who_does_not_close_it_talks_on_in_it():
    script = logged_in(deviation=FORGETFUL)
    script.connection.give_up("silence")
    script.connection.give_up("silence")
    script.pass_time(0)
    assert len(script.happened(SessionFailed)) == 1
    assert not script.connection.closed
    script.session.reinstated()
    assert [type(pdu) for pdu in script.hear()] == [NopOut]
    assert script.connection.closed


def test_what_is_not_closed_ends_with_its_transport():
    script = logged_in(deviation=FORGETFUL)
    script.connection.give_up("silence")
    script.connection.lost("reset", 0.0)
    assert script.connection.closed
    script.session.reinstated()
    assert script.hear() == []


PDUS = st.sampled_from(FROM_TARGET).flatmap(
    lambda cls: st.builds(
        lambda header, data, tag: _pdu(cls, header, data, tag),
        st.binary(min_size=48, max_size=48),
        st.binary(max_size=40),
        st.sampled_from([None, 2, 3, 4, 0xFFFFFFFF]),
    )
)


def _pdu(cls: type[Pdu], header: bytes, data: bytes, tag: int | None) -> bytes:
    first = bytes([cls.opcode]) + header[1:4] + b"\0" + len(data).to_bytes(3)
    itt = header[16:20] if tag is None else tag.to_bytes(4)
    rest = first + header[8:16] + itt + header[20:24] + bytes(12) + header[36:48]
    return rest + data + bytes(-len(data) % 4)


@given(st.lists(PDUS, max_size=6))
@settings(deadline=None, max_examples=300)
def test_nothing_that_comes_raises(pdus: list[bytes]):
    script = logged_in()
    tasks = [reading(0, 64), writing(0, bytes(64)), reading(0, 8)]
    for task in tasks:
        script.request(task)
    for pdu in pdus:
        script.feed(pdu)
    script.connection.lost("over", 0.0)
    assert all(task.over for task in tasks)


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=200)
def test_no_bytes_during_a_login_raise(data: bytes):
    script = Script()
    script.feed(data)
    script.connection.lost("over", 0.0)
    assert script.connection.closed
