"""What negotiations lead to: ``Parameters``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.text.key import Kind, Scope, SessionType, Side, Syntax
from trioscsi.text.keys import KEYS

if TYPE_CHECKING:
    from trioscsi.text.key import Key


@attrs.frozen(kw_only=True)
class Parameters:
    """The values in force on one connection, its session's included (RFC 7143 chapter 13).

    The defaults are the RFC's. Lengths are in bytes, times in seconds.
    """

    session_type: SessionType = SessionType.NORMAL
    initiator_name: str | None = None
    initiator_alias: str | None = None
    initiator_node_architecture: str | None = None
    target_name: str | None = None
    target_alias: str | None = None
    target_node_architecture: str | None = None
    target_portal_group_tag: int | None = None
    target_addresses: tuple[str, ...] = ()
    """Where a login is redirected to."""
    auth_method: str | None = None
    """None: not negotiated, or refused. "None": both sides agreed to do without."""
    header_digest: bool = False
    data_digest: bool = False
    initiator_max_recv_data_segment_length: int = 8192
    target_max_recv_data_segment_length: int = 8192
    max_connections: int = 1
    initial_r2t: bool = True
    immediate_data: bool = True
    max_burst_length: int = 262_144
    first_burst_length: int = 65_536
    default_time2wait: int = 2
    default_time2retain: int = 20
    max_outstanding_r2t: int = 1
    data_pdu_in_order: bool = True
    data_sequence_in_order: bool = True
    error_recovery_level: int = 0
    task_reporting: str = "RFC3720"
    protocol_level: int = 1

    @property
    def discovery(self) -> bool:
        return self.session_type is SessionType.DISCOVERY

    def constrained(self) -> Parameters:
        """The same within the rules between parameters, by lowering what may be lower.

        FirstBurstLength is at most MaxBurstLength (section 13.14); with error recovery and
        sequences in order, one R2T is outstanding at most (section 13.19).
        """
        one_r2t = self.error_recovery_level > 0 and self.data_sequence_in_order
        return attrs.evolve(
            self,
            first_burst_length=min(self.first_burst_length, self.max_burst_length),
            max_outstanding_r2t=1 if one_r2t else self.max_outstanding_r2t,
        )

    def for_new_connection(self) -> Parameters:
        """What another connection of the session starts from: the connection's own are reset."""
        return attrs.evolve(self, **{name: getattr(_DEFAULTS, name) for name in _CONNECTION_ONLY})


_DEFAULTS = Parameters()
_CONNECTION_ONLY = frozenset(
    key.parameter.format(sender=side.value)
    for key in KEYS.values()
    if key.scope is Scope.CONNECTION and key.parameter is not None
    for side in Side
)


def attribute(key: Key, sender: Side | None) -> str:
    """The name of the parameter that a key sets when this side has sent it."""
    return str(key.parameter).format(sender=sender and sender.value)


def result(key: Key, value: Any, sender: Side | None = None) -> dict[str, Any]:
    """The parameters that a key sets, of those in ``Parameters``; ``value`` is one of ``parse``.

    ``sender`` is who declares it, where each side has a value of its own.
    """
    if key.parameter is None:
        return {}
    if key.kind is Kind.LIST:
        (value,) = value
    if key.syntax is Syntax.DIGESTS:
        value = value == "CRC32C"
    return {attribute(key, sender): value}
