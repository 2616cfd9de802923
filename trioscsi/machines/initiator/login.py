"""The login, as the initiator sees it (RFC 7143 sections 6.3, 11.12 and 11.13).

The mirror of `trioscsi.machines.login`; the RFC draws neither, so the labels are ours: stages are
the rows of section 6.3, ``C`` the partial texts of section 6.2.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a login has to do after a transition."""

    SEND_REQUEST = "Send the next request: keys, answers to the target's keys, or nothing."
    SEND_PART = "Send the next part of a request that does not fit one PDU."
    ASK_FOR_MORE = "Send an empty request, so that the rest of a partial answer comes."
    LEARN = "Take in the keys of the response; the stage goes on."
    LEARN_AND_MOVE_ON = "Take in the keys of the response; the next stage begins."
    FINISH = "Take in the keys and the TSIH of the response: what was agreed takes effect."
    FOLLOW = "Log in anew at the address that the response gives."
    REPORT_STATUS = "Tell the caller the status that the target gave."
    REPORT_FAULT = "Tell the caller what the target did wrong, and close."


class Inputs(Running, Protocol):
    """All that the wish to go on, or a Login Response, can mean."""

    def starts_in_security(self) -> Effects:
        """The login begins with security negotiation."""

    def starts_in_operational(self) -> Effects:
        """The login begins with operational negotiation."""

    def request_is_ready(self) -> Effects:
        """The next request fits one PDU."""

    def request_is_long(self) -> Effects:
        """The next request does not fit one PDU."""

    def asked_for_part(self) -> Effects:
        """The empty response that fetches a part of our request which is not the last."""

    def asked_for_last_part(self) -> Effects:
        """The empty response that fetches the last part of our request."""

    def text_goes_on(self) -> Effects:
        """The response has the C bit: more of its text follows."""

    def text_is_whole(self) -> Effects:
        """The response without the C bit that ends a partial text."""

    def answered(self) -> Effects:
        """The response leaves the stage as it is."""

    def moved_to_operational(self) -> Effects:
        """The response agrees to operational negotiation."""

    def moved_to_full_feature(self) -> Effects:
        """The response agrees to full feature phase."""

    def redirected(self) -> Effects:
        """The response says that the target has moved (status class 1)."""

    def refused(self) -> Effects:
        """The response has status class 2 or 3."""

    def broken(self) -> Effects:
        """The response, or another PDU in its place, breaks a rule of the login."""

    def ended(self) -> Effects:
        """The transport was lost, or time is up."""


rows = Rows(
    "initiator.login",
    Inputs,
    section="6.3",
    sentence="From the first Login Request to full feature phase, or to the reason why not.",
)
CONNECTED = rows.state("CONNECTED", "I0", "The transport is up; nothing has been sent.")
SECURITY = rows.state("SECURITY", "I1s", "The two sides prove who they are.")
OPERATIONAL = rows.state("OPERATIONAL", "I1o", "The two sides agree on how they will talk.")
SECURITY_SENDING = rows.state("SECURITY_SENDING", "I2s", "A text in several requests leaves.")
OPERATIONAL_SENDING = rows.state("OPERATIONAL_SENDING", "I2o", "A text in several requests leaves.")
SECURITY_PARTIAL = rows.state("SECURITY_PARTIAL", "I3s", "A text in several responses is arriving.")
OPERATIONAL_PARTIAL = rows.state(
    "OPERATIONAL_PARTIAL", "I3o", "A text in several responses is arriving."
)
ACCEPTED = rows.state("ACCEPTED", "IF", "The connection is in full feature phase.")
REFUSED = rows.state("REFUSED", "IX", "The login is over and has failed.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("start-security", CONNECTED.upon(I.starts_in_security).to(SECURITY))
rfc("start-operational", CONNECTED.upon(I.starts_in_operational).to(OPERATIONAL))
rfc("end", CONNECTED.upon(I.ended).to(REFUSED))

rfc("security", SECURITY.upon(I.answered).to(SECURITY), E.LEARN)
rfc(
    "security-operational",
    SECURITY.upon(I.moved_to_operational).to(OPERATIONAL),
    E.LEARN_AND_MOVE_ON,
)
rfc("security-full", SECURITY.upon(I.moved_to_full_feature).to(ACCEPTED), E.FINISH)
rfc("operational", OPERATIONAL.upon(I.answered).to(OPERATIONAL), E.LEARN)
rfc("operational-full", OPERATIONAL.upon(I.moved_to_full_feature).to(ACCEPTED), E.FINISH)

for stage, sending, partial in (
    (SECURITY, SECURITY_SENDING, SECURITY_PARTIAL),
    (OPERATIONAL, OPERATIONAL_SENDING, OPERATIONAL_PARTIAL),
):
    rfc("request", stage.upon(I.request_is_ready).to(stage), E.SEND_REQUEST)
    rfc("C-out", stage.upon(I.request_is_long).to(sending), E.SEND_PART)
    rfc("C-out", sending.upon(I.asked_for_part).to(sending), E.SEND_PART)
    rfc("C-out-end", sending.upon(I.asked_for_last_part).to(stage), E.SEND_PART)
    rfc("C-in", stage.upon(I.text_goes_on).to(partial), E.ASK_FOR_MORE)
    rfc("C-in", partial.upon(I.text_goes_on).to(partial), E.ASK_FOR_MORE)
    rfc("C-in-end", partial.upon(I.text_is_whole).to(stage))
    for state in (stage, sending, partial):
        rfc("redirect", state.upon(I.redirected).to(REFUSED), E.FOLLOW)
        rfc("refuse", state.upon(I.refused).to(REFUSED), E.REPORT_STATUS)
        rfc("break", state.upon(I.broken).to(REFUSED), E.REPORT_FAULT)
        rfc("end", state.upon(I.ended).to(REFUSED))

machine = rows.build()
