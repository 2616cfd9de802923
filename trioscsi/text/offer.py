"""What one side brings to a negotiation: ``Offer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import and_, deep_iterable, ge, in_, le, min_len, optional

from trioscsi.errors import UsageError
from trioscsi.text.codec import VALUE_LENGTH
from trioscsi.text.key import SessionType
from trioscsi.text.keys import KEYS
from trioscsi.utf8 import fits

if TYPE_CHECKING:
    from collections.abc import Callable


def _number(name: str, default: int) -> int:
    key = KEYS[name]
    field: int = attrs.field(default=default, validator=and_(ge(key.minimum), le(key.maximum)))
    return field


def _text(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and ("\0" in value or not fits(value, VALUE_LENGTH)):
        raise UsageError(
            f"{attribute.name} must have at most {VALUE_LENGTH} bytes of UTF-8, none of them 0"
        )


def _some_of(*values: str) -> Callable[..., Any]:
    return and_(min_len(1), deep_iterable(in_(values)))


_DIGESTS = _some_of("None", "CRC32C")


@attrs.frozen(kw_only=True)
class Offer:
    """What this side wants, and what it can do when the peer wants something else.

    Lists are in order of preference. Booleans are what this side would choose: ``initial_r2t``
    false means that it can do without an R2T for the first burst. Lengths are in bytes, times in
    seconds. Raises ``ValueError`` for values that the RFC does not allow, or not together.
    """

    session_type: SessionType = SessionType.NORMAL
    initiator_name: str | None = attrs.field(default=None, validator=_text)
    initiator_alias: str | None = attrs.field(default=None, validator=_text)
    target_name: str | None = attrs.field(default=None, validator=_text)
    target_alias: str | None = attrs.field(default=None, validator=_text)
    target_portal_group_tag: int | None = attrs.field(
        default=None, validator=optional(in_(range(65_536)))
    )
    """None where no target exists: in a Discovery session that names none (section 13.9)."""
    node_architecture: str | None = attrs.field(default=None, validator=_text)
    auth_methods: tuple[str, ...] = attrs.field(
        default=("None",), validator=_some_of("None", "CHAP", "KRB5", "SRP")
    )
    header_digests: tuple[str, ...] = attrs.field(default=("None", "CRC32C"), validator=_DIGESTS)
    data_digests: tuple[str, ...] = attrs.field(default=("None", "CRC32C"), validator=_DIGESTS)
    max_recv_data_segment_length: int = _number("MaxRecvDataSegmentLength", 262_144)
    max_connections: int = _number("MaxConnections", 1)
    initial_r2t: bool = False
    immediate_data: bool = True
    max_burst_length: int = _number("MaxBurstLength", 1_048_576)
    first_burst_length: int = _number("FirstBurstLength", 262_144)
    default_time2wait: int = _number("DefaultTime2Wait", 2)
    default_time2retain: int = _number("DefaultTime2Retain", 20)
    max_outstanding_r2t: int = _number("MaxOutstandingR2T", 8)
    data_pdu_in_order: bool = True
    data_sequence_in_order: bool = True
    error_recovery_level: int = _number("ErrorRecoveryLevel", 0)
    task_reporting: tuple[str, ...] = attrs.field(
        default=("RFC3720",), validator=_some_of("RFC3720", "ResponseFence", "FastAbort")
    )
    """An initiator proposes them if they include RFC3720 and ResponseFence (section 13.23)."""
    protocol_level: int = _number("iSCSIProtocolLevel", 1)
    reticent: frozenset[str] = frozenset()
    """Keys that this side does not propose, and answers if the other does."""

    @classmethod
    def of(cls, **values: Any) -> Offer:
        """One out of what a user says; raises UsageError for values that cannot be."""
        try:
            return cls(**values)
        except ValueError as error:
            # What a validator says is followed by what it is about.
            raise UsageError(str(error.args[0])) from None

    def __attrs_post_init__(self) -> None:
        if self.first_burst_length > self.max_burst_length:
            raise UsageError("FirstBurstLength must not exceed MaxBurstLength")
