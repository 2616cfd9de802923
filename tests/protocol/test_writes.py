from __future__ import annotations

import random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.peer import CHECK_CONDITION, FAIL, READ, WRITE, Gate, Peer, cdb, login
from tests.requirements import requirement
from trioscsi.limits import Limits
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    NopOut,
    ReadyToTransfer,
    Reject,
    RejectReason,
    ScsiCommand,
)

FAST = {"InitialR2T": "No", "ImmediateData": "Yes"}
SLOW = {"InitialR2T": "Yes", "ImmediateData": "No"}
SMALL = {"FirstBurstLength": "1024", "MaxBurstLength": "2048"}

UNEXPECTED_DATA, INCORRECT_AMOUNT, BAD_CRC = b"\x0c\x0c", b"\x0c\x0d", b"\x47\x05"


def open_peer(*, limits: Limits | None = None, **keys: str) -> Peer:
    return login(Gate(limits=limits), keys=keys)


def store(peer: Peer) -> bytearray:
    return peer.gate.disk.store


def fault(peer: Peer, itt: int) -> bytes:
    """The ASC and ASCQ of a command that has failed."""
    answer: Any = peer.answers[itt]
    assert answer.status == CHECK_CONDITION
    assert answer.underflow
    return bytes(answer.sense)


def rejection(answers: list[Any]) -> RejectReason:
    (pdu,) = answers
    assert isinstance(pdu, Reject)
    return RejectReason(pdu.reason)


@settings(max_examples=150, deadline=None)
@given(
    initial_r2t=st.sampled_from(["Yes", "No"]),
    immediate=st.sampled_from(["Yes", "No"]),
    first=st.sampled_from([512, 1000, 4096]),
    burst=st.sampled_from([512, 1500, 4096]),
    outstanding=st.integers(1, 3),
    segment=st.sampled_from([512, 700, 65_536]),
    length=st.integers(1, 9000),
    share=st.tuples(st.floats(0, 1), st.booleans()),
    seed=st.integers(),
)
def test_data_arrives_whatever_was_negotiated(
    initial_r2t: str,
    immediate: str,
    first: int,
    burst: int,
    outstanding: int,
    segment: int,
    length: int,
    share: tuple[float, bool],
    seed: int,
):
    peer = open_peer(
        InitialR2T=initial_r2t,
        ImmediateData=immediate,
        FirstBurstLength=str(first),
        MaxBurstLength=str(burst),
        MaxOutstandingR2T=str(outstanding),
    )
    parameters = peer.parameters
    data = random.Random(seed).randbytes(length)
    at_once = min(length, parameters.first_burst_length)
    with_command = int(at_once * share[0]) if parameters.immediate_data else 0
    unsolicited = 0 if parameters.initial_r2t or share[1] else at_once - with_command
    pdus = peer.write(16, data, immediate_data=with_command, unsolicited=unsolicited)
    itt = pdus[0].itt
    if unsolicited:
        outs = peer.data_outs(itt, NO_TASK, 0, data[:at_once], with_command, segment)
        pdus = [pdus[0], *outs]
    peer.obey(peer.send(*pdus))
    assert peer.answers[itt].status == 0
    assert peer.answers[itt].residual_count == 0
    assert store(peer)[16 : 16 + length] == data
    assert peer.connection.session.write_buffers == 0


def test_immediate_data_alone_needs_no_buffer():
    peer = open_peer(**FAST)
    (command,) = peer.write(0, b"data", immediate_data=4)
    (answer,) = peer.send(command)
    assert answer.itt == command.itt
    assert store(peer)[:4] == b"data"


def test_immediate_data_that_nobody_wants_is_cut():
    peer = open_peer(**FAST)
    command = peer.writing(0, 2, expected=4, data=b"data")
    peer.send(command)
    assert store(peer)[:4] == b"da\0\0"
    assert peer.answers[command.itt].underflow
    assert peer.answers[command.itt].residual_count == 2


