"""A command in the task set of a logical unit (SAM-5: command states).

It is looked at only while the order of commands matters, or an auto contingent allegiance holds
some of them up; SAM-5 draws the states, the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What has to be done with a command after a transition."""

    START = "Perform the command."
    REFUSE = "Answer that the command may not enter the task set."
    GO_ON = "Let the command have its data or its answer."
    WITHHOLD = "Keep data or answer until the allegiance is cleared."


class Inputs(Running, Protocol):
    """All that can happen to a command in a task set."""

    def found_running(self) -> Effects:
        """The command was begun before anybody had to look at the order."""

    def is_first(self) -> Effects:
        """No command has to end before this one, which has just come."""

    def is_behind(self) -> Effects:
        """Another command has to end before this one, which has just come."""

    def is_refused(self) -> Effects:
        """An allegiance, the attribute, or the number of commands keeps this one out."""

    def turn_came(self) -> Effects:
        """All commands that had to end before this one have."""

    def went_on(self) -> Effects:
        """The command's data has come, or its answer is known."""

    def allegiance_established(self) -> Effects:
        """A command of the task set has failed, and wants nothing to go on."""

    def allegiance_cleared(self) -> Effects:
        """The initiator has seen to it, or is gone."""

    def over(self) -> Effects:
        """The command is answered, or was aborted."""


rows = Rows(
    "task_state",
    Inputs,
    section="11.3.1",
    sentence="One command in the task set of a logical unit, from its arrival to its end.",
)
ARRIVED = rows.state("ARRIVED", "T0", "The command has come, and has no place in the task set yet.")
DORMANT = rows.state("DORMANT", "T1", "The command waits for others to end.")
ENABLED = rows.state("ENABLED", "T2", "The command is performed.")
BLOCKED = rows.state("BLOCKED", "T3", "An allegiance keeps the command from ending.")
ENDED = rows.state("ENDED", "T4", "The command has left the task set.")

I, E, sam = Inputs, Effect, rows.rfc

sam("enter", ARRIVED.upon(I.is_first).to(ENABLED), E.START)
sam("join", ARRIVED.upon(I.found_running).to(ENABLED))
sam("wait", ARRIVED.upon(I.is_behind).to(DORMANT))
sam("refuse", ARRIVED.upon(I.is_refused).to(ENDED), E.REFUSE)
sam("enable", DORMANT.upon(I.turn_came).to(ENABLED), E.START)
sam("go-on", ENABLED.upon(I.went_on).to(ENABLED), E.GO_ON)
sam("block", ENABLED.upon(I.allegiance_established).to(BLOCKED))
sam("withhold", BLOCKED.upon(I.went_on).to(BLOCKED), E.WITHHOLD)
sam("unblock", BLOCKED.upon(I.allegiance_cleared).to(ENABLED), E.GO_ON)

for state in (DORMANT, ENABLED, BLOCKED):
    sam("end", state.upon(I.over).to(ENDED))

machine = rows.build()
