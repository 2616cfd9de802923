"""The committed diagrams are drawn from the machines as they are."""

from __future__ import annotations

from pathlib import Path

from trioscsi.teaching import diagrams

FOLDER = Path(__file__).parents[2] / "specs" / "diagrams"


def test_the_diagrams_are_those_of_the_machines():
    # If this fails: trioscsi draw --write, and look at what has changed.
    assert diagrams.different(FOLDER) == []