def test_a_device_server_that_wants_more_than_comes_gets_what_comes():
    peer = open_peer(**FAST)
    command = peer.writing(0, 8, expected=4, data=b"data")
    peer.send(command)
    assert store(peer)[:8] == b"data\0\0\0\0"
    assert peer.answers[command.itt].overflow
    assert peer.answers[command.itt].residual_count == 4


@requirement("7143-4.2.5.2-6")
def test_data_that_have_come_are_not_asked_for():
    peer = open_peer(**FAST, **SMALL)
    command, *outs = peer.write(0, bytes(range(250)) * 8, immediate_data=500, unsolicited=524)
    (r2t,) = peer.send(command, *outs)
    assert (r2t.buffer_offset, r2t.desired_data_transfer_length) == (1024, 976)
    peer.obey([r2t])
    assert store(peer)[:2000] == bytes(range(250)) * 8


def test_a_write_of_nothing_asks_for_nothing():
    peer = open_peer(**SLOW)
    command = peer.writing(0, 0)
    (answer,) = peer.send(command)
    assert answer.itt == command.itt


@requirement("7143-13.11-2")
def test_immediate_data_that_was_not_agreed_is_unexpected():
    peer = open_peer(**SLOW)
    command = peer.writing(0, 4, data=b"data")
    peer.send(command)
    assert fault(peer, command.itt) == UNEXPECTED_DATA
    assert store(peer)[:4] == bytes(4)


def test_data_with_a_read_is_unexpected():
    peer = open_peer(**FAST)
    command = peer.reading(0, 4, data=b"data")
    peer.send(command)
    assert fault(peer, command.itt) == UNEXPECTED_DATA


@requirement("7143-13.11-2")
def test_an_unsolicited_burst_that_was_not_agreed_is_waited_for_and_unexpected():
    peer = open_peer(**SLOW)
    command, out = peer.write(0, b"data", unsolicited=4)
    assert peer.send(command) == []
    peer.send(out)
    assert fault(peer, command.itt) == UNEXPECTED_DATA


def test_more_immediate_data_than_the_first_burst_is_an_incorrect_amount():
    peer = open_peer(**FAST, **SMALL)
    command = peer.writing(0, 2000, data=bytes(1025))
    peer.send(command)
    assert fault(peer, command.itt) == INCORRECT_AMOUNT


def test_more_immediate_data_than_is_expected_is_an_incorrect_amount():
    peer = open_peer(**FAST)
    command = peer.writing(0, 3, data=b"data")
    peer.send(command)
    assert fault(peer, command.itt) == INCORRECT_AMOUNT


def test_a_burst_that_ends_short_is_an_incorrect_amount():
    peer = open_peer(**FAST, **SMALL)
    command, *_ = peer.write(0, bytes(1024), unsolicited=1024)
    peer.send(command, DataOut(final=True, itt=command.itt, data=b"short"))
    assert fault(peer, command.itt) == INCORRECT_AMOUNT


@requirement("7143-7.9-5")
def test_data_out_of_order_is_an_incorrect_amount():
    peer = open_peer(**SLOW)
    (command,) = peer.write(0, bytes(1000))
    (r2t,) = peer.send(command)
    first, second = peer.data_outs(command.itt, r2t.ttt, 0, bytes(1000), 0, size=500)
    peer.open[command.itt].r2ts.clear()
    first.final, second.final = True, False
    assert peer.send(second) == []
    peer.send(first)
    assert fault(peer, command.itt) == INCORRECT_AMOUNT


def test_a_fault_is_reported_when_the_data_of_all_r2ts_has_ended():
    peer = open_peer(**SLOW, MaxBurstLength="512", MaxOutstandingR2T="2")
    (command,) = peer.write(0, bytes(4096))
    first, second = peer.send(command)
    peer.open[command.itt].r2ts.clear()
    assert peer.send(DataOut(final=True, itt=command.itt, ttt=first.ttt)) == []
    peer.send(*peer.data_outs(command.itt, second.ttt, 0, bytes(1024), 512))
    assert fault(peer, command.itt) == INCORRECT_AMOUNT


