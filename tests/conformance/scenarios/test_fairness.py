"""What an initiator is not blamed for: what is another scenario's, or was never put to the test."""

from __future__ import annotations

from typing import Any

from tests.conformance.playing import played
from trioscsi.conformance import Verdict
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.pdu import LoginResponse, ScsiResponse


def test_who_follows_no_redirection_is_not_blamed_for_forms_of_addresses():
    unmoved = MUTANTS["login-unmoved"]
    assert played(SCENARIOS["LG-23"], unmoved).verdict is Verdict.WARN
    assert played(SCENARIOS["LG-26"], unmoved).verdict is Verdict.NOT_EXERCISED


def test_who_gives_up_whenever_a_command_fails_is_not_blamed_for_a_format_of_sense_data():
    def hears(pdu: Any, _: object) -> tuple[Any]:
        failed = isinstance(pdu, ScsiResponse) and pdu.status == 2
        return (LoginResponse() if failed else pdu,)  # which ends the session

    outcome = played(SCENARIOS["RS-05"], Deviation(id="weak", section="", says="", hears=hears))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.says.startswith("it gives up when a command fails")


def test_of_a_key_that_is_not_answered_no_more_is_said():
    for name in ("KY-01", "KY-02", "KY-03", "KY-04"):
        outcome = played(SCENARIOS[name], MUTANTS["keys-unanswered"])
        assert outcome.breaches
        assert {each.remark.breach.split(" ", 1)[1] for each in outcome.breaches} == {
            "is not answered"
        }
