from __future__ import annotations

import itertools

import pytest

from trioscsi.errors import PeerError
from trioscsi.text.states import TRANSITIONS, KeyEvent, KeyState, KeyStates


def path_to(state: KeyState) -> list[KeyEvent]:
    paths = {
        KeyState.UNTOUCHED: [],
        KeyState.PROPOSED: [KeyEvent.PROPOSE],
        KeyState.OWED: [KeyEvent.PROPOSAL],
        KeyState.SETTLED: [KeyEvent.DECLARATION],
    }
    return paths[state]


@pytest.mark.parametrize(("state", "event"), list(itertools.product(KeyState, KeyEvent)))
def test_a_key_moves_as_the_table_says_or_not_at_all(state, event):
    states = KeyStates()
    for step in path_to(state):
        states.advance("InitialR2T", step)
    assert states["InitialR2T"] is state
    if (state, event) in TRANSITIONS:
        states.advance("InitialR2T", event)
        assert states["InitialR2T"] is TRANSITIONS[state, event]
    else:
        with pytest.raises(PeerError, match="InitialR2T sent twice"):
            states.advance("InitialR2T", event)
        assert states["InitialR2T"] is state


def test_nothing_leaves_a_settled_key():
    assert all(state is not KeyState.SETTLED for state, _ in TRANSITIONS)
