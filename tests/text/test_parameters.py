from __future__ import annotations

import attrs

from trioscsi.text.key import SessionType, Side
from trioscsi.text.keys import KEYS
from trioscsi.text.parameters import Parameters, result


def test_the_first_burst_is_no_longer_than_a_burst():
    assert Parameters(max_burst_length=512).constrained().first_burst_length == 512
    assert Parameters(first_burst_length=512).constrained().first_burst_length == 512


def test_error_recovery_in_order_leaves_one_r2t_outstanding():
    many = Parameters(max_outstanding_r2t=8)
    assert many.constrained() == many
    recovering = attrs.evolve(many, error_recovery_level=1)
    assert recovering.constrained().max_outstanding_r2t == 1
    unordered = attrs.evolve(recovering, data_sequence_in_order=False)
    assert unordered.constrained().max_outstanding_r2t == 8


def test_another_connection_has_the_values_of_the_session_and_none_of_the_first_connection():
    first = Parameters(
        header_digest=True,
        data_digest=True,
        auth_method="CHAP",
        initiator_max_recv_data_segment_length=512,
        target_max_recv_data_segment_length=512,
        max_connections=2,
        error_recovery_level=2,
    )
    assert first.for_new_connection() == Parameters(max_connections=2, error_recovery_level=2)


def test_a_discovery_session_is_told_by_its_type():
    assert not Parameters().discovery
    assert Parameters(session_type=SessionType.DISCOVERY).discovery


def test_a_key_sets_the_parameter_of_its_sender():
    key = KEYS["MaxRecvDataSegmentLength"]
    assert result(key, 512, Side.TARGET) == {"target_max_recv_data_segment_length": 512}


def test_a_digest_is_used_or_not_and_a_query_sets_nothing():
    assert result(KEYS["DataDigest"], ("CRC32C",)) == {"data_digest": True}
    assert result(KEYS["DataDigest"], ("None",)) == {"data_digest": False}
    assert result(KEYS["SendTargets"], "All") == {}
