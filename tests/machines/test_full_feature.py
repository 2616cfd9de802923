from __future__ import annotations

import pytest

from trioscsi.errors import UndefinedTransition
from trioscsi.machines.full_feature import Effect, machine

PDUS = (
    "command",
    "task_management",
    "data_out",
    "text",
    "logout",
    "nop_out",
    "snack",
    "login",
    "unknown",
)


def phase(*causes):
    running = machine.start()
    for cause in causes:
        getattr(running, cause)()
    return running


@pytest.mark.parametrize("pdu", PDUS)
def test_before_the_login_is_over_nothing_is_heard_here(pdu):
    with pytest.raises(UndefinedTransition):
        getattr(phase(), pdu)()


def test_a_discovery_session_talks_text_pings_and_logs_out():
    running = phase("entered_discovery")
    heard = {pdu for pdu in PDUS if getattr(running, pdu)()[0].name.startswith("HEAR")}
    assert heard == {"text", "logout", "nop_out"}


def test_an_initiator_that_takes_its_time_to_log_out_begins_nothing_new():
    running = phase("entered_normal", "logout_overdue")
    heard = {pdu for pdu in PDUS if getattr(running, pdu)()[0].name.startswith("HEAR")}
    assert heard == {"task_management", "data_out", "text", "logout", "nop_out", "snack"}
    assert running.command() == (Effect.REJECT_WAITING_FOR_LOGOUT,)
    running.logout_began()
    assert running.state == "LEAVING"


def test_a_connection_that_logs_out_hears_nothing_new():
    running = phase("entered_normal", "logout_began")
    assert not [pdu for pdu in PDUS if getattr(running, pdu)()[0].name.startswith("HEAR")]
    assert running.data_out() == (Effect.IGNORE,)


@pytest.mark.parametrize("entry", ["entered_normal", "entered_discovery"])
def test_a_login_request_never_comes_twice(entry):
    running = phase(entry)
    assert running.login() == (Effect.DROP_CONNECTION,)
    running.logout_began()
    assert running.login() == (Effect.DROP_CONNECTION,)


def test_a_pdu_never_changes_the_phase():
    for row in machine.transitions:
        if row.cause in PDUS:
            assert row.source == row.target
            assert len(row.effects) == 1
