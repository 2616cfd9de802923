from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.peer import READ, WRITE, Gate, Peer, cdb, login
from trioscsi import lun
from trioscsi.errors import UsageError
from trioscsi.pdu import (
    NopIn,
    ReadyToTransfer,
    ScsiCommand,
    TaskFunction,
    TaskManagementRequest,
    TaskResult,
)
from trioscsi.protocol import EVERYTHING, View
from trioscsi.protocol.view import NOWHERE

numbers = st.integers(0, lun.MAXIMUM)


@given(st.dictionaries(numbers, numbers, max_size=8), numbers)
def test_numbers_are_translated_there_and_back(luns: dict[int, int], other: int):
    if len(set(luns.values())) < len(luns):
        with pytest.raises(UsageError, match="under two numbers"):
            View(luns)
        return
    view = View(luns)
    for shown, number in luns.items():
        for field in lun.fields(shown):
            assert view.inward(field) == lun.encode(number)
        for field in lun.fields(number):
            assert view.outward(field) == lun.encode(shown)
        assert view.sees(number)
    if other not in luns:
        assert view.inward(lun.encode(other)) == NOWHERE


def test_without_numbers_everything_is_seen_as_it_is():
    for view in (EVERYTHING, View(read_only=True)):
        assert view.inward(5) == view.outward(5) == 5
        assert view.sees(7)
    assert not EVERYTHING.protects(7)
    assert View(read_only=True).protects(7)


def test_a_sequence_leaves_numbers_as_they_are():
    view = View([3, 5], read_only=[5])
    assert view.luns == {3: 3, 5: 5}
    assert [view.protects(number) for number in (3, 5)] == [False, True]
    assert [view.sees(number) for number in (3, 4)] == [True, False]


@pytest.mark.parametrize("luns", [[-1], [0x4000], {0: 0x4000}])
def test_there_are_no_other_luns(luns: Any):
    with pytest.raises(UsageError, match="a LUN is from 0 to 16383"):
        View(luns)


# In a session: the gate has the unit 0, which this session knows as LUN 5.


@pytest.fixture
def gate() -> Gate:
    gate = Gate()
    gate.view_of_all = View({5: 0})
    return gate


def command(peer: Peer, number: int, operation: int = READ, **fields: Any) -> ScsiCommand:
    wanted = {"read": True} if operation == READ else {"write": True}
    pdu: ScsiCommand = peer.request(
        ScsiCommand,
        lun=lun.encode(number),
        expected_data_transfer_length=4,
        cdb=cdb(operation, 0, 4),
        **wanted,
        **fields,
    )
    return pdu


def test_a_command_gets_to_the_unit_by_the_number_that_the_session_knows(gate: Gate):
    peer = login(gate)
    gate.disk.lazy = True
    for number in (5, 0):
        pdu = command(peer, number)
        peer.careless.add(pdu.itt)
        peer.send(pdu)
    assert [task.lun for task in peer.connection.session.tasks] == [0, NOWHERE]


def test_data_is_asked_for_and_taken_by_the_number_that_the_session_knows(gate: Gate):
    peer = login(gate, keys={"InitialR2T": "Yes", "ImmediateData": "No"})
    pdu = command(peer, 5, WRITE)
    peer.careless.add(pdu.itt)
    (r2t,) = peer.send(pdu)
    assert isinstance(r2t, ReadyToTransfer)
    assert r2t.lun == lun.encode(5)
    wrong = peer.data_outs(pdu.itt, r2t.ttt, lun.encode(0), b"data", 0)
    (reject,) = peer.send(*wrong)
    assert type(reject).__name__ == "Reject"
    peer.send(*peer.data_outs(pdu.itt, r2t.ttt, lun.encode(5), b"data", 0))
    assert gate.disk.store[:4] == b"data"


def test_task_management_is_about_the_unit_whatever_it_is_called(gate: Gate):
    other = login(gate, isid=b"other!")
    gate.view_of_all = EVERYTHING
    peer = login(gate)
    gate.disk.lazy = True
    pdu = command(other, 5)
    other.careless.add(pdu.itt)
    other.send(pdu)
    reset = {"function": TaskFunction.LOGICAL_UNIT_RESET, "immediate": True}
    (answer,) = peer.send(peer.request(TaskManagementRequest, lun=lun.encode(0), **reset))
    assert answer.response == TaskResult.COMPLETE
    assert len(other.connection.session.tasks) == 0
    assert [type(pdu) for pdu in other.receive()] == [NopIn]
    (answer,) = other.send(other.request(TaskManagementRequest, lun=lun.encode(0), **reset))
    assert answer.response == TaskResult.NO_LUN
    (answer,) = other.send(other.request(TaskManagementRequest, lun=lun.encode(5), **reset))
    assert answer.response == TaskResult.COMPLETE
