"""What a login is to reach, and with which secrets (RFC 7143 sections 6.3 and 9.2.1)."""

from __future__ import annotations

import attrs
from attrs.validators import in_

from trioscsi.errors import UsageError
from trioscsi.protocol.credentials import ALGORITHMS, Account, Challenges, short_secrets
from trioscsi.serial import MODULUS
from trioscsi.text import Offer, Pair, Stage


@attrs.frozen
class Credentials:
    """How this initiator proves who it is, and which proof it wants in return.

    ``algorithms`` are in order of preference. Raises UsageError for what the RFC forbids.
    """

    account: Account
    challenges: Challenges
    target: Account | None = None
    """Who the target has to prove to be; None: it need not."""
    algorithms: tuple[int, ...] = (8, 6, 5, 7)
    """tgt takes 7 for SHA1, as it was before the registry, so it must find 5 first."""
    protected: bool = False
    """Whether nobody can listen (IPsec, or loopback): else short secrets are not used."""

    def __attrs_post_init__(self) -> None:
        if not self.algorithms or set(self.algorithms) - ALGORITHMS.keys():
            raise UsageError(f"CHAP algorithms are some of {', '.join(map(str, ALGORITHMS))}")
        if self.target is not None and self.target.secret.equals(self.account.secret):
            raise UsageError(
                "the same CHAP secret both ways would let either side pass for the other"
            )

    @property
    def short_secrets(self) -> list[str]:
        """The names whose secrets are too short for a network that others can listen to."""
        return [] if self.protected else short_secrets([self.account, self.target])


@attrs.frozen(kw_only=True)
class Intent:
    """Who logs in where, and what he offers.

    ``offer`` names both nodes and the type of the session; with ``credentials`` it has to offer
    CHAP.  Raises UsageError for what cannot be.
    """

    offer: Offer
    isid: bytes
    credentials: Credentials | None = None
    first_stage: Stage = attrs.field(
        default=Stage.SECURITY, validator=in_((Stage.SECURITY, Stage.OPERATIONAL))
    )
    """A login without authentication may leave security negotiation out (section 6.3.1)."""
    more: tuple[Pair, ...] = ()
    """What is said besides in the first stage: keys of a vendor, for example."""
    first_cmd_sn: int = attrs.field(default=1, validator=in_(range(MODULUS)))
    """The CmdSN with which the session begins (section 11.12.8)."""

    def __attrs_post_init__(self) -> None:
        if len(self.isid) != 6:
            raise UsageError("an ISID has six bytes")
        if self.offer.initiator_name is None:
            raise UsageError("a login needs the name of the initiator")
        if self.credentials is not None and (
            "CHAP" not in self.offer.auth_methods or self.first_stage is not Stage.SECURITY
        ):
            raise UsageError("a login with credentials begins with the offer of CHAP")
