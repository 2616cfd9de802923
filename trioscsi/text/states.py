"""How far each key of one negotiation is (RFC 7143 sections 6.2 to 6.4)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import PeerError

if TYPE_CHECKING:
    from collections.abc import Mapping


class KeyState(enum.Enum):
    """Where one key is in one negotiation."""

    UNTOUCHED = "neither side has sent it"
    PROPOSED = "this side has proposed a value and waits for the answer"
    OWED = "the peer has proposed a value and waits for the answer"
    SETTLED = "its value is agreed, declared or refused; sending it again is an error"


class KeyEvent(enum.Enum):
    """What happens to one key."""

    PROPOSE = "this side proposes"
    PROPOSAL = "the peer proposes"
    ANSWER = "the answer is given, or is not needed"
    DECLARATION = "the peer declares"


TRANSITIONS: Mapping[tuple[KeyState, KeyEvent], KeyState] = {
    (KeyState.UNTOUCHED, KeyEvent.PROPOSE): KeyState.PROPOSED,
    (KeyState.UNTOUCHED, KeyEvent.PROPOSAL): KeyState.OWED,
    (KeyState.UNTOUCHED, KeyEvent.DECLARATION): KeyState.SETTLED,
    (KeyState.PROPOSED, KeyEvent.ANSWER): KeyState.SETTLED,
    (KeyState.OWED, KeyEvent.ANSWER): KeyState.SETTLED,
}
"""Every other pair is a key that is sent twice (sections 6.3 and 6.4)."""


@attrs.define
class KeyStates:
    """The states of all keys of one negotiation."""

    _states: dict[str, KeyState] = attrs.field(factory=dict, init=False)

    def __getitem__(self, name: str) -> KeyState:
        return self._states.get(name, KeyState.UNTOUCHED)

    def advance(self, name: str, event: KeyEvent) -> None:
        """Move a key on; raises ``PeerError`` when that makes it a key sent twice."""
        state = TRANSITIONS.get((self[name], event))
        if state is None:
            raise PeerError(f"{name} sent twice in one negotiation", section="6.3")
        self._states[name] = state
