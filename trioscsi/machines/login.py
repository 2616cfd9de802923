"""The login, as the target sees it (RFC 7143 sections 6.3, 11.12 and 11.13).

The RFC gives the stages and their order (section 6.3.1) but draws no machine, so the labels are
ours: ``stages`` are its rows, ``C`` the partial texts of section 6.2.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a login has to do after a transition."""

    ASK_FOR_MORE = "Answer a partial text with an empty response, so that the rest is sent."
    ANSWER = "Answer the keys of this request and stay in the stage."
    ANSWER_AND_MOVE_ON = "Answer the keys of this request and agree to the next stage."
    ACCEPT = "Answer the keys of this request and agree to full feature phase."
    SEND_PART = "Send the next part of an answer that does not fit one response."
    REFUSE = "Send the final response with the status that says why not."


class Inputs(Running, Protocol):
    """All that a Login Request, or its absence, can mean."""

    def starts_in_security(self) -> Effects:
        """The first request is acceptable and begins with security negotiation."""

    def starts_in_operational(self) -> Effects:
        """The first request is acceptable and begins with operational negotiation."""

    def text_goes_on(self) -> Effects:
        """The request has the C bit: more of its text follows."""

    def text_is_whole(self) -> Effects:
        """The request without the C bit that ends a partial text."""

    def stays(self) -> Effects:
        """The request is answered, and the stage goes on."""

    def moves_to_operational(self) -> Effects:
        """The request asks for operational negotiation, and nothing stands against it."""

    def moves_to_full_feature(self) -> Effects:
        """The request asks for full feature phase, and nothing stands against it."""

    def answer_is_long(self) -> Effects:
        """The answer to the request does not fit one response."""

    def asks_for_part(self) -> Effects:
        """The empty request that fetches a part of our answer which is not the last."""

    def asks_for_last_part(self) -> Effects:
        """The empty request that fetches the last part of our answer."""

    def refused(self) -> Effects:
        """The request cannot be accepted."""

    def ended(self) -> Effects:
        """The transport was lost, or time is up."""


rows = Rows(
    "login",
    Inputs,
    section="6.3",
    sentence="From the first Login Request to full feature phase, or to a refusal.",
)
AWAITING = rows.state("AWAITING", "L0", "No Login Request has come yet.")
SECURITY = rows.state("SECURITY", "L1s", "The two sides prove who they are.")
OPERATIONAL = rows.state("OPERATIONAL", "L1o", "The two sides agree on how they will talk.")
SECURITY_PARTIAL = rows.state("SECURITY_PARTIAL", "L2s", "A text in several requests is arriving.")
OPERATIONAL_PARTIAL = rows.state(
    "OPERATIONAL_PARTIAL", "L2o", "A text in several requests is arriving."
)
SECURITY_SENDING = rows.state("SECURITY_SENDING", "L3s", "An answer in several responses leaves.")
OPERATIONAL_SENDING = rows.state(
    "OPERATIONAL_SENDING", "L3o", "An answer in several responses leaves."
)
ACCEPTED = rows.state("ACCEPTED", "LF", "The connection is in full feature phase.")
REFUSED = rows.state("REFUSED", "LX", "The login is over and has failed.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("start-security", AWAITING.upon(I.starts_in_security).to(SECURITY))
rfc("start-operational", AWAITING.upon(I.starts_in_operational).to(OPERATIONAL))

rfc("security", SECURITY.upon(I.stays).to(SECURITY), E.ANSWER)
rfc(
    "security-operational",
    SECURITY.upon(I.moves_to_operational).to(OPERATIONAL),
    E.ANSWER_AND_MOVE_ON,
)
rfc("security-full", SECURITY.upon(I.moves_to_full_feature).to(ACCEPTED), E.ACCEPT)
rfc("operational", OPERATIONAL.upon(I.stays).to(OPERATIONAL), E.ANSWER)
rfc("operational-full", OPERATIONAL.upon(I.moves_to_full_feature).to(ACCEPTED), E.ACCEPT)

for stage, partial, sending in (
    (SECURITY, SECURITY_PARTIAL, SECURITY_SENDING),
    (OPERATIONAL, OPERATIONAL_PARTIAL, OPERATIONAL_SENDING),
):
    rfc("C-in", stage.upon(I.text_goes_on).to(partial), E.ASK_FOR_MORE)
    rfc("C-in", partial.upon(I.text_goes_on).to(partial), E.ASK_FOR_MORE)
    rfc("C-in-end", partial.upon(I.text_is_whole).to(stage))
    rfc("C-out", stage.upon(I.answer_is_long).to(sending), E.SEND_PART)
    rfc("C-out", sending.upon(I.asks_for_part).to(sending), E.SEND_PART)
    rfc("C-out-end", sending.upon(I.asks_for_last_part).to(stage), E.SEND_PART)
    for state in (stage, partial, sending):
        rfc("refuse", state.upon(I.refused).to(REFUSED), E.REFUSE)
        rfc("end", state.upon(I.ended).to(REFUSED))
rfc("refuse", AWAITING.upon(I.refused).to(REFUSED), E.REFUSE)
rfc("end", AWAITING.upon(I.ended).to(REFUSED))

machine = rows.build()
