from __future__ import annotations

from xml.sax.saxutils import unescape

import pytest

from trioscsi.machines import MACHINES
from trioscsi.teaching import diagrams, header
from trioscsi.teaching.arrows import merged

EVERY_MACHINE = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


@EVERY_MACHINE
@pytest.mark.parametrize("form", ["dot", "mermaid"])
def test_a_diagram_names_every_state_and_every_cause(machine, form):
    text = diagrams.draw(machine, form)
    for state in machine.states:
        assert state.name in text
        assert state.symbol in text
    for cause in machine.inputs:
        assert cause in text


@EVERY_MACHINE
@pytest.mark.parametrize(("form", "line"), [("dot", " -> "), ("mermaid", " --> ")])
def test_parallel_transitions_are_one_arrow(machine, form, line):
    arrows = [row for row in diagrams.draw(machine, form).splitlines() if line in row]
    drawn = [row for row in arrows if "[*]" not in row]
    assert len(drawn) == len(merged(machine))


def test_the_mermaid_of_the_cleanup():
    assert diagrams.mermaid(MACHINES["cleanup"]) == (
        "%% cleanup (RFC 7143 section 8.2)\n"
        "stateDiagram-v2\n"
        "    CLEANUP_WAIT: R1 CLEANUP_WAIT\n"
        "    IN_CLEANUP: R2 IN_CLEANUP\n"
        "    FREE: R3 FREE\n"
        "    [*] --> CLEANUP_WAIT\n"
        "    CLEANUP_WAIT --> IN_CLEANUP: M2 logout_started\n"
        "    CLEANUP_WAIT --> FREE: M1 connection_timed_out, session_logout_answered_elsewhere\n"
        "    IN_CLEANUP --> CLEANUP_WAIT: M3 logout_failed\n"
        "    IN_CLEANUP --> FREE: M4 logout_succeeded, session_logout_answered_elsewhere\n"
    )


def test_the_difference_names_what_is_changed_missing_or_too_much(tmp_path, monkeypatch):
    folder = tmp_path / "diagrams"
    few = {name: MACHINES[name] for name in ("cleanup", "task", "text")}
    monkeypatch.setattr(diagrams, "MACHINES", few)  # specs/ has them all, and is compared as well
    every = len(few) * len(diagrams.FORMATS) + len(header.NAMES)
    assert len(diagrams.different(folder)) == every
    diagrams.write(folder)
    assert diagrams.different(folder) == []
    (folder / "text.svg").unlink()
    (folder / "task.mmd").write_text("")
    (folder / "toaster.dot").write_text("")
    (folder / "pdus" / "reject.svg").write_text("")
    changed = ["pdus/reject.svg", "task.mmd", "text.svg", "toaster.dot"]
    assert diagrams.different(folder) == changed


def test_only_the_folders_that_are_written_to_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(diagrams, "MACHINES", {"task": MACHINES["task"]})
    diagrams.write(tmp_path)
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "toaster.jpeg").write_bytes(b"\xff\xd8")
    assert diagrams.different(tmp_path) == []
    (tmp_path / "task.svg").write_bytes(b"\xff\xd8")
    assert diagrams.different(tmp_path) == ["task.svg"]


@EVERY_MACHINE
def test_an_svg_tells_the_sentence_of_every_state_and_every_cause(machine):
    drawing = unescape(diagrams.svg(machine))
    for state in machine.states:
        assert state.sentence in drawing
    for sentence in machine.inputs.values():
        assert sentence in drawing
