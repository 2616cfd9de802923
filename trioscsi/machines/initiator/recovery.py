"""How an initiator keeps its session alive (RFC 7143 sections 6.3.5, 7.1.4.4, 7.5 and 7.15).

The RFC tells this in prose, so the labels are ours.  What happens to one session is
`trioscsi.machines.initiator.session`; here one session follows the other, with the same ISID.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What the initiator has to do after a transition."""

    LOG_IN = "Log in with the ISID of before and TSIH 0: the target clears what is left."
    WAIT_TIME2WAIT = "Leave the target in peace for Time2Wait."
    BACK_OFF = "Wait longer than the last time."
    RESUME = "Send what has waited, and anew what the session before did not bring to an end."
    GIVE_UP = "End all that waits: no session will come."


class Inputs(Running, Protocol):
    """All that can happen to who wants to have a session."""

    def logged_in(self) -> Effects:
        """A login has reached full feature phase."""

    def login_failed(self) -> Effects:
        """The target cannot be reached, is silent, or refuses for now (status class 3)."""

    def login_refused(self) -> Effects:
        """The target refuses for good (status class 2)."""

    def session_failed(self) -> Effects:
        """No connection of the session is left, or the target wanted it to be logged out."""

    def wait_over(self) -> Effects:
        """The time to wait has passed."""

    def patience_over(self) -> Effects:
        """It has lasted too long since the session failed."""

    def closed(self) -> Effects:
        """The caller does not want a session any more."""


rows = Rows(
    "initiator.recovery",
    Inputs,
    section="7.1.4",
    sentence="One session after the other, for somebody who wants to have one all the time.",
)
LOGGING_IN = rows.state("LOGGING_IN", "V1", "A login is under way.")
UP = rows.state("UP", "V2", "There is a session in full feature phase.")
WAITING = rows.state("WAITING", "V3", "The next login has to wait.")
DOWN = rows.state("DOWN", "VX", "No session will be there any more.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("up", LOGGING_IN.upon(I.logged_in).to(UP), E.RESUME)
rfc("fail", UP.upon(I.session_failed).to(WAITING), E.WAIT_TIME2WAIT)
rfc("again", WAITING.upon(I.wait_over).to(LOGGING_IN), E.LOG_IN)
rfc("back-off", LOGGING_IN.upon(I.login_failed).to(WAITING), E.BACK_OFF)
rfc("refuse", LOGGING_IN.upon(I.login_refused).to(DOWN), E.GIVE_UP)
rfc("give-up", LOGGING_IN.upon(I.patience_over).to(DOWN), E.GIVE_UP)
rfc("give-up", WAITING.upon(I.patience_over).to(DOWN), E.GIVE_UP)
for state in (LOGGING_IN, UP, WAITING):
    rfc("close", state.upon(I.closed).to(DOWN), E.GIVE_UP)

machine = rows.build()
