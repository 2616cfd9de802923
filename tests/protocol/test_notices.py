from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Gate, Peer, connect, login
from tests.requirements import requirement
from trioscsi.pdu import (
    AsyncEvent,
    AsyncMessage,
    NopIn,
    NopOut,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)
from trioscsi.protocol import View
from trioscsi.text import Offer, decode

OTHER = b"other!"
LUN_1 = 1 << 48
FAST = {"TaskReporting": "FastAbort"}
REPORTING = ("FastAbort", "ResponseFence", "RFC3720")


def notices(pdus: list[Any]) -> list[AsyncMessage]:
    return [pdu for pdu in pdus if isinstance(pdu, AsyncMessage)]


@pytest.fixture
def gate() -> Gate:
    return Gate(Offer(task_reporting=REPORTING))


def reset(peer: Peer, function: TaskFunction = TaskFunction.LOGICAL_UNIT_RESET) -> list[Any]:
    return peer.send(peer.request(TaskManagementRequest, function=function, immediate=True))


@requirement("7143-4.2.6-2")
def test_a_session_that_is_dropped_is_told_so_first(gate: Gate):
    peer = login(gate, keys={"DefaultTime2Wait": "7"})
    peer.connection.drop_session("the target stops")
    (notice,) = peer.receive()
    assert notice.async_event == AsyncEvent.SESSION_DROP
    assert (notice.parameter1, notice.parameter2, notice.parameter3) == (0, 7, 0)
    assert peer.connection.closed


@requirement("7143-4.2.6-2")
def test_a_connection_that_does_not_log_out_is_told_that_it_is_dropped(gate: Gate):
    peer = login(gate, cid=9)
    peer.connection.ask_for_logout(0.0)
    (wanted,) = peer.receive()
    assert (wanted.async_event, wanted.parameter3) == (AsyncEvent.LOGOUT_REQUEST, 10)
    (drops,) = peer.pass_time(10.0)
    assert drops.async_event == AsyncEvent.CONNECTION_DROP
    assert (drops.parameter1, drops.parameter2, drops.parameter3) == (9, 2, 0)
    assert peer.connection.closed


def test_a_cold_reset_tells_every_session_that_it_is_dropped(gate: Gate):
    other, peer = login(gate, isid=OTHER), login(gate)
    answer, notice = reset(peer, TaskFunction.TARGET_COLD_RESET)
    assert isinstance(answer, TaskManagementResponse)
    assert notice.async_event == AsyncEvent.SESSION_DROP
    assert [each.async_event for each in notices(other.receive())] == [AsyncEvent.SESSION_DROP]


@requirement("7143-11.11.1-4")
def test_an_initiator_can_be_asked_to_negotiate_anew(gate: Gate):
    peer = login(gate)
    gate.target.offer = Offer(max_recv_data_segment_length=512_000, target_alias="new")
    peer.connection.ask_for_negotiation(0.0)
    (notice,) = peer.receive()
    assert (notice.async_event, notice.parameter3) == (AsyncEvent.NEGOTIATION_REQUEST, 30)
    (response,) = peer.send(peer.request(TextRequest, final=True, immediate=False))
    assert isinstance(response, TextResponse)
    assert dict(decode(bytes(response.data))) == {
        "TargetAlias": "new",
        "MaxRecvDataSegmentLength": "512000",
    }
    assert peer.connection.framer.max_data_segment_length == 512_000


def test_a_shorter_length_still_lets_in_what_is_on_its_way(gate: Gate):
    peer = login(gate)
    before = peer.connection.framer.max_data_segment_length
    gate.target.offer = Offer(max_recv_data_segment_length=1024)
    peer.send(peer.request(TextRequest, final=True, immediate=False))
    assert peer.connection.parameters.target_max_recv_data_segment_length == 1024
    assert peer.connection.framer.max_data_segment_length == before


@pytest.mark.parametrize("keys", [FAST, {}])
@requirement("7143-4.2.3.4-3")
@requirement("7143-4.2.3.4-4")
@requirement("7143-11.9.1-4")
@requirement("7143-11.19-4")
@requirement("7143-13.23-2")
def test_tasks_that_others_end_are_told_to_initiators_that_abort_fast(
    gate: Gate, keys: dict[str, str]
):
    other, peer = login(gate, isid=OTHER, keys=keys), login(gate)
    gate.disk.lazy = True
    for _ in range(2):
        command = other.reading(0, 4)
        other.careless.add(command.itt)
        other.send(command)
    reset(peer)
    told = notices(other.receive())
    assert [(each.async_event, each.lun) for each in told] == (
        [(AsyncEvent.TASK_TERMINATION, 0)] if keys else []
    )
    # The acknowledgement is no ping: nothing answers it.
    assert other.send(NopOut(immediate=True, cmd_sn=other.cmd_sn, exp_stat_sn=9)) == []


def test_who_has_no_tasks_hears_nothing_of_a_reset(gate: Gate):
    other, peer = login(gate, isid=OTHER, keys=FAST), login(gate, keys=FAST)
    gate.disk.lazy = True
    command = peer.reading(0, 4)
    peer.careless.add(command.itt)
    peer.send(command)
    assert notices(reset(peer)) == []
    assert other.receive() == []


def test_nobody_is_told_anything_before_the_login_has_ended(gate: Gate):
    peer = connect(gate)
    peer.connection.ask_for_negotiation(0.0)
    peer.connection.tasks_end(0)
    peer.connection.drop_session("the target stops")
    assert peer.receive() == []
    assert peer.connection.closed


@requirement("7143-11.9.3-1")
def test_an_event_at_a_unit_goes_to_one_connection_of_a_session_that_sees_it(gate: Gate):
    peer = login(gate)
    session = peer.connection.session
    assert session is not None
    session.notify(LUN_1, b"sense")
    (notice,) = peer.receive()
    assert notice.async_event == AsyncEvent.SCSI_EVENT
    assert (notice.lun, notice.sense) == (LUN_1, b"sense")
    session.view = View({})
    session.notify(LUN_1, b"sense")
    peer.connection.lost("gone", 0.0)
    session.view = View()
    session.notify(LUN_1, b"sense")
    assert peer.receive() == []


@requirement("7143-7.1.4.3-4")
def test_a_connection_that_is_lost_is_told_by_another_of_its_session():
    gate = Gate(Offer(max_connections=2))
    peer = login(gate, keys={"MaxConnections": "2"})
    lost = login(gate, cid=9, tsih=peer.connection.session.tsih)
    gate.disk.lazy = True
    lost.send(lost.reading(0, 4))
    lost.connection.lost("gone", 0.0)
    notice, window = peer.receive()
    assert notice.async_event == AsyncEvent.CONNECTION_DROP
    assert (notice.parameter1, notice.parameter2, notice.parameter3) == (9, 2, 0)
    # Its commands have ended with it, which leaves room for others.
    assert isinstance(window, NopIn)
    assert window.max_cmd_sn == notice.max_cmd_sn + 1


@requirement("7143-7.14-3")
def test_of_a_session_that_is_dropped_no_single_connection_is_told():
    gate = Gate(Offer(max_connections=2))
    first = login(gate, keys={"MaxConnections": "2"})
    second = login(gate, cid=9, tsih=first.connection.session.tsih)
    first.connection.session.drop("the target stops")
    for peer in (first, second):
        (notice,) = peer.receive()
        assert notice.async_event == AsyncEvent.SESSION_DROP
