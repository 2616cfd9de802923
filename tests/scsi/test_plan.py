from __future__ import annotations

import pytest

from trioscsi.scsi import (
    Done,
    Failed,
    Plan,
    Procedure,
    Read,
    Receive,
    Refused,
    Reply,
    Status,
    Write,
)
from trioscsi.scsi.complaints import WRITE_PROTECTED
from trioscsi.scsi.plan import Refusal, only_block


@pytest.mark.parametrize(
    ("plan", "data_out"),
    [
        (Done(), 0),
        (Reply(b"data"), 0),
        (Failed(WRITE_PROTECTED), 0),
        (Refused(Status.BUSY), 0),
        (Read(0, 8, fua=False), 0),
        (Write(0, 8, False, 4096), 4096),
        (Procedure(), 0),
        (Procedure(data_out=512), 512),
        (Receive(24, lambda _list: Done()), 24),
    ],
)
def test_every_plan_says_what_it_takes_from_the_initiator(plan: Plan, data_out: int) -> None:
    assert plan.data_out == data_out


def test_a_refusal_carries_the_plan_that_answers() -> None:
    assert Refusal(WRITE_PROTECTED).plan == Failed(WRITE_PROTECTED)


def test_a_parameter_list_may_be_refused_when_it_has_come() -> None:
    def then(_list: bytes) -> Plan:
        raise Refusal(WRITE_PROTECTED)

    assert Receive(24, then).received(b"") == Failed(WRITE_PROTECTED)


@pytest.mark.parametrize(
    ("plan", "lba"),
    [(Read(5, 1, fua=False), 5), (Read(5, 2, fua=False), None), (Done(), None)],
)
def test_a_plan_may_be_about_one_block(plan: Plan, lba: int | None) -> None:
    assert only_block(plan) == lba
