from __future__ import annotations

import pytest

from tests.server.conftest import Build
from tests.server.peer import INITIATOR
from trioscsi import PeerError
from trioscsi.pdu import LoginStatus, RejectReason, SnackRequest
from trioscsi.server.refusals import ADVICE, Refusals


def test_there_is_advice_about_every_answer() -> None:
    answers = {*LoginStatus, *RejectReason} - {LoginStatus.SUCCESS}
    assert ADVICE.keys() == answers


def test_the_last_refusals_are_kept() -> None:
    refusals = Refusals(2)
    for number in range(3):
        refusals.note(PeerError(f"reason {number}", section="7.8"), "peer:1", INITIATOR)
    assert len(refusals) == 2
    assert refusals.total == 3
    assert [refusal.reason for refusal in refusals] == ["reason 1", "reason 2"]


def test_a_connection_that_had_to_be_closed_says_so() -> None:
    refusal = Refusals(1).note(PeerError("noise", section="7.8"), "peer:1", "")
    assert (refusal.answer, refusal.section) == ("", "7.8")
    assert "the connection was closed" in refusal.advice


async def test_a_login_that_fails_says_at_which_key_and_why(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    peer = house.connect()
    assert await peer.log_in(SessionType="Strange") == LoginStatus.INITIATOR_ERROR
    assert await peer.receive() is None
    (refusal,) = house.refusals
    assert refusal.initiator == INITIATOR
    assert refusal.peer.startswith("127.0.0.1:")
    assert refusal.stage == "login, login operational negotiation"
    assert refusal.subject == "SessionType"
    assert refusal.reason == "SessionType cannot be 'Strange'"
    assert refusal.answer == "INITIATOR_ERROR"
    assert refusal.section == "13.21"
    (record,) = caplog.records
    assert record.refusal == refusal  # type: ignore[attr-defined]
    assert record.getMessage().endswith(refusal.advice)


async def test_a_pdu_that_is_rejected_says_which_and_why(build: Build) -> None:
    house = build()
    peer = await house.log_in()
    await peer.send(SnackRequest(itt=1))
    assert (await peer.receive()).reason == RejectReason.SNACK_REJECT
    (refusal,) = house.refusals
    assert (refusal.stage, refusal.subject) == ("full feature phase", "SnackRequest")
    assert refusal.answer == "SNACK_REJECT"