def digests(peer: Peer, *pdus: Any) -> list[Any]:
    """Send PDUs, the last of which has its data spoiled on the way."""
    stream = bytearray(peer.encode(*pdus))
    stream[-5] ^= 1
    return peer.feed(bytes(stream))


@requirement("7143-7.8-5")
@requirement("7143-11.17.1-3")
def test_data_with_a_bad_digest_is_rejected_and_fails_its_command():
    peer = open_peer(**FAST, DataDigest="CRC32C")
    (command,) = peer.write(0, b"data")
    (r2t,) = peer.send(command)
    (out,) = peer.answer_r2t(r2t)
    reject, response = digests(peer, out)
    assert reject.reason == RejectReason.DATA_DIGEST_ERROR
    assert response.itt == command.itt
    assert fault(peer, command.itt) == BAD_CRC


@requirement("7143-7.8-6")
@requirement("7143-11.17.1-3")
def test_the_rest_of_a_spoiled_sequence_is_waited_for():
    peer = open_peer(**FAST, DataDigest="CRC32C")
    (command,) = peer.write(0, b"datadata")
    (r2t,) = peer.send(command)
    first, second = peer.data_outs(command.itt, r2t.ttt, 0, b"datadata", 0, size=4)
    peer.open[command.itt].r2ts.clear()
    (reject,) = digests(peer, first)
    assert reject.reason == RejectReason.DATA_DIGEST_ERROR
    peer.send(second)
    assert fault(peer, command.itt) == BAD_CRC


def test_spoiled_data_of_no_command_is_rejected_and_no_more():
    peer = open_peer(**FAST, DataDigest="CRC32C")
    out = DataOut(final=True, itt=77, ttt=5, data=b"data")
    assert rejection(digests(peer, out)) == RejectReason.DATA_DIGEST_ERROR
    peer.gate.disk.lazy = True
    command = peer.reading(0, 4)
    peer.send(command)
    out.itt = command.itt
    assert rejection(digests(peer, out)) == RejectReason.DATA_DIGEST_ERROR


def test_data_of_a_command_that_has_ended_is_dropped():
    peer = open_peer()
    assert peer.send(DataOut(final=True, itt=77, data=b"late")) == []


def test_data_that_nobody_asked_for_is_rejected():
    peer = open_peer(**SLOW)
    (command,) = peer.write(0, b"data")
    (r2t,) = peer.send(command)
    out = DataOut(final=True, itt=command.itt, ttt=r2t.ttt + 1, data=b"data")
    assert rejection(peer.send(out)) == RejectReason.INVALID_PDU_FIELD
    assert rejection(peer.send(DataOut(final=True, itt=command.itt, data=b"data"))) == (
        RejectReason.INVALID_PDU_FIELD
    )
    peer.obey([r2t])
    assert store(peer)[:4] == b"data"


def test_data_for_a_command_that_writes_nothing_is_rejected():
    peer = open_peer(**FAST)
    peer.gate.disk.lazy = True
    command = peer.reading(0, 4)
    peer.send(command)
    out = DataOut(final=True, itt=command.itt, data=b"data")
    assert rejection(peer.send(out)) == RejectReason.INVALID_PDU_FIELD


def test_data_for_another_logical_unit_is_rejected():
    peer = open_peer(**SLOW)
    (command,) = peer.write(0, b"data")
    (r2t,) = peer.send(command)
    (out,) = peer.answer_r2t(r2t)
    out.lun = 1 << 48
    assert rejection(peer.send(out)) == RejectReason.INVALID_PDU_FIELD
    out.lun = 0
    peer.send(out)
    assert store(peer)[:4] == b"data"


def test_data_on_another_connection_than_its_command_is_dropped():
    peer = open_peer(**SLOW)
    (command,) = peer.write(0, b"data")
    (r2t,) = peer.send(command)
    session = peer.connection.session
    other = login(peer.gate, isid=b"other!", keys=SLOW)
    other.connection.session.tasks.by_itt.update(session.tasks.by_itt)
    (out,) = peer.answer_r2t(r2t)
    assert other.send(out) == []
    assert command.itt in peer.open


