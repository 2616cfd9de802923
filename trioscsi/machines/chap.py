"""CHAP, as the target sees it (RFC 7143 sections 9.2.1 and 12.1.3).

The RFC tells this in prose; the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What the target has to send after a transition."""

    CHALLENGE = "Send CHAP_A, CHAP_I and CHAP_C: the algorithm, and what to prove the secret with."
    RESPOND = "Send CHAP_N and CHAP_R: prove to the initiator that this is the target."


class Inputs(Running, Protocol):
    """All that the keys of a login can mean to an authentication."""

    def method_agreed(self) -> Effects:
        """AuthMethod=CHAP was proposed and chosen."""

    def algorithms_offered(self) -> Effects:
        """CHAP_A came, with an algorithm that suits both."""

    def proven(self) -> Effects:
        """CHAP_N and CHAP_R came, and are right."""

    def proven_and_challenged(self) -> Effects:
        """CHAP_N and CHAP_R came, and are right; CHAP_I and CHAP_C ask for a proof in return."""

    def failed(self) -> Effects:
        """A key was wrong, missing or out of its turn."""


rows = Rows(
    "chap",
    Inputs,
    section="12.1.3",
    sentence="How an initiator proves that it knows a secret, and the target that it does too.",
)
UNPROVEN = rows.state("UNPROVEN", "H0", "Nobody has proven anything.")
AGREED = rows.state("AGREED", "H1", "Both sides know that CHAP is to be used.")
CHALLENGED = rows.state("CHALLENGED", "H2", "The challenge is on its way; the response is due.")
PROVEN = rows.state("PROVEN", "H4", "The initiator knows the secret.")
FAILED = rows.state("FAILED", "HX", "The initiator has proven nothing, and the login fails.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("method", UNPROVEN.upon(I.method_agreed).to(AGREED))
rfc("challenge", AGREED.upon(I.algorithms_offered).to(CHALLENGED), E.CHALLENGE)
rfc("one-way", CHALLENGED.upon(I.proven).to(PROVEN))
rfc("mutual", CHALLENGED.upon(I.proven_and_challenged).to(PROVEN), E.RESPOND)
for state in (UNPROVEN, AGREED, CHALLENGED, PROVEN):
    rfc("fail", state.upon(I.failed).to(FAILED))

machine = rows.build()
