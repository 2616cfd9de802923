from __future__ import annotations

import pytest

from trioscsi.conformance.dialogue import KEYS_KEPT, Dialogue, Role
from trioscsi.text import Parameters, Side, Stage

FIRST, SECOND = Side.INITIATOR, Side.TARGET
LOGIN = Stage.OPERATIONAL


def roles(*lines: tuple[Side, str, str], stage: Stage = LOGIN) -> list[Role]:
    dialogue = Dialogue()
    return [dialogue.hear(side, [(name, value)], stage)[0].role for side, name, value in lines]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(FIRST, "InitiatorAlias", "a")], Role.DECLARATION),
        ([(FIRST, "MaxBurstLength", "512")], Role.PROPOSAL),
        ([(FIRST, "MaxBurstLength", "512"), (SECOND, "MaxBurstLength", "512")], Role.ANSWER),
        ([(FIRST, "MaxBurstLength", "512"), (FIRST, "MaxBurstLength", "512")], Role.REPEAT),
        ([(FIRST, "InitiatorAlias", "a"), (FIRST, "InitiatorAlias", "a")], Role.REPEAT),
        ([(FIRST, "X-com.example.a", "1")], Role.PROPOSAL),
        (
            [(FIRST, "X-com.example.a", "1"), (SECOND, "X-com.example.a", "NotUnderstood")],
            Role.ANSWER,
        ),
        (
            [(FIRST, "X#NodeArchitecture", "a"), (SECOND, "X#NodeArchitecture", "NotUnderstood")],
            Role.ANSWER,
        ),
        ([(SECOND, "TargetAddress", "a"), (SECOND, "TargetAddress", "b")], Role.DECLARATION),
        ([(FIRST, "CHAP_N", "a"), (SECOND, "CHAP_N", "b")], Role.DECLARATION),
    ],
)
def test_a_key_is_what_it_is_where_it_stands(lines, expected):
    assert roles(*lines)[-1] is expected


def test_a_settled_key_is_not_proposed_again_by_either_side():
    lines = [(FIRST, "MaxBurstLength", "512"), (SECOND, "MaxBurstLength", "512")]
    assert roles(*lines, (SECOND, "MaxBurstLength", "512"))[-1] is Role.REPEAT


def test_the_answer_to_send_targets_is_no_negotiation():
    lines = [
        (SECOND, "TargetName", "a"),
        (SECOND, "TargetName", "b"),
        (SECOND, "TargetAddress", "c"),
    ]
    assert set(roles(*lines, stage=Stage.FULL_FEATURE)) == {Role.REPORT}


def test_results_are_those_of_answers_declarations_and_what_needs_no_answer():
    dialogue = Dialogue(Parameters(max_connections=4))
    dialogue.hear(
        FIRST,
        [
            ("MaxRecvDataSegmentLength", "1024"),
            ("MaxBurstLength", "4096"),
            ("FirstBurstLength", "2048"),
            ("ImmediateData", "No"),
            ("HeaderDigest", "CRC32C,None"),
            ("DefaultTime2Wait", "7"),
        ],
        LOGIN,
    )
    answers = [
        ("MaxBurstLength", "1024"),
        ("HeaderDigest", "CRC32C"),
        ("DefaultTime2Wait", "Reject"),
    ]
    dialogue.hear(SECOND, answers, LOGIN)
    end = dialogue.settle()
    assert end.initiator_max_recv_data_segment_length == 1024
    assert (end.max_burst_length, end.first_burst_length) == (1024, 1024)
    assert (end.immediate_data, end.header_digest) == (False, True)
    assert (end.default_time2wait, end.max_connections) == (2, 4)


def test_who_answers_both_lengths_of_bursts_answers_for_their_rule():
    dialogue = Dialogue()
    lengths = [("MaxBurstLength", "1024"), ("FirstBurstLength", "2048")]
    dialogue.hear(FIRST, lengths, LOGIN)
    dialogue.hear(SECOND, lengths, LOGIN)
    end = dialogue.settle()
    assert (end.max_burst_length, end.first_burst_length) == (1024, 2048)


def test_an_answer_that_was_not_in_the_list_is_no_result():
    dialogue = Dialogue()
    dialogue.hear(FIRST, [("HeaderDigest", "None")], LOGIN)
    dialogue.hear(SECOND, [("HeaderDigest", "CRC32C")], LOGIN)
    assert dialogue.settle() == Parameters()


def test_whoever_cannot_read_an_answer_may_go_by_its_own_proposal():
    dialogue = Dialogue()
    dialogue.hear(FIRST, [("InitialR2T", "No"), ("HeaderDigest", "CRC32C,None")], LOGIN)
    dialogue.hear(SECOND, [("InitialR2T", "no"), ("HeaderDigest", "")], LOGIN)
    end = dialogue.settle()
    assert (end.initial_r2t, end.header_digest) == (False, False)


def test_a_value_that_cannot_be_is_a_fault_and_no_result():
    dialogue = Dialogue()
    (said,) = dialogue.hear(FIRST, [("MaxRecvDataSegmentLength", "1")], LOGIN)
    assert said.fault is not None
    assert dialogue.settle() == Parameters()
    dialogue.hear(FIRST, [("HeaderDigest", "CRC32C,None")], LOGIN)
    dialogue.hear(SECOND, [("HeaderDigest", "CRC32C,None")], LOGIN)
    assert dialogue.settle() == Parameters()


def test_no_more_keys_are_remembered_than_there_is_room_for():
    dialogue = Dialogue()
    pairs = [(f"X-com.example.{number}", "1") for number in range(KEYS_KEPT + 10)]
    assert len(dialogue.hear(FIRST, pairs, LOGIN)) == KEYS_KEPT
