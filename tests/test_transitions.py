from __future__ import annotations

from tests.transitions import TransitionCounter
from trioscsi.machines import MACHINES, cleanup


def test_a_counter_knows_what_was_taken_and_what_was_not():
    counter = TransitionCounter()
    running = cleanup.machine.start(counter)
    running.logout_started()
    running.logout_succeeded()
    assert [row.label for row in counter.missing("cleanup")] == ["M1", "M1", "M3", "M4"]
    assert counter.table("cleanup") == (
        "cleanup    2/6    M1 CLEANUP_WAIT connection_timed_out,"
        " M1 CLEANUP_WAIT session_logout_answered_elsewhere, M3 IN_CLEANUP logout_failed,"
        " M4 IN_CLEANUP session_logout_answered_elsewhere"
    )


def test_a_table_of_all_machines_has_a_line_for_each():
    assert len(TransitionCounter().table().splitlines()) == len(MACHINES)
