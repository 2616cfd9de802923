"""What an initiator is not blamed for: what is another scenario's, or was never put to the test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.playing import played
from trioscsi.conformance import Verdict
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.initiator.deviations import Deviation, changing, dropping
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.initiator.mutants.rows import lacking
from trioscsi.pdu import DataOut, LoginResponse, ScsiResponse


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


def writing(form: str) -> Deviation:
    """An initiator that writes numbers in another form."""

    def pair(key: str, value: str) -> tuple[tuple[str, str]]:
        is_number = value.isdecimal() and key != "CHAP_A"
        return ((key, form.format(int(value)) if is_number else value),)

    return Deviation(id="form", section="", says="", pair=pair)


@pytest.mark.parametrize("form", ["{:#x}", "0X{:X}"])
@pytest.mark.parametrize("name", ["NG-05", "NG-10", "NG-11", "NG-24", "CH-13"])
def test_who_writes_numbers_in_hexadecimal_is_played_with(name: str, form: str):
    assert played(SCENARIOS[name], writing(form)).verdict is Verdict.PASS


@pytest.mark.parametrize("name", ["NG-05", "NG-10", "NG-11", "NG-24"])
def test_what_is_no_number_stops_no_scenario(name: str):
    outcome = played(SCENARIOS[name], writing("{}k"))
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert not outcome.faulty


def test_of_a_key_that_is_not_answered_no_more_is_said():
    for name in ("KY-01", "KY-02", "KY-03", "KY-04"):
        outcome = played(SCENARIOS[name], MUTANTS["keys-unanswered"])
        assert outcome.breaches
        assert {each.remark.breach.split(" ", 1)[1] for each in outcome.breaches} == {
            "is not answered"
        }


def test_who_gives_no_data_in_any_case_is_not_blamed_for_hexadecimal_numbers():
    mute = Deviation(id="mute", section="", says="", alter=dropping(DataOut))
    outcome = played(SCENARIOS["NG-14"], mute)
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert outcome.says.startswith("with decimal numbers as well, it cannot use the session")


def test_who_ignores_the_length_of_segments_is_not_blamed_for_hexadecimal_numbers():
    hears = changing(LoginResponse, data=lacking("MaxRecvDataSegmentLength="))
    outcome = played(SCENARIOS["NG-14"], Deviation(id="deaf", section="", says="", hears=hears))
    assert outcome.verdict is Verdict.NOT_EXERCISED
    assert outcome.says == "with decimal numbers as well, a segment of 8192 bytes"


def test_who_gives_no_data_if_told_hexadecimal_numbers_alone_has_failed():
    told: list[bytes] = []

    def hears(pdu: Any, _: object) -> tuple[Any]:
        told.extend([bytes(pdu.data)] if isinstance(pdu, LoginResponse) else [])
        return (pdu,)

    def alter(pdu: Any, _: object) -> tuple[Any, ...]:
        is_lost = isinstance(pdu, DataOut) and b"MaxRecvDataSegmentLength=0x" in told[-1]
        return () if is_lost else (pdu,)

    zero = Deviation(id="zero", section="", says="", hears=hears, alter=alter)
    outcome = played(SCENARIOS["NG-14"], zero)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.says.startswith("it cannot use the session")
