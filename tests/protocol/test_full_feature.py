"""What is heard in full feature phase, and what is rejected (RFC 7143 sections 7.7 and 11.17)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import (
    CHECK_CONDITION,
    NO_TASK,
    READ,
    Gate,
    Peer,
    cdb,
    login,
    login_request,
)
from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.limits import Limits
from trioscsi.pdu import (
    DataIn,
    DataOut,
    LogoutRequest,
    NopIn,
    NopOut,
    Reject,
    RejectReason,
    ScsiCommand,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.text import Offer


def open_peer(*, discovery: bool = False, keys: Any = None, **limits: Any) -> Peer:
    return login(Gate(limits=Limits(**limits)), discovery=discovery, keys=keys)


def rejects(peer: Peer, answers: list[Any], header: bytes) -> RejectReason:
    """The reason of the one Reject, which has to carry the whole header that was rejected."""
    (reject,) = answers
    assert isinstance(reject, Reject)
    assert reject.data == header
    assert any(isinstance(remark, PeerError) for remark in peer.connection.remarks)
    return RejectReason(reject.reason)


def refused(peer: Peer, pdu: Any) -> RejectReason:
    stream = peer.encode(pdu)
    return rejects(peer, peer.feed(stream), stream[:48])


def test_a_command_is_executed():
    peer = open_peer()
    peer.gate.disk.store[8:12] = b"data"
    (answer,) = peer.send(peer.reading(8, 4))
    assert answer.data == b"data"


@requirement("7143-4.2.2.1-8")
def test_commands_are_executed_in_the_order_of_their_numbers():
    peer = open_peer()
    commands = [peer.reading(place, 1) for place in range(4)]
    answers = peer.send(commands[2], commands[1], commands[0], commands[3])
    assert [pdu.itt for pdu in answers] == [command.itt for command in commands]


@requirement("7144-5.1.1-2")
def test_a_priority_changes_nothing():
    peer = open_peer()
    peer.gate.disk.store[8:12] = b"data"
    (answer,) = peer.send(peer.reading(8, 4, priority=15))
    assert answer.data == b"data"
    assert peer.connection.parameters.protocol_level < 2


def test_immediate_commands_do_not_wait():
    peer = open_peer()
    peer.reading(0, 4)
    (answer,) = peer.send(peer.reading(0, 4, immediate=True))
    assert isinstance(answer, DataIn)


@requirement("7143-4.2.2.1-9")
def test_a_command_outside_the_window_is_ignored():
    peer = open_peer(tasks=4)
    command = peer.reading(0, 4)
    command.cmd_sn += 4
    assert peer.send(command) == []
    command.cmd_sn -= 5
    assert peer.send(command) == []


@requirement("7143-4.2.2.1-18")
def test_a_retry_of_a_command_that_is_under_way_is_ignored():
    peer = open_peer()
    peer.gate.disk.lazy = True
    command = peer.reading(0, 4)
    assert peer.send(command, command) == []
    peer.gate.disk.work()
    assert len(peer.receive()) == 1


@requirement("7143-4.2.2.1-18")
def test_a_retry_of_a_command_that_was_answered_is_ignored():
    peer = open_peer()
    command = peer.reading(0, 4)
    assert len(peer.send(command)) == 1
    assert peer.send(command) == []


@pytest.mark.parametrize("immediate", [True, False])
def test_the_tag_of_another_command_is_rejected(immediate: bool):
    peer = open_peer()
    peer.gate.disk.lazy = True
    command = peer.reading(0, 4)
    peer.send(command)
    other = ScsiCommand(
        read=True, itt=command.itt, immediate=immediate, cmd_sn=peer.cmd_sn, cdb=command.cdb
    )
    assert refused(peer, other) is RejectReason.TASK_IN_PROGRESS
    assert peer.connection.session.order.expected == peer.cmd_sn


def test_the_reserved_tag_is_rejected_and_leaves_a_gap():
    """Section 7.3: the CmdSN of a rejected command was not received."""
    peer = open_peer()
    command = ScsiCommand(itt=NO_TASK, cmd_sn=peer.cmd_sn, cdb=cdb(READ, 0, 4))
    assert refused(peer, command) is RejectReason.INVALID_PDU_FIELD
    assert peer.connection.session.order.expected == peer.cmd_sn


def test_immediate_commands_are_bounded():
    peer = open_peer(immediate_tasks=2)
    peer.gate.disk.lazy = True
    peer.send(*(peer.reading(0, 4, immediate=True) for _ in range(2)))
    command = peer.reading(0, 4, immediate=True)
    assert refused(peer, command) is RejectReason.IMMEDIATE_COMMAND_REJECT
    peer.gate.disk.work()
    peer.receive()
    peer.gate.disk.lazy = False
    assert len(peer.send(command)) == 1


@requirement("7143-4.2.2.1-10")
def test_each_connection_may_have_an_immediate_command_and_a_function_at_any_time():
    gate = Gate(Offer(max_connections=2), Limits(immediate_tasks=1, ping_interval=0))
    first = login(gate, keys={"MaxConnections": "2"})
    second = login(gate, cid=1, tsih=first.connection.session.tsih)
    gate.disk.lazy = gate.disk.slow_to_let_go = True
    for number, peer in enumerate((first, second)):
        peer.itt = 100 * number
        command = peer.reading(0, 4, immediate=True)
        assert peer.send(command) == []
        abort = peer.request(
            TaskManagementRequest, function=1, immediate=True, referenced_task_tag=command.itt
        )
        assert peer.send(abort) == []
        assert len(peer.send(peer.request(NopOut))) == 1
        peer.abandon()
    gate.disk.let_go()
    assert [peer.receive()[0].response for peer in (first, second)] == [0, 0]


def test_the_window_closes_when_all_places_are_taken_and_opens_again():
    peer = open_peer(tasks=2)
    peer.gate.disk.lazy = True
    peer.send(*(peer.reading(0, 4) for _ in range(2)))
    (answer,) = peer.send(peer.request(NopOut))
    assert answer.max_cmd_sn == answer.exp_cmd_sn - 1
    peer.gate.disk.work()
    assert peer.receive()[-1].max_cmd_sn == answer.max_cmd_sn + 2


def test_a_held_command_outlives_the_bytes_that_it_came_in():
    peer = open_peer()
    gap = peer.reading(0, 4)
    command = peer.writing(0, 4, data=b"data")
    peer.expect(command)
    stream = bytearray(peer.encode(command))
    peer.connection.receive(stream)
    peer.connection.pump(0.0, 1)
    peer.connection.pump(0.0, 1)
    stream[:] = bytes(len(stream))
    peer.send(gap)
    assert peer.gate.disk.store[:4] == b"data"


def test_held_pings_and_texts_outlive_the_bytes_that_they_came_in():
    peer = open_peer()
    gap = peer.reading(0, 4)
    stream = bytearray(
        peer.encode(
            peer.request(NopOut, immediate=False, data=b"ping"),
            peer.request(TextRequest, data=b"X-com.example=1\0"),
        )
    )
    peer.connection.receive(stream)
    peer.connection.pump(0.0, 3)
    stream[:] = bytes(len(stream))
    ping, text, _ = peer.send(gap)
    assert ping.data == b"ping"
    assert text.data == b"X-com.example=NotUnderstood\0"


def test_a_request_that_is_rejected_when_its_turn_comes_gets_its_own_header_back():
    peer = open_peer()
    gap = peer.reading(0, 4)
    logout = peer.encode(peer.request(LogoutRequest, reason=3))
    assert peer.feed(logout) == []
    reject, _ = peer.send(gap)
    assert rejects(peer, [reject], logout) is RejectReason.INVALID_PDU_FIELD


def test_transitions_that_nothing_is_coupled_to_are_not_kept():
    peer = open_peer()
    for _ in range(50):
        peer.send(peer.request(NopOut, data=b"ping"))
    assert len(peer.connection._moves) == 0


def test_a_request_that_came_already_is_ignored():
    peer = open_peer()
    ping = peer.request(NopOut, immediate=False)
    assert len(peer.send(ping, ping)) == 1


def test_an_unknown_pdu_is_rejected():
    peer = open_peer()
    stream = bytes([0x1C]) + bytes(47)
    answers = peer.feed(stream)
    assert rejects(peer, answers, stream) is RejectReason.COMMAND_NOT_SUPPORTED


def test_a_pdu_of_targets_is_rejected():
    assert refused(open_peer(), NopIn()) is RejectReason.COMMAND_NOT_SUPPORTED


@requirement("7143-7.8-7")
def test_there_is_nothing_to_send_again_without_error_recovery():
    """What was asked for may have been sent: its command has ended, with all of its data."""
    peer = open_peer()
    command = peer.reading(0, 4)
    peer.send(command)
    asked = {"exp_stat_sn": peer.exp_stat_sn - 1}
    data = SnackRequest(itt=command.itt, **asked)
    assert refused(peer, data) is RejectReason.SNACK_REJECT
    everything = SnackRequest(type=SnackType.STATUS, exp_stat_sn=peer.exp_stat_sn - 1)
    assert refused(peer, everything) is RejectReason.SNACK_REJECT


@requirement("7143-11.16-1")
def test_a_snack_for_what_was_never_sent_or_is_acknowledged_is_an_error():
    peer = open_peer()
    peer.gate.disk.lazy = True
    command = peer.reading(0, 4)
    assert peer.send(command) == []
    for kind in (SnackType.DATA_OR_R2T, SnackType.R_DATA):
        snack = SnackRequest(type=kind, itt=command.itt, exp_stat_sn=peer.exp_stat_sn)
        assert refused(peer, snack) is RejectReason.PROTOCOL_ERROR
    for number in (peer.exp_stat_sn - 1, peer.exp_stat_sn, peer.exp_stat_sn + 1):
        acknowledged = {"exp_stat_sn": peer.exp_stat_sn}
        snack = SnackRequest(type=SnackType.STATUS, beg_run=number, run_length=1, **acknowledged)
        assert refused(peer, snack) is RejectReason.PROTOCOL_ERROR


@requirement("7143-7.3-3")
def test_a_reject_ends_no_command():
    peer = open_peer()
    peer.gate.disk.lazy = True
    command = peer.reading(0, 4)
    assert peer.send(command) == []
    assert refused(peer, DataOut(itt=command.itt)) is RejectReason.INVALID_PDU_FIELD
    assert refused(peer, SnackRequest(itt=command.itt)) is RejectReason.PROTOCOL_ERROR
    peer.gate.disk.work()
    (answer,) = peer.receive()
    assert (answer.itt, answer.status) == (command.itt, 0)


@requirement("7143-7.14-2")
def test_immediate_commands_end_with_their_connection():
    peer = open_peer(ping_interval=0)
    peer.gate.disk.lazy = True
    assert peer.send(peer.reading(0, 4, immediate=True)) == []
    peer.connection.lost("gone", 0.0)
    peer.gate.disk.handle()
    assert peer.gate.disk.in_hand == []
    assert len(peer.connection.session.tasks) == 0


def test_a_login_request_drops_the_connection():
    peer = open_peer()
    assert peer.send(login_request()) == []
    assert peer.connection.closed
    assert peer.connection.session.state == "FAILED"


def test_a_reject_carries_the_additional_header_segments_too():
    peer = open_peer()
    ahs = bytes.fromhex("0001 3f 00")  # a type that is reserved
    stream = bytes([0x01, 0x80, 0, 0, 1, 0, 0, 0]) + bytes(40) + ahs
    assert rejects(peer, peer.feed(stream), stream) is RejectReason.INVALID_PDU_FIELD


def test_data_where_none_may_be_is_rejected():
    peer = open_peer()
    stream = bytes([0x02, 0x81, 0, 0, 0, 0, 0, 4]) + bytes(40) + b"data"
    assert rejects(peer, peer.feed(stream), stream[:48]) is RejectReason.INVALID_PDU_FIELD
    assert peer.connection.full_feature


@requirement("7143-7.8-4")
def test_a_bad_data_digest_is_rejected_and_the_stream_goes_on():
    peer = open_peer(keys={"DataDigest": "CRC32C"})
    stream = bytearray(peer.encode(peer.request(NopOut, data=b"ping")))
    stream[-1] ^= 1
    answers = peer.feed(bytes(stream))
    assert rejects(peer, answers, bytes(stream[:48])) is RejectReason.DATA_DIGEST_ERROR
    assert len(peer.send(peer.reading(0, 4))) == 1


@requirement("7143-7.3-4")
def test_a_command_with_a_bad_data_digest_leaves_a_gap():
    peer = open_peer(keys={"DataDigest": "CRC32C"})
    command = peer.writing(0, 4, data=b"data")
    stream = bytearray(peer.encode(command))
    stream[-1] ^= 1
    peer.feed(bytes(stream))
    assert len(peer.send(command)) == 1
    assert peer.gate.disk.store[:4] == b"data"


@requirement("7143-7.8-2")
def test_a_bad_header_digest_ends_the_connection_without_a_word():
    peer = open_peer(keys={"HeaderDigest": "CRC32C"})
    stream = bytearray(peer.encode(peer.request(NopOut)))
    stream[-1] ^= 1
    assert peer.feed(bytes(stream)) == []
    assert peer.connection.closed


def test_a_segment_that_is_too_large_is_rejected_and_ends_the_connection():
    peer = open_peer()
    header = bytes([0x00, 0x80, 0, 0, 0, 0xFF, 0xFF, 0xFF]) + bytes(40)
    assert rejects(peer, peer.feed(header), header) is RejectReason.PROTOCOL_ERROR
    assert peer.connection.closed


@pytest.mark.parametrize("pdu", [ScsiCommand(), TaskManagementRequest(), DataOut(), SnackRequest()])
def test_a_discovery_session_does_no_io(pdu: Any):
    peer = open_peer(discovery=True)
    assert refused(peer, pdu) is RejectReason.PROTOCOL_ERROR
    assert peer.connection.full_feature


def test_a_discovery_session_may_ping():
    assert len(open_peer(discovery=True).send(NopOut(itt=1))) == 1


def test_a_command_of_two_directions_says_both_lengths():
    peer = open_peer()
    peer.gate.disk.lazy = True
    for length, expected in ((8, 8), (None, 0)):
        command = peer.writing(0, 0, 4, read=True, bidirectional_read_length=length)
        peer.send(command)
        task = peer.connection.session.tasks.get(command.itt)
        assert task is not None
        assert (task.expected_out, task.expected_in) == (4, expected)


def test_an_early_command_may_be_aborted_before_its_turn():
    peer = open_peer()
    gap, held = peer.reading(0, 4), peer.reading(0, 4)
    peer.send(held)
    session = peer.connection.session
    session.abort(session.tasks)
    peer.abandon(held.itt)
    assert [pdu.itt for pdu in peer.send(gap)] == [gap.itt]
    assert peer.exp_cmd_sn == peer.cmd_sn


def test_every_request_has_its_hearer():
    peer = open_peer(keys={"DataDigest": "CRC32C", "ImmediateData": "No"})
    (command,) = peer.write(0, b"data")
    (r2t,) = peer.send(command)
    (out,) = peer.answer_r2t(r2t)
    stream = bytearray(peer.encode(out))
    stream[-1] ^= 1
    reject, response = peer.feed(bytes(stream))
    assert reject.reason == RejectReason.DATA_DIGEST_ERROR
    assert response.itt == command.itt
    (command,) = peer.write(0, b"data")
    peer.obey(peer.send(command))
    assert peer.gate.disk.store[:4] == b"data"
    (answer,) = peer.send(peer.request(TaskManagementRequest, function=2))
    assert answer.response == 0
    (answer,) = peer.send(peer.request(LogoutRequest))
    assert answer.response == 0


def test_a_command_whose_data_breaks_the_rules_is_not_executed():
    peer = open_peer()
    peer.gate.disk.lazy = True
    (answer,) = peer.send(peer.reading(0, 4, data=b"data"))
    assert answer.status == CHECK_CONDITION


def test_nothing_new_is_heard_of_a_connection_that_logs_out():
    peer = open_peer()
    peer.gate.disk.lazy = peer.gate.disk.slow_to_let_go = True
    peer.send(peer.reading(0, 4))
    gap = peer.reading(0, 4)
    peer.send(peer.request(NopOut, immediate=False))
    peer.abandon()
    assert peer.send(peer.request(LogoutRequest, immediate=True)) == []
    assert peer.send(DataOut()) == []
    assert refused(peer, gap) is RejectReason.PROTOCOL_ERROR
