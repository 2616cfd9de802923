"""SendTargets in the two types of session (RFC 7143 appendix C)."""

from __future__ import annotations

import pytest

from tests.protocol.peer import OTHER, TARGET, Gate, login
from tests.requirements import requirement
from trioscsi.errors import PeerError
from trioscsi.pdu import RejectReason
from trioscsi.protocol import Session
from trioscsi.protocol.discovery import Targets, send_targets

ADDRESSES = ["192.0.2.1:3260,1", "[2001:db8::1]:3260,1"]
TARGETS: Targets = [(TARGET, ADDRESSES), (OTHER, [])]
ONE = [("TargetName", TARGET), *(("TargetAddress", address) for address in ADDRESSES)]


def session(discovery: bool) -> Session:
    session = login(Gate(), discovery=discovery).connection.session
    assert session is not None
    return session


@requirement("7143-C-6")
def test_a_discovery_session_may_ask_for_all():
    assert send_targets("All", session(True), TARGETS) == [*ONE, ("TargetName", OTHER)]


@requirement("7143-C-7")
def test_a_discovery_session_may_ask_for_one():
    assert send_targets(TARGET.upper(), session(True), TARGETS) == ONE


def test_a_target_that_is_not_known_is_no_answer():
    assert send_targets(TARGET + "-2", session(True), TARGETS) == []


@pytest.mark.parametrize("value", [TARGET, ""])
@requirement("7143-C-8")
def test_a_normal_session_may_ask_for_its_own_target(value: str):
    assert send_targets(value, session(False), TARGETS) == ONE


@pytest.mark.parametrize(
    ("discovery", "value"),
    [(False, "All"), (False, OTHER), (True, ""), (True, "all"), (True, "disk")],
)
@requirement("7143-C-6")
def test_other_questions_may_not_be_asked(discovery: bool, value: str):
    with pytest.raises(PeerError) as caught:
        send_targets(value, session(discovery), TARGETS)
    assert caught.value.answer is RejectReason.PROTOCOL_ERROR