def test_a_command_that_ends_early_is_answered_after_the_burst():
    """Section 11.4.2: status does not overtake data that was announced."""
    peer = open_peer(**FAST, **SMALL)
    peer.gate.disk.lazy = True
    command, _ = peer.write(0, bytes(4096), unsolicited=1024)
    command.cdb = cdb(READ, 0, 0)  # the device server does not look at the data
    first, second = peer.data_outs(command.itt, NO_TASK, 0, bytes(1024), 0, size=512)
    assert peer.send(command, first) == []
    (task,) = peer.connection.session.tasks
    task.connection.answers.finish(task, b"", CHECK_CONDITION, b"no")
    assert peer.receive() == []
    (answer,) = peer.send(second)
    assert answer.itt == command.itt
    assert answer.status == CHECK_CONDITION


def test_a_command_that_wants_nothing_waits_for_the_burst_all_the_same():
    peer = open_peer(**FAST, **SMALL)
    command, out = peer.write(0, bytes(4096), unsolicited=1024)
    command.cdb = cdb(WRITE, 0, 0)
    assert peer.send(command) == []
    (answer,) = peer.send(out)
    assert answer.itt == command.itt
    assert answer.residual_count == 4096


def test_r2ts_wait_for_write_buffers_and_get_them_in_turn():
    peer = open_peer(limits=Limits(write_buffers=65_536), **SLOW, MaxBurstLength="65536")
    payloads = [bytes([place]) * 40_000 for place in range(1, 4)]
    commands = [peer.write(place * 40_000, data)[0] for place, data in enumerate(payloads)]
    (r2t,) = peer.send(*commands)
    assert r2t.itt == commands[0].itt
    answers = peer.send(*peer.answer_r2t(r2t))
    assert [pdu.itt for pdu in answers] == [commands[1].itt, commands[0].itt]
    peer.obey(answers)
    assert store(peer)[:120_000] == b"".join(payloads)
    assert peer.connection.session.write_buffers == 0
    assert not peer.connection.session.waiting


def test_one_command_may_have_more_than_all_buffers():
    peer = open_peer(limits=Limits(write_buffers=65_536), **SLOW)
    (command,) = peer.write(0, b"x" * 100_000)
    peer.obey(peer.send(command))
    assert store(peer)[:100_000] == b"x" * 100_000


def test_an_aborted_command_gives_its_buffers_back():
    peer = open_peer(limits=Limits(write_buffers=65_536), **SLOW)
    commands = [peer.write(0, bytes(60_000))[0] for _ in range(3)]
    peer.send(*commands)
    session = peer.connection.session
    first, second, third = session.tasks
    session.abort([second])
    assert peer.receive() == []
    session.abort([first])
    peer.abandon(commands[0].itt, commands[1].itt)
    (r2t,) = peer.receive()
    assert r2t.itt == third.itt == commands[2].itt


def test_target_transfer_tags_are_not_used_twice_in_a_row():
    peer = open_peer(**SLOW, MaxBurstLength="512", MaxOutstandingR2T="8")
    (command,) = peer.write(0, bytes(4096))
    r2ts = peer.send(command)
    assert len({r2t.ttt for r2t in r2ts}) == len(r2ts) == 8


@pytest.mark.parametrize("attribute", [True, False])
def test_an_early_command_collects_its_burst_before_its_turn(attribute: bool):
    peer = open_peer(**FAST, **SMALL)
    gap = peer.reading(0, 4)
    command, out = peer.write(8, b"y" * 700, immediate_data=100, unsolicited=600)
    assert peer.send(command, *([out] if attribute else [])) == []
    answers = peer.send(gap)
    if not attribute:
        answers += peer.send(out)
    assert [pdu.itt for pdu in answers] == [gap.itt, command.itt]
    assert store(peer)[8:708] == b"y" * 700


