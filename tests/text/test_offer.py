from __future__ import annotations

import pytest

from tests.requirements import requirement
from trioscsi.errors import UsageError
from trioscsi.text.keys import KEYS
from trioscsi.text.offer import Offer


def test_bursts_that_contradict_each_other_cannot_be_offered():
    with pytest.raises(UsageError, match="must not exceed"):
        Offer(max_burst_length=512, first_burst_length=513)


@pytest.mark.parametrize(
    "name",
    ["MaxRecvDataSegmentLength", "MaxConnections", "DefaultTime2Wait", "ErrorRecoveryLevel"],
)
def test_a_number_out_of_the_range_of_its_key_cannot_be_offered(name):
    key = KEYS[name]
    for beyond in (key.minimum - 1, key.maximum + 1):
        with pytest.raises(ValueError, match=key.offer):
            Offer(**{key.offer: beyond})


@pytest.mark.parametrize(
    "wrong",
    [
        {"header_digests": ("CRC-32C",)},
        {"data_digests": ()},
        {"task_reporting": ("Fast",)},
        {"auth_methods": ("MD5",)},
        {"target_portal_group_tag": 65_536},
        {"target_alias": "a\0b"},
        {"initiator_name": "a" * 256},
        {"node_architecture": "a" * 256},
        {"initiator_name": "iqn.2001-04.com.example:\udcff"},
    ],
)
@requirement("7143-13.26.1-2")
def test_what_the_rfc_does_not_know_cannot_be_offered(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Offer(**wrong)


def test_out_of_what_a_user_says_an_offer_is_made_or_told_why_not_in_one_line():
    assert Offer.of(max_connections=2) == Offer(max_connections=2)
    with pytest.raises(UsageError, match=r"^'max_connections' must be >= 1: 0$"):
        Offer.of(max_connections=0)
    with pytest.raises(UsageError, match=r"^'header_digests' must be in .* \(got 'MD5'\)$"):
        Offer.of(header_digests=("MD5",))
    with pytest.raises(UsageError, match=r"^FirstBurstLength must not exceed"):
        Offer.of(max_burst_length=512, first_burst_length=513)
