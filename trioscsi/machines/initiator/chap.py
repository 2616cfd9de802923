"""CHAP, as the initiator sees it (RFC 7143 sections 9.2.1 and 12.1.3).

The mirror of `trioscsi.machines.chap`; the RFC tells this in prose, so the labels are ours.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What the initiator has to send after a transition."""

    OFFER = "Send CHAP_A: the algorithms."
    RESPOND = "Send CHAP_N and CHAP_R: prove to the target who this is."
    RESPOND_AND_CHALLENGE = "Send CHAP_I and CHAP_C as well: the target has to prove itself."


class Inputs(Running, Protocol):
    """All that the keys of a login can mean to an authentication."""

    def method_agreed(self) -> Effects:
        """The target has chosen CHAP."""

    def challenged(self) -> Effects:
        """CHAP_A, CHAP_I and CHAP_C came; the target need not prove itself."""

    def challenged_by_suspect(self) -> Effects:
        """CHAP_A, CHAP_I and CHAP_C came; the target has to prove itself too."""

    def target_proven(self) -> Effects:
        """CHAP_N and CHAP_R came, and are right."""

    def failed(self) -> Effects:
        """A key was wrong, missing or out of its turn."""


rows = Rows(
    "initiator.chap",
    Inputs,
    section="12.1.3",
    sentence="How this initiator proves that it knows a secret, and has the target do so too.",
)
UNPROVEN = rows.state("UNPROVEN", "G0", "Nobody has proven anything.")
OFFERED = rows.state("OFFERED", "G1", "The algorithms are on their way; the challenge is due.")
CHALLENGING = rows.state("CHALLENGING", "G2", "Our challenge is on its way; the proof is due.")
DONE = rows.state("DONE", "G3", "All is said and proven that has to be.")
FAILED = rows.state("FAILED", "GX", "The login fails.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("method", UNPROVEN.upon(I.method_agreed).to(OFFERED), E.OFFER)
rfc("one-way", OFFERED.upon(I.challenged).to(DONE), E.RESPOND)
rfc("mutual", OFFERED.upon(I.challenged_by_suspect).to(CHALLENGING), E.RESPOND_AND_CHALLENGE)
rfc("proof", CHALLENGING.upon(I.target_proven).to(DONE))
for state in (UNPROVEN, OFFERED, CHALLENGING, DONE):
    rfc("fail", state.upon(I.failed).to(FAILED))

machine = rows.build()