def test_an_early_command_with_forbidden_data_fails_in_its_turn():
    peer = open_peer(**SLOW)
    gap = peer.reading(0, 4)
    command = ScsiCommand(write=True, itt=99, cmd_sn=peer.cmd_sn, data=b"data")
    assert peer.send(command) == []
    first, second = peer.send(gap)
    assert (first.itt, second.itt) == (gap.itt, 99)
    assert bytes(second.sense) == UNEXPECTED_DATA


# Data that is put where it belongs as it comes.

LARGE = 262_144


def writing_in_place(**keys: str) -> tuple[Peer, ReadyToTransfer, list[DataOut]]:
    """A write whose first R2T has come, and the answer to that."""
    peer = open_peer(**SLOW, **keys)
    peer.gate.disk.window = lambda task: memoryview(store(peer))[: task.expected_out]
    command = peer.writing(0, 2 * LARGE)
    peer.expect(command, random.Random(3).randbytes(2 * LARGE))
    (r2t,) = peer.send(command)
    return peer, r2t, peer.answer_r2t(r2t)


def test_data_that_is_asked_for_is_put_into_the_window_as_it_comes():
    peer, r2t, (first, *others) = writing_in_place()
    stream = peer.encode(first)
    peer.feed(stream[:1000])
    room = peer.connection.framer.get_buffer()
    assert room is not None
    room[:] = stream[1000:]
    assert store(peer)[:LARGE] == first.data
    peer.wire.sent(stream[1000:])
    peer.connection.framer.filled(len(room))
    sent = peer.open[r2t.itt].data
    peer.obey(peer.feed(b"", peer.encode(*others)))
    assert store(peer)[: 2 * LARGE] == sent
    assert peer.answers[r2t.itt].status == 0


def test_data_with_a_digest_is_put_nowhere_before_all_of_it_is_good():
    peer, r2t, (first, *others) = writing_in_place(DataDigest="CRC32C")
    answers = peer.send(first, *others)
    assert not any(store(peer))
    peer.obey(answers)
    assert peer.answers[r2t.itt].status == 0
    assert any(store(peer))


def test_data_on_the_way_does_no_harm_after_its_task_was_aborted():
    peer, r2t, (first, *_) = writing_in_place()
    stream = peer.encode(first)
    peer.feed(stream[:1048])
    session = peer.connection.session
    session.abort([session.tasks.get(r2t.itt)])
    peer.abandon(r2t.itt)
    before = bytes(store(peer))
    assert peer.feed(stream[1048:]) == []
    assert store(peer) == before
    assert any(before)


def test_only_data_that_was_asked_for_has_a_place():
    peer, r2t, (first, *_) = writing_in_place()
    place = peer.connection.framer.destination_for
    reading = peer.reading(0, 4)
    peer.gate.disk.lazy = True
    peer.send(reading)

    def out(**changes: Any) -> DataOut:
        return attrs.evolve(first, **changes)

    assert place is not None
    assert place(out(), LARGE) is not None
    assert place(NopOut(itt=r2t.itt), LARGE) is None
    assert place(out(itt=77), LARGE) is None
    assert place(out(itt=reading.itt), LARGE) is None
    assert place(out(lun=1 << 48), LARGE) is None
    assert place(out(ttt=r2t.ttt + 1), LARGE) is None


# Immediate data that come after their command was begun.


def writing_at_once(length: int = LARGE, **keys: str) -> tuple[Peer, ScsiCommand, bytes]:
    """A write with much immediate data, and the bytes of it; the disk has a window."""
    peer = open_peer(**{**FAST, "FirstBurstLength": str(LARGE), **keys})
    peer.gate.disk.window = lambda task: memoryview(store(peer))[: task.expected_out]
    command, *_ = peer.write(0, random.Random(4).randbytes(length), immediate_data=LARGE)
    return peer, command, peer.encode(command)


def test_large_immediate_data_go_to_the_window_as_they_come():
    peer, command, stream = writing_at_once()
    assert peer.feed(stream[:1048]) == []
    assert store(peer)[:1000] == command.data[:1000]
    room = peer.connection.framer.get_buffer()
    assert room is not None
    room[:] = stream[1048:]
    peer.wire.sent(stream[1048:])
    peer.connection.framer.filled(len(room))
    (answer,) = peer.feed(b"")
    assert (answer.itt, answer.status) == (command.itt, 0)
    assert store(peer)[:LARGE] == command.data


