from __future__ import annotations

import pytest

from trioscsi.machines import MACHINES
from trioscsi.teaching.arrows import merged


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_transition_is_on_one_arrow_and_no_two_arrows_are_parallel(machine):
    arrows = merged(machine)
    assert [row for arrow in arrows for row in arrow.rows] == list(machine.transitions)
    assert len({(arrow.source, arrow.target) for arrow in arrows}) == len(arrows)


def test_causes_are_gathered_by_label():
    [arrow] = [
        arrow
        for arrow in merged(MACHINES["logout"])
        if (arrow.source, arrow.target) == ("ASKED", "ENDING")
    ]
    assert list(arrow.causes) == [
        ("connection", ["close_connection_requested"]),
        ("session", ["close_session_requested"]),
    ]
