"""The coupling of the machines is what specs/machines/coupling.toml says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from trioscsi.machines import MACHINES
from trioscsi.machines.coupling import COUPLINGS, When, Whom, couplings

TABLE = tomllib.loads(
    (Path(__file__).parents[2] / "specs" / "machines" / "coupling.toml").read_text()
)
COUPLED = ("connection", "cleanup", "session")


def test_the_rows_are_those_of_the_table_in_the_same_order():
    written = [
        (row["source"], row["when"], row["whom"], row["feeds"], row["section"])
        for row in TABLE["rows"]
    ]
    built = [
        (
            f"{row.source} {row.label}",
            row.when.name,
            row.whom.name,
            f"{row.machine}.{row.cause}",
            row.section,
        )
        for row in COUPLINGS
    ]
    assert built == written


@pytest.mark.parametrize("row", COUPLINGS, ids=lambda row: f"{row.source}-{row.label}-{row.cause}")
def test_a_row_joins_a_transition_to_an_input_that_is_heard_somewhere(row):
    assert row.label in {arrow.label for arrow in MACHINES[row.source].transitions}
    assert row.cause in {arrow.cause for arrow in MACHINES[row.machine].transitions}
    assert row in couplings(row.source, row.label)


def test_no_row_is_there_twice():
    assert len(set(COUPLINGS)) == len(COUPLINGS)


def test_every_condition_and_every_address_is_used():
    assert {row.when for row in COUPLINGS} == set(When)
    assert {row.whom for row in COUPLINGS} == set(Whom)


@pytest.mark.parametrize("name", COUPLED)
def test_every_input_is_fed_by_a_row_or_comes_from_outside(name):
    fed = {row.cause for row in COUPLINGS if row.machine == name}
    unused = {
        cause for machine, cause in (i.split(".") for i in TABLE["unused"]) if machine == name
    }
    outside = TABLE["external"][name].keys()
    # The target may drop a connection of its own accord too.
    assert not unused & (fed | outside)
    assert fed | unused | outside == set(MACHINES[name].inputs)


@pytest.mark.parametrize("label", ["T5", "T7", "T13", "T15", "T16", "T17"])
def test_whatever_changes_the_connections_in_full_feature_phase_is_told_to_the_session(label):
    assert any(row.machine == "session" for row in couplings("connection", label))
