"""What specs/phases.toml says is done with each PDU is what the machines do."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from trioscsi.machines import MACHINES, connection, login
from trioscsi.machines.full_feature import Effect
from trioscsi.pdu import Opcode, from_initiator

TABLE = tomllib.loads((Path(__file__).parents[2] / "specs" / "phases.toml").read_text())
PHASES, PDUS = TABLE["phases"], TABLE["pdus"]
CELLS = [
    pytest.param(phase, pdu, id=f"{phase}-{pdu}")
    for phase in PHASES
    if PHASES[phase]["machine"] == "full_feature"
    for pdu in PDUS
]


def kind(effect):
    """What the table calls an effect."""
    match effect:
        case Effect.IGNORE:
            return "ignore"
        case Effect.DROP_CONNECTION:
            return "drop"
    verb, _, _ = effect.name.partition("_")
    assert verb in ("HEAR", "REJECT")
    return verb.lower()


@pytest.mark.parametrize(("phase", "pdu"), CELLS)
def test_a_pdu_in_full_feature_phase_is_treated_as_the_table_says(phase, pdu):
    running = MACHINES[PHASES[phase]["machine"]].start()
    running.state = PHASES[phase]["state"]
    [effect] = getattr(running, PDUS[pdu]["input"])()
    assert kind(effect) == PDUS[pdu][phase]


def test_before_the_login_a_login_request_is_heard_and_all_else_drops_the_connection():
    assert {pdu: row["before_login"] for pdu, row in PDUS.items()} == {
        pdu: "hear" if pdu == "Login Request" else "drop" for pdu in PDUS
    }
    waiting = connection.machine.start()
    waiting.state = PHASES["before_login"]["state"]
    assert waiting.hears("login_requested")
    assert connection.Effect.CLOSE in waiting.wrong_first_pdu()


def test_in_the_login_all_but_login_requests_are_refused_and_end_it():
    assert {pdu: row["login"] for pdu, row in PDUS.items()} == {
        pdu: "hear" if pdu == "Login Request" else "refuse" for pdu in PDUS
    }
    for state in login.machine.states:
        running = login.machine.start()
        running.state = state.name
        if running.hears("stays"):
            assert running.refused() == (login.Effect.REFUSE,)
    talking = connection.machine.start()
    talking.state = PHASES["login"]["state"]
    assert connection.Effect.CLOSE in talking.login_refused()


def test_every_opcode_of_an_initiator_has_a_row():
    opcodes = {row["opcode"] for row in PDUS.values() if "opcode" in row}
    assert opcodes == {int(opcode) for opcode in Opcode if from_initiator(opcode)}


def test_every_pdu_of_the_machine_has_a_row():
    inputs = {row["input"] for row in PDUS.values()}
    phases = {"entered_normal", "entered_discovery", "logout_overdue", "logout_began"}
    assert inputs == set(MACHINES["full_feature"].inputs) - phases
