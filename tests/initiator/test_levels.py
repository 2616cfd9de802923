"""Our initiator with a target that recovers errors, on a way on which anything may be lost.

Whatever is lost: every command comes to its end, and what was read is what had been written.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.initiator.careful import Careful
from tests.initiator.pair import intent, reading, writing
from tests.requirements import requirement
from trioscsi.initiator.events import ConnectionWanted, SessionFailed
from trioscsi.limits import Limits
from trioscsi.pdu import DataIn, ReadyToTransfer, ScsiCommand, ScsiResponse

LIMITS = Limits(ping_interval=0, snack_time=2, retry_time=2)
LOST = (DataIn, ReadyToTransfer, ScsiResponse, ScsiCommand)


def careful(level: int, connections: int, losses: list[bool]) -> Careful:
    """Of what can be lost, one after the other is, or is not, as ``losses`` says.

    Nothing is lost more than twice: whoever tries for ever would not know of a broken line.
    """
    left, lost = iter(losses), Counter[tuple[Any, ...]]()

    def loses(pdu: Any) -> bool:
        number = getattr(pdu, "data_sn", getattr(pdu, "r2t_sn", None))
        name = type(pdu), pdu.itt, number
        if not isinstance(pdu, LOST) or lost[name] == 2 or not next(left, False):
            return False
        lost[name] += 1
        return True

    wish = intent(
        error_recovery_level=level,
        max_connections=connections,
        initial_r2t=True,
        immediate_data=False,
        default_time2wait=1,
    )
    text = (
        f"ErrorRecoveryLevel={level}\0MaxConnections={connections}\0DefaultTime2Wait=1\0"
        "InitialR2T=Yes\0ImmediateData=No\0"
    )
    one = Careful(wish, text.encode(), loses, limits=LIMITS, reconnects=True)
    for _ in range(connections):
        one.open()
    return one


MOVES = st.tuples(
    st.sampled_from(["read", "write", "cut"]), st.integers(0, 200), st.integers(0, 50)
)


@pytest.mark.parametrize(("level", "connections"), [(1, 1), (1, 2), (2, 1), (2, 3)])
@given(moves=st.lists(MOVES, max_size=12), losses=st.lists(st.booleans(), max_size=60))
@settings(deadline=None, max_examples=60)
@requirement("7143-7.1.5-3")
def test_nothing_that_is_lost_is_lost_for_good(
    level: int, connections: int, moves: list[tuple[str, int, int]], losses: list[bool]
):
    one = careful(level, connections, losses)
    expected, tasks, places = bytearray(256), [], []
    for move, offset, length in moves:
        if move == "cut":
            if level == 2:
                lose(one, offset)
            continue
        if move == "write":
            data = bytes([length + 1]) * length
            expected[offset : offset + length] = data
            one.settle()  # what overlaps is not ordered by this target
            tasks.append(one.do(writing(offset, data)))
            one.settle()
        else:
            tasks.append(one.do(reading(offset, length)))
            places.append((tasks[-1], bytes(expected[offset : offset + length])))
            one.run()
    one.settle()
    assert not one.happened(SessionFailed)
    for task in tasks:
        assert (task.over, task.lost, task.status) == (True, "", 0), task
    for task, data in places:
        assert task.data_in == data
    assert one.store == expected


def lose(one: Careful, number: int) -> None:
    """One of the connections is lost, and the initiator does what it has to."""
    alive = [end for end in one.ends if end.connection.full_feature]
    before = len(one.happened(ConnectionWanted))
    one.cut_off(alive[number % len(alive)])
    for wanted in one.happened(ConnectionWanted)[before:]:
        one.pass_time(wanted.wait)
        one.come_back(wanted.connection)
    one.run()
