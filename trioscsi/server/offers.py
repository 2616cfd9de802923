"""What a target brings to negotiations, out of what users and limits say."""

from __future__ import annotations

from typing import Any

import attrs

from trioscsi.errors import UsageError
from trioscsi.limits import Limits
from trioscsi.protocol import Authentication
from trioscsi.text import Offer

_SET_ELSEWHERE = {
    "auth_methods",
    "error_recovery_level",
    "max_recv_data_segment_length",
    "target_portal_group_tag",
    "reticent",
}
"""What follows from limits, from CHAP, and from the portal that a peer came through; what is of no
use to a target, which proposes next to nothing; and a level of error recovery that it has not."""

_RFC_7144 = 2
"""The iSCSIProtocolLevel that has its task management functions."""


def make_offer(limits: Limits, proof: Authentication | None, **settings: Any) -> Offer:
    """An offer with these settings, within the limits; raises UsageError.

    With a ``proof``, authentication by CHAP is all that is offered.
    """
    known = {field.name for field in attrs.fields(Offer)} - _SET_ELSEWHERE
    unknown = settings.keys() - known
    if unknown:
        raise UsageError(f"a target has no setting {', '.join(sorted(unknown))}")
    settings.setdefault("protocol_level", _RFC_7144)
    if settings.get("max_connections", 1) == 1:
        # On one connection, responses cannot overtake one another: nothing more is needed.
        settings.setdefault("task_reporting", ("FastAbort", "ResponseFence", "RFC3720"))
    elif set(settings.get("task_reporting", ())) - {"RFC3720"}:
        raise UsageError(
            "responses of several connections are not fenced: TaskReporting is RFC3720"
        )
    methods = ("None",) if proof is None else ("CHAP",)
    return Offer.of(max_recv_data_segment_length=limits.segment, auth_methods=methods, **settings)
