from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.protocol.peer import BOTH, CHECK_CONDITION, READ, Gate, Peer, cdb, login
from tests.requirements import requirement
from trioscsi.pdu import DataIn, ScsiCommand, ScsiResponse
from trioscsi.protocol import Task
from trioscsi.text import Offer

BUSY = 8


def open_peer(**keys: str) -> Peer:
    """A peer whose commands wait for the test to answer them."""
    peer = login(Gate(), keys=keys)
    peer.gate.disk.lazy = True
    return peer


def task_of(peer: Peer, command: ScsiCommand) -> Task:
    peer.obey(peer.send(command))
    task = peer.connection.session.tasks.get(command.itt)
    assert task is not None
    return task


def finish(peer: Peer, task: Task, data: Any = b"", *status: Any, **fields: Any) -> list[Any]:
    task.connection.answers.finish(task, data, *status, **fields)
    return peer.receive()


def residual(pdu: Any) -> int:
    """Bytes too many, or negative: too few."""
    return -pdu.residual_count if pdu.underflow else pdu.residual_count


def both(peer: Peer, out: int, in_: int) -> ScsiCommand:
    command = peer.request(
        ScsiCommand,
        read=True,
        write=True,
        expected_data_transfer_length=out,
        bidirectional_read_length=in_,
        cdb=cdb(BOTH, 0, out),
    )
    peer.expect(command, bytes(out))
    return command


def test_good_status_travels_in_the_last_data_in():
    peer = open_peer()
    (answer,) = finish(peer, task_of(peer, peer.reading(0, 4)), b"data")
    assert isinstance(answer, DataIn)
    assert answer.has_status
    assert answer.final
    assert answer.data == b"data"


def of_level_2(**keys: str) -> Peer:
    """A peer that may use what RFC 7144 has added, if it says so."""
    gate = Gate(Offer(target_portal_group_tag=1, protocol_level=2))
    peer = login(gate, keys=keys)
    gate.disk.lazy = True
    return peer


@pytest.mark.parametrize(("level", "sent"), [("1", 0), ("2", 7)])
@requirement("7144-5.2.1-1")
def test_a_status_qualifier_goes_to_those_who_know_it(level: str, sent: int):
    peer = of_level_2(iSCSIProtocolLevel=level)
    task = task_of(peer, peer.reading(0, 8))
    task.connection.answers.refuse(task, BUSY, 7)
    (refusal,) = peer.receive()
    assert (refusal.status, refusal.status_qualifier, refusal.data) == (BUSY, sent, b"")
    (failure,) = finish(peer, task_of(peer, peer.reading(0, 8)), b"", CHECK_CONDITION, b"sense")
    assert failure.status_qualifier == 0


def test_a_status_qualifier_waits_with_its_status_for_announced_data():
    peer = of_level_2(iSCSIProtocolLevel="2", InitialR2T="No", ImmediateData="No")
    command, data_out = peer.write(0, bytes(8), unsolicited=8)
    command.cdb = cdb(READ, 0, 8)  # so that nobody waits for its data
    task = task_of(peer, command)
    task.connection.answers.refuse(task, BUSY, 7)
    assert peer.receive() == []
    (refusal,) = peer.send(data_out)
    assert (refusal.status, refusal.status_qualifier) == (BUSY, 7)


def test_a_status_that_waits_for_announced_data_goes_with_its_command():
    peer = of_level_2(iSCSIProtocolLevel="2", InitialR2T="No", ImmediateData="No")
    command, _ = peer.write(0, bytes(8), unsolicited=8)
    command.cdb = cdb(READ, 0, 8)  # so that nobody waits for its data
    task = task_of(peer, command)
    task.connection.answers.refuse(task, BUSY, 7)
    peer.connection.session.abort([task])
    peer.gate.disk.in_hand.clear()
    gone = weakref.ref(task)
    del task
    gc.collect()
    assert gone() is None


def test_any_other_status_travels_in_a_response_after_the_data():
    peer = open_peer()
    task = task_of(peer, peer.reading(0, 8))
    data, response = finish(peer, task, b"data", CHECK_CONDITION, b"sense")
    assert isinstance(data, DataIn)
    assert data.final
    assert not data.has_status
    assert isinstance(response, ScsiResponse)
    assert bytes(response.sense) == b"sense"
    assert response.exp_data_sn == 1


def test_sense_with_good_status_travels_in_a_response():
    peer = open_peer()
    task = task_of(peer, peer.reading(0, 4))
    _, response = finish(peer, task, b"data", sense=b"sense")
    assert bytes(response.sense) == b"sense"


@pytest.mark.parametrize(("sent", "expected"), [(4, 4), (4, 10), (10, 4), (0, 4), (4, 0)])
@requirement("7143-11.4.5.2-2")
@requirement("7143-11.4.5.2-3")
def test_residuals_of_reads_are_exact(sent: int, expected: int):
    peer = open_peer()
    task = task_of(peer, peer.reading(0, sent, expected))
    (answer,) = finish(peer, task, bytes(sent))
    assert residual(answer) == sent - expected
    assert isinstance(answer, DataIn) == bool(sent and expected)
    assert len(peer.read[task.itt]) == min(sent, expected)


