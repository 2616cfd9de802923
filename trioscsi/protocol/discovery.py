"""SendTargets (RFC 7143 appendix C and section 13.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu import RejectReason
from trioscsi.protocol.names import normalise
from trioscsi.text import Pair

if TYPE_CHECKING:
    from trioscsi.protocol.session import Session

Targets = Iterable[tuple[str, list[str]]]
"""Target names, each with its TargetAddress values."""


def send_targets(value: str, session: Session, targets: Targets) -> list[Pair]:
    """The answer to ``SendTargets=value``, of the targets that this initiator may know.

    A discovery session asks for ``All`` or for one name; a normal one for its own target, by name
    or by an empty value.  A target that the initiator may not know is as good as none: the answer
    is then empty.  Raises PeerError if the session may not ask for this.
    """
    wanted: str | None = None
    if session.normal:
        wanted = session.node.name
        if value and _normalised(value) != wanted:
            raise PeerError(
                f"SendTargets={value} in a session with another target",
                section="C",
                answer=RejectReason.PROTOCOL_ERROR,
            )
    elif value != "All":
        wanted = _normalised(value)
    answer: list[Pair] = []
    for name, addresses in targets:
        if wanted is None or name == wanted:
            answer.append(("TargetName", name))
            answer += [("TargetAddress", address) for address in addresses]
    return answer


def _normalised(value: str) -> str:
    try:
        return normalise(value)
    except UsageError as error:
        raise PeerError(str(error), section="4.2.7", answer=RejectReason.PROTOCOL_ERROR) from None
