"""Which PDU is heard in full feature phase (RFC 7143 sections 4.3, 7.7, 11.14 and 11.17).

One table for the server, the judge and the lesson: what a connection does with a PDU of each kind
while it is normal, is a discovery session, or has begun to log out.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What is done with a PDU."""

    HEAR_COMMAND = "Give the SCSI command its place in the order of commands."
    HEAR_TASK_MANAGEMENT = "Carry the task management function out."
    HEAR_DATA = "Bring the data to its task."
    HEAR_TEXT = "Go on with the text exchange."
    HEAR_LOGOUT = "Begin the logout."
    HEAR_NOP = "Answer the ping, or note that ours was answered."
    HEAR_SNACK = "Send what was lost again, where the error recovery level has it."
    IGNORE = "Drop it: the initiator sent it before it could know better."
    REJECT_PROTOCOL_ERROR = "Send Reject 0x04: this PDU has no place here."
    REJECT_WAITING_FOR_LOGOUT = "Reject it: the initiator was asked to log out."
    REJECT_UNSUPPORTED = "Send Reject 0x05: this target does not know the PDU."
    DROP_CONNECTION = "Drop the connection: no Login Request comes twice (section 4.2.4)."

    # Enum's own is written in Python, and each PDU looks an effect up.
    __hash__ = object.__hash__


class Inputs(Running, Protocol):
    """The kinds of PDU, and the phases' beginnings and ends."""

    def entered_normal(self) -> Effects:
        """The login of a normal session ended well."""

    def entered_discovery(self) -> Effects:
        """The login of a discovery session ended well."""

    def logout_overdue(self) -> Effects:
        """The initiator was asked to log out, and half of its time for that has passed."""

    def logout_began(self) -> Effects:
        """A Logout Request is being carried out on this connection."""

    def command(self) -> Effects:
        """A SCSI Command arrived."""

    def task_management(self) -> Effects:
        """A Task Management Function Request arrived."""

    def data_out(self) -> Effects:
        """A SCSI Data-Out arrived."""

    def text(self) -> Effects:
        """A Text Request arrived."""

    def logout(self) -> Effects:
        """A Logout Request arrived."""

    def nop_out(self) -> Effects:
        """A NOP-Out arrived."""

    def snack(self) -> Effects:
        """A SNACK Request arrived."""

    def login(self) -> Effects:
        """A Login Request arrived."""

    def unknown(self) -> Effects:
        """A PDU of a target, or of no kind that the RFC knows, arrived."""


rows = Rows(
    "full_feature",
    Inputs,
    section="4.3",
    sentence="What a connection does with each kind of PDU once its login is over.",
)
OUTSIDE = rows.state("OUTSIDE", "F0", "The login is not over.")
NORMAL = rows.state("NORMAL", "F1", "A session that does I/O: all requests are heard.")
DISCOVERY = rows.state("DISCOVERY", "F2", "A session that may only ask for targets and log out.")
WAITING = rows.state(
    "WAITING", "F1w", "The initiator takes its time to log out: no new command is heard."
)
LEAVING = rows.state("LEAVING", "F3", "A logout is under way: nothing new is heard.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("normal", OUTSIDE.upon(I.entered_normal).to(NORMAL))
rfc("discovery", OUTSIDE.upon(I.entered_discovery).to(DISCOVERY))
rfc("wait", NORMAL.upon(I.logout_overdue).to(WAITING))
rfc("leave", NORMAL.upon(I.logout_began).to(LEAVING))
rfc("leave", WAITING.upon(I.logout_began).to(LEAVING))
rfc("leave", DISCOVERY.upon(I.logout_began).to(LEAVING))

rfc("hear", NORMAL.upon(I.command).to(NORMAL), E.HEAR_COMMAND)
# An initiator that was asked to log out may end what it has begun (section 11.9.1).
rfc("wait", WAITING.upon(I.command).to(WAITING), E.REJECT_WAITING_FOR_LOGOUT)
for state in (NORMAL, WAITING):
    rfc("hear", state.upon(I.task_management).to(state), E.HEAR_TASK_MANAGEMENT)
    rfc("hear", state.upon(I.data_out).to(state), E.HEAR_DATA)
    rfc("hear", state.upon(I.text).to(state), E.HEAR_TEXT)
    rfc("hear", state.upon(I.logout).to(state), E.HEAR_LOGOUT)
    rfc("hear", state.upon(I.nop_out).to(state), E.HEAR_NOP)
    rfc("hear", state.upon(I.snack).to(state), E.HEAR_SNACK)

# A discovery session asks for targets and logs out, no more (section 4.3).
rfc("hear", DISCOVERY.upon(I.text).to(DISCOVERY), E.HEAR_TEXT)
rfc("hear", DISCOVERY.upon(I.logout).to(DISCOVERY), E.HEAR_LOGOUT)
rfc("refuse", DISCOVERY.upon(I.command).to(DISCOVERY), E.REJECT_PROTOCOL_ERROR)
rfc("refuse", DISCOVERY.upon(I.task_management).to(DISCOVERY), E.REJECT_PROTOCOL_ERROR)
rfc("refuse", DISCOVERY.upon(I.data_out).to(DISCOVERY), E.REJECT_PROTOCOL_ERROR)
rfc("refuse", DISCOVERY.upon(I.snack).to(DISCOVERY), E.REJECT_PROTOCOL_ERROR)
# Real initiators ping in discovery sessions too; silence would cost them the connection.
rfc("hear", DISCOVERY.upon(I.nop_out).to(DISCOVERY), E.HEAR_NOP)

# Data of earlier commands may still be on its way (section 11.14); anything else has no place.
rfc("leave", LEAVING.upon(I.data_out).to(LEAVING), E.IGNORE)
rfc("leave", LEAVING.upon(I.nop_out).to(LEAVING), E.IGNORE)
rfc("leave", LEAVING.upon(I.snack).to(LEAVING), E.IGNORE)
rfc("refuse", LEAVING.upon(I.command).to(LEAVING), E.REJECT_PROTOCOL_ERROR)
rfc("refuse", LEAVING.upon(I.task_management).to(LEAVING), E.REJECT_PROTOCOL_ERROR)
rfc("refuse", LEAVING.upon(I.text).to(LEAVING), E.REJECT_PROTOCOL_ERROR)
rfc("refuse", LEAVING.upon(I.logout).to(LEAVING), E.REJECT_PROTOCOL_ERROR)

for state in (NORMAL, WAITING, DISCOVERY, LEAVING):
    rfc("unknown", state.upon(I.unknown).to(state), E.REJECT_UNSUPPORTED)
    rfc("login", state.upon(I.login).to(state), E.DROP_CONNECTION)

machine = rows.build()
