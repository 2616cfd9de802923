"""The machines are what specs/machines/*.toml says, and that is what the RFC prints."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from trioscsi.machines import MACHINES

SPECS = Path(__file__).parents[2] / "specs" / "machines"
TABLES = {
    table["name"]: table
    for path in sorted(SPECS.rglob("*.toml"))
    for table in [tomllib.loads(path.read_text())]
    if "name" in table
}

EVERY_MACHINE = pytest.mark.parametrize("name", TABLES)
DRAWN = pytest.mark.parametrize("name", [name for name in TABLES if "printed" in TABLES[name]])
CASES = pytest.mark.parametrize(
    "name", [name for name in TABLES if "printed_cases" in TABLES[name]]
)
STAGES = pytest.mark.parametrize(
    "name", [name for name in TABLES if "printed_stages" in TABLES[name]]
)


def arrows(name):
    """The transitions of a machine as the RFC's tables have them: symbol, label, symbol."""
    symbols = {state["name"]: state["symbol"] for state in TABLES[name]["states"]}
    return {
        (symbols[row["from"]], row["label"], symbols[row["to"]]) for row in TABLES[name]["rows"]
    }


def test_every_machine_has_a_table_where_its_name_says():
    assert TABLES.keys() == MACHINES.keys()
    for name in TABLES:
        assert (SPECS / f"{name.replace('.', '/')}.toml").exists()


@EVERY_MACHINE
def test_the_states_are_those_of_the_table(name):
    written = [
        (state["name"], state["symbol"], state["sentence"]) for state in TABLES[name]["states"]
    ]
    assert [(s.name, s.symbol, s.sentence) for s in MACHINES[name].states] == written


@EVERY_MACHINE
def test_the_transitions_are_those_of_the_table(name):
    written = [
        (row["label"], row["from"], row["on"], row["to"], tuple(row["does"]))
        for row in TABLES[name]["rows"]
    ]
    built = [
        (row.label, row.source, row.cause, row.target, tuple(e.name for e in row.effects))
        for row in MACHINES[name].transitions
    ]
    assert sorted(built) == sorted(written)


@EVERY_MACHINE
def test_a_machine_that_the_rfc_does_not_draw_is_called_derived(name):
    assert TABLES[name]["derived"] is ("printed" not in TABLES[name])
    assert TABLES[name]["rfc7143"]
    assert TABLES[name]["rfc3720"]


@DRAWN
def test_the_rows_fill_the_printed_cells_and_no_others(name):
    printed = dict(TABLES[name]["printed"])
    columns = printed.pop("columns")
    section = printed.pop("section")
    assert section in TABLES[name]["rfc7143"]
    assert list(printed) == columns == [state["symbol"] for state in TABLES[name]["states"]]
    cells = {
        (source, label, target)
        for source, labels in printed.items()
        for target, label in zip(columns, labels, strict=True)
        if label != "-"
    }
    assert arrows(name) == cells


@DRAWN
def test_the_labels_are_complete_with_those_of_the_other_side(name):
    labels = TABLES[name]["labels"]
    here = {row["label"] for row in TABLES[name]["rows"]}
    elsewhere = set(labels.get("not_here", {}))
    assert not here & elsewhere
    assert here | elsewhere == set(labels["all"])


@CASES
def test_every_cause_that_the_rfc_letters_has_a_row(name):
    printed = dict(TABLES[name]["printed_cases"])
    assert printed.pop("section") == "8.1.2"
    for label, letters in printed.items():
        cases = {
            case for row in TABLES[name]["rows"] if row["label"] == label for case in row["cases"]
        }
        assert cases == set(letters), label


@STAGES
def test_a_login_goes_from_stage_to_stage_as_the_rfc_allows(name):
    printed = dict(TABLES[name]["printed_stages"])
    columns = printed.pop("columns")
    assert printed.pop("section") == "6.3"
    moves = {(row.source, row.target) for row in MACHINES[name].transitions}
    for stage, cells in printed.items():
        for target, allowed in zip(columns, cells, strict=True):
            if stage != target:
                assert ((stage, target) in moves) is (allowed == "yes"), (stage, target)
