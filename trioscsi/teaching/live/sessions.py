"""The sessions that a feed knows of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.machines import MACHINES
from trioscsi.serial import MODULUS
from trioscsi.teaching.live.message import Message

if TYPE_CHECKING:
    from trioscsi.teaching.live.talk import Talk

_FREE = MACHINES["session"].initial


@attrs.define(eq=False)
class Session:
    """One session, by what its logins say."""

    number: int
    initiator: str
    target: str
    """Empty for a discovery session."""
    isid: bytes
    tsih: int = 0
    kind: str = "Normal"
    state: str = _FREE
    talks: list[Talk] = attrs.field(factory=list)
    _commands: int | None = None

    def advance(self, cmd_sn: int) -> int:
        """How many commands there were since this was asked last, by the CmdSN of the next one."""
        before, self._commands = self._commands, cmd_sn
        return 0 if before is None else (cmd_sn - before) % MODULUS

    @property
    def described(self) -> Message:
        """It as others see it."""
        return {
            "session": self.number,
            "initiator": self.initiator,
            "target": self.target,
            "isid": self.isid.hex(),
            "tsih": self.tsih,
            "kind": self.kind,
            "state": self.state,
            "connections": [talk.number for talk in self.talks],
        }


@attrs.define
class Sessions:
    """All of them, counted from 1."""

    _known: dict[int, Session] = attrs.field(factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def described(self) -> list[Message]:
        """All sessions as others see them."""
        return [session.described for session in self._known.values()]

    def join(self, initiator: str, target: str, isid: bytes, tsih: int, kind: str) -> Session:
        """The session that a login asks for: with a TSIH, one that is there (section 11.12.6)."""
        if tsih:
            for session in self._known.values():
                if (session.tsih, session.isid, session.initiator) == (tsih, isid, initiator):
                    return session
        self._count += 1
        session = Session(self._count, initiator, target, isid, tsih, kind)
        self._known[self._count] = session
        return session

    def leave(self, session: Session, talk: Talk, *, for_good: bool = False) -> None:
        """Nothing is left of a connection; without any, and without a state, a session is over.

        ``for_good``: it is over in any state, as nobody will tell of it any more.
        """
        if talk in session.talks:
            session.talks.remove(talk)
        if not session.talks and (for_good or session.state == _FREE):
            self._known.pop(session.number, None)
