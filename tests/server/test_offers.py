from __future__ import annotations

from typing import Any

import pytest

from tests.requirements import requirement
from trioscsi import Limits, UsageError
from trioscsi.server.authentication import authentication
from trioscsi.server.offers import make_offer


def test_an_offer_is_within_the_limits() -> None:
    offer = make_offer(Limits(segment=4096), None, max_burst_length=8192, first_burst_length=512)
    assert offer.max_recv_data_segment_length == 4096
    assert offer.max_burst_length == 8192
    assert offer.auth_methods == ("None",)


def test_with_a_proof_chap_is_the_only_method() -> None:
    proof = authentication(("alice", "a secret of some length"))
    assert make_offer(Limits(), proof).auth_methods == ("CHAP",)


@requirement("7143-10.7-1")
def test_fences_are_agreed_to_where_there_is_one_connection() -> None:
    one, several = make_offer(Limits(), None), make_offer(Limits(), None, max_connections=2)
    assert one.task_reporting == ("FastAbort", "ResponseFence", "RFC3720")
    assert several.task_reporting == ("RFC3720",)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"colour": "red", "size": 5}, "no setting colour, size"),
        ({"auth_methods": ("None",)}, "no setting auth_methods"),
        ({"target_portal_group_tag": 2}, "no setting target_portal_group_tag"),
        ({"error_recovery_level": 1}, "no setting error_recovery_level"),
        ({"max_burst_length": 5}, "max_burst_length"),
        ({"max_connections": 2, "task_reporting": ("FastAbort", "RFC3720")}, "not fenced"),
        ({"first_burst_length": 2**20, "max_burst_length": 2**19}, "FirstBurstLength"),
    ],
)
@requirement("7143-7.1.5-3")
def test_what_cannot_be_offered_is_a_usage_error(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make_offer(Limits(), None, **settings)