@pytest.mark.parametrize(("taken", "expected"), [(4, 4), (4, 10), (10, 4), (0, 4), (4, 0)])
@requirement("7143-11.4.5.2-2")
def test_residuals_of_writes_are_exact(taken: int, expected: int):
    peer = open_peer()
    task = task_of(peer, peer.writing(0, taken, expected, data=bytes(expected)))
    task.taken = taken
    (answer,) = finish(peer, task)
    assert isinstance(answer, ScsiResponse)
    assert residual(answer) == taken - expected


def test_a_write_that_was_announced_as_a_read_has_moved_nothing():
    peer = open_peer()
    task = task_of(peer, peer.reading(0, 4))
    task.taken = 100
    (answer,) = finish(peer, task)
    assert residual(answer) == 100


def test_a_read_that_was_announced_as_a_write_has_moved_nothing():
    peer = open_peer()
    task = task_of(peer, peer.writing(0, 4, data=b"data"))
    task.taken = 0
    (answer,) = finish(peer, task, b"read")
    assert residual(answer) == -4


@pytest.mark.parametrize(("read", "sign"), [(4, 0), (2, -2), (7, 3)])
@pytest.mark.parametrize("taken", [600, 500, 700])
@requirement("7143-11.4.6-1")
def test_residuals_of_both_directions_are_exact(read: int, sign: int, taken: int):
    peer = open_peer(ImmediateData="No", MaxBurstLength="512")
    task = task_of(peer, both(peer, 600, 4))
    task.taken = taken
    *data, answer = finish(peer, task, bytes(read))
    assert len(data) == 1
    assert isinstance(answer, ScsiResponse)
    assert residual(answer) == taken - 600
    assert answer.bidirectional_residual_count == abs(sign)
    assert answer.bidirectional_overflow == (sign > 0)
    assert answer.bidirectional_underflow == (sign < 0)


def test_expected_data_sn_counts_data_in_alone():
    """Section 11.4.8: R2Ts have the same counter, and are not counted."""
    peer = open_peer(ImmediateData="No", MaxBurstLength="512")
    task = task_of(peer, both(peer, 1024, 4))
    data, answer = finish(peer, task, b"data")
    assert data.data_sn == 2
    assert answer.exp_data_sn == 1


def test_a_long_read_is_cut_into_sequences_and_segments():
    peer = open_peer(MaxBurstLength="1500", MaxRecvDataSegmentLength="1000")
    answers = finish(peer, task_of(peer, peer.reading(0, 4000)), bytes(range(250)) * 16)
    assert [(pdu.buffer_offset, len(pdu.data), pdu.final) for pdu in answers] == [
        (0, 1000, False),
        (1000, 500, True),
        (1500, 1000, False),
        (2500, 500, True),
        (3000, 1000, True),
    ]
    assert [pdu.has_status for pdu in answers] == [False] * 4 + [True]
    assert b"".join(pdu.data for pdu in answers) == bytes(range(250)) * 16


def test_a_long_read_that_fails_ends_its_last_sequence():
    peer = open_peer(MaxRecvDataSegmentLength="512")
    task = task_of(peer, peer.reading(0, 1024))
    first, second, response = finish(peer, task, bytes(1024), CHECK_CONDITION, b"s")
    assert (first.final, second.final) == (False, True)
    assert response.exp_data_sn == 2


def test_data_under_a_digest_is_that_of_the_moment():
    peer = open_peer(DataDigest="CRC32C")
    task = task_of(peer, peer.reading(0, 4))
    store = bytearray(b"then")
    task.connection.answers.finish(task, store)
    store[:] = b"now!"
    (answer,) = peer.receive()
    assert answer.data == b"then"


def test_data_without_a_digest_is_passed_through():
    peer = open_peer()
    task = task_of(peer, peer.reading(0, 4))
    store = bytearray(b"then")
    task.connection.answers.finish(task, store)
    store[:] = b"now!"
    (answer,) = peer.receive()
    assert answer.data == b"now!"


def test_an_aborted_task_is_released_instead_of_answered():
    peer = open_peer()
    task = task_of(peer, peer.reading(0, 4))
    session = peer.connection.session
    session.abort([task])
    assert list(session.node.dying) == [task]
    assert finish(peer, task, b"data") == []
    assert list(session.node.dying) == []


def test_an_answer_gives_the_place_of_its_command_back():
    peer = open_peer()
    width = peer.connection.limits.tasks
    task = task_of(peer, peer.reading(0, 4))
    order = peer.connection.session.order
    assert order.maximum - order.expected + 1 == width - 1
    (answer,) = finish(peer, task, b"data")
    assert answer.max_cmd_sn - answer.exp_cmd_sn + 1 == width


def test_status_waits_for_data_that_is_on_its_way():
    peer = open_peer(InitialR2T="No")
    command, out = peer.write(0, b"data", unsolicited=4)
    command.cdb = cdb(READ, 0, 0)  # the device server does not look at the data
    task = task_of(peer, command)
    task.taken = 4
    assert finish(peer, task) == []
    (answer,) = peer.send(out)
    assert answer.itt == command.itt
    assert residual(answer) == 0