def test_the_rest_of_a_write_that_was_begun_early_is_asked_for():
    peer, command, stream = writing_at_once(3 * LARGE, MaxBurstLength=str(LARGE))
    sent = peer.open[command.itt].data
    peer.obey(peer.feed(stream[:5000], stream[5000:]))
    assert peer.answers[command.itt].status == 0
    assert store(peer)[: 3 * LARGE] == sent


def test_a_disk_without_windows_gets_large_immediate_data_too():
    peer, command, stream = writing_at_once(2 * LARGE)
    peer.gate.disk.window = None
    sent = peer.open[command.itt].data
    peer.obey(peer.feed(stream[:48], stream[48:70_000], stream[70_000:]))
    assert peer.answers[command.itt].status == 0
    assert store(peer)[: 2 * LARGE] == sent
    assert peer.connection.session.write_buffers == 0


def test_a_disk_that_wants_less_than_comes_early_gets_what_it_wants():
    peer, command, _ = writing_at_once()
    command.cdb = cdb(WRITE, 0, 1000)
    stream = peer.encode(command)
    peer.feed(stream[:9000], stream[9000:])
    assert store(peer)[:1000] == command.data[:1000]
    assert not any(store(peer)[1000:])
    assert peer.answers[command.itt].residual_count == LARGE - 1000


def test_a_write_that_fails_before_its_data_is_answered_after_them():
    peer, command, _ = writing_at_once()
    command.cdb = cdb(FAIL, 0, LARGE)
    stream = peer.encode(command)
    assert peer.feed(stream[:9000], stream[9000:-1]) == []
    (answer,) = peer.feed(stream[-1:])
    assert (answer.itt, answer.status) == (command.itt, CHECK_CONDITION)
    assert not any(store(peer))


def test_a_write_whose_data_are_refused_meanwhile_takes_none():
    peer, command, stream = writing_at_once()
    peer.gate.disk.window = None
    peer.feed(stream[:9000])
    task = peer.connection.session.tasks.get(command.itt)
    peer.connection.refuse_data(task)
    peer.feed(stream[9000:])
    assert bytes(task.data) == b""
    assert not any(store(peer))


def test_immediate_data_on_the_way_do_no_harm_after_their_task_was_aborted():
    peer, command, stream = writing_at_once()
    peer.feed(stream[:9048])
    session = peer.connection.session
    session.abort([session.tasks.get(command.itt)])
    peer.abandon(command.itt)
    assert peer.feed(stream[9048:]) == []
    assert bytes(store(peer)) == bytes(command.data[:9000]) + bytes(len(store(peer)) - 9000)
    (answer,) = peer.send(peer.request(NopOut, data=b"here"))
    assert answer.data == b"here"


@pytest.mark.parametrize(
    "change",
    [{"immediate": True}, {"cmd_sn": 9}, {"final": False}, {"read": True}, {"itt": NO_TASK}],
    ids=str,
)
def test_a_command_that_is_not_a_plain_write_in_its_turn_is_not_begun_early(change):
    peer, command, _ = writing_at_once()
    stream = peer.encode(attrs.evolve(command, **change))
    peer.connection.receive(stream[:9000])
    peer.connection.pump(0.0, 9)
    assert len(peer.connection.session.tasks) == 0
    assert not peer.gate.target.events


@pytest.mark.parametrize(
    "keys",
    [{"ImmediateData": "No"}, {"FirstBurstLength": "512"}, {"DataDigest": "CRC32C"}],
    ids=str,
)
def test_data_that_break_a_rule_or_must_be_checked_are_not_put_anywhere_early(keys):
    peer, _, stream = writing_at_once(**keys)
    peer.connection.receive(stream[:9000])
    peer.connection.pump(0.0, 9)
    assert len(peer.connection.session.tasks) == 0
    assert not any(store(peer))
