from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.initiator.breaches import BREACHES
from tests.initiator.conversations import CONVERSATIONS as FAULTLESS
from tests.initiator.pair import Pair, intent, reading, writing
from tests.protocol.peer import Gate
from trioscsi.conformance.bench.watched import WATCHED
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.initiator.mutants import MODULES, MUTANTS
from trioscsi.initiator.rules import Rule
from trioscsi.text import Stage

CONVERSATIONS = (*FAULTLESS, *BREACHES)
SECTIONS = Path(__file__).parents[2] / "specs" / "sections.toml"


@pytest.fixture(scope="module")
def faultless() -> list[bytes]:
    return [conversation(None) for conversation in CONVERSATIONS]


def test_a_conversation_is_the_same_each_time(faultless: list[bytes]):
    assert [conversation(None) for conversation in CONVERSATIONS] == faultless


PLAYED = {mutant for scenario in SCENARIOS.values() for mutant in scenario.mutants}
PLAYED |= {
    mutant
    for by_scenario in WATCHED.values()
    for mutants in by_scenario.values()
    for mutant in mutants
}
"""Those that scenarios or monitors have to find."""


def test_the_bench_has_to_catch_each_mutant():
    assert set(MUTANTS) == PLAYED


@pytest.mark.parametrize("place", range(len(CONVERSATIONS)))
def test_each_conversation_tells_a_mutant_from_the_correct_initiator(
    place: int, faultless: list[bytes]
):
    conversation = CONVERSATIONS[place]
    assert any(conversation(mutant) != faultless[place] for mutant in MUTANTS.values())


def test_each_rule_has_a_mutant_that_breaks_it():
    assert {rule for mutant in MUTANTS.values() for rule in mutant.breaks} == set(Rule)


def test_no_two_mutants_have_the_same_id():
    assert sum(len(module.MUTANTS) for module in MODULES) == len(MUTANTS)


def test_ids_and_sections_are_what_they_say():
    sections = tomllib.loads(SECTIONS.read_text())["rfc7143"]
    known = set(sections) if isinstance(sections, dict) else {each["number"] for each in sections}
    for mutant in MUTANTS.values():
        assert mutant.section in known, mutant
        assert mutant.says


@pytest.mark.parametrize("name", MUTANTS)
def test_the_target_survives_each_mutant(name: str):
    gate = Gate()
    pair = Pair(gate, intent(first_stage=Stage.SECURITY), deviation=MUTANTS[name])
    for request in (writing(0, bytes(300_000)), reading(0, 100)):
        pair.session.submit(request)
    pair.run()
    pair.connection.give_up("enough")
    pair.run()
    other = Pair(gate)
    assert other.do(writing(0, b"data")).lost == ""
    assert other.do(reading(0, 4)).data_in == b"data"
