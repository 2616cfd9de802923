"""A text exchange in full feature phase, as the target sees it (RFC 7143 sections 6.4 and 11.10).

The RFC says the rules of F, C and the Target Transfer Tag in prose; the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a text exchange has to do after a transition."""

    START_OVER = "Forget what an unfinished exchange had said."
    ASK_FOR_MORE = "Answer a partial text, or a request without F, with an empty response."
    ANSWER = "Answer the keys; the exchange goes on under a Target Transfer Tag."
    ANSWER_AND_END = "Answer the keys with F; what was agreed takes effect."
    SEND_PART = "Send the next part of a long answer."
    SEND_LAST_PART = "Send the last part of a long answer with F; the exchange is over."
    REJECT = "Send a Reject; what the exchange had said is void (section 6.4)."


class Inputs(Running, Protocol):
    """All that a Text Request, or its absence, can mean."""

    def started(self) -> Effects:
        """A request with the reserved Target Transfer Tag: a new exchange begins."""

    def text_goes_on(self) -> Effects:
        """The text of the request continues in the next one (C bit)."""

    def initiator_goes_on(self) -> Effects:
        """The text is whole and can be answered, but the initiator has more to say (F is 0)."""

    def all_is_said(self) -> Effects:
        """The text is whole, the initiator has finished, and the answer fits one response."""

    def answer_is_long(self) -> Effects:
        """The text is whole, and the answer does not fit one response."""

    def asks_for_part(self) -> Effects:
        """The empty request that fetches a part of our answer which is not the last."""

    def asks_for_last_part(self) -> Effects:
        """The empty request that fetches the last part of our answer."""

    def broken(self) -> Effects:
        """The request breaks a rule of negotiation, or belongs to no exchange."""

    def timed_out(self) -> Effects:
        """The exchange was left unfinished for too long."""


rows = Rows(
    "text",
    Inputs,
    section="6.4",
    sentence="One negotiation by Text Requests, such as SendTargets.",
)
IDLE = rows.state("IDLE", "X0", "No exchange is under way.")
NEGOTIATING = rows.state("NEGOTIATING", "X1", "A request has been answered; more may follow.")
COLLECTING = rows.state("COLLECTING", "X2", "A text in several requests is arriving.")
SENDING = rows.state("SENDING", "X3", "An answer in several responses is leaving.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("start", IDLE.upon(I.started).to(NEGOTIATING), E.START_OVER)
rfc("restart", NEGOTIATING.upon(I.started).to(NEGOTIATING), E.START_OVER)
rfc("restart", COLLECTING.upon(I.started).to(NEGOTIATING), E.START_OVER)
rfc("restart", SENDING.upon(I.started).to(NEGOTIATING), E.START_OVER)

rfc("C-in", NEGOTIATING.upon(I.text_goes_on).to(COLLECTING), E.ASK_FOR_MORE)
rfc("C-in", COLLECTING.upon(I.text_goes_on).to(COLLECTING), E.ASK_FOR_MORE)
rfc("go-on", NEGOTIATING.upon(I.initiator_goes_on).to(NEGOTIATING), E.ANSWER)
rfc("go-on", COLLECTING.upon(I.initiator_goes_on).to(NEGOTIATING), E.ANSWER)
rfc("end", NEGOTIATING.upon(I.all_is_said).to(IDLE), E.ANSWER_AND_END)
rfc("end", COLLECTING.upon(I.all_is_said).to(IDLE), E.ANSWER_AND_END)
rfc("C-out", NEGOTIATING.upon(I.answer_is_long).to(SENDING), E.SEND_PART)
rfc("C-out", COLLECTING.upon(I.answer_is_long).to(SENDING), E.SEND_PART)
rfc("C-out", SENDING.upon(I.asks_for_part).to(SENDING), E.SEND_PART)
rfc("C-out-end", SENDING.upon(I.asks_for_last_part).to(IDLE), E.SEND_LAST_PART)

for state in (IDLE, NEGOTIATING, COLLECTING, SENDING):
    rfc("broken", state.upon(I.broken).to(IDLE), E.REJECT)
for state in (NEGOTIATING, COLLECTING, SENDING):
    rfc("timeout", state.upon(I.timed_out).to(IDLE), E.START_OVER)

machine = rows.build()
