"""The committed diagrams are drawn from the machines, and from the PDUs, as they are."""

from __future__ import annotations

from pathlib import Path

from trioscsi.teaching import diagrams, header

FOLDER = Path(__file__).parents[2] / "specs" / "diagrams"


def test_the_diagrams_are_those_of_the_machines():
    # If this fails: trioscsi draw --write, and look at what has changed.
    assert diagrams.different(FOLDER) == []


def test_every_pdu_has_its_picture():
    names = {path.stem for path in (FOLDER / "pdus").iterdir()}
    assert names == header.NAMES.keys()
