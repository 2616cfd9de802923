"""A session as the device servers see it: an I_T nexus (RFC 7143 section 4.4.2)."""

from __future__ import annotations

from trioscsi.protocol import Session
from trioscsi.scsi import Nexus

_ISCSI = 0x0960
"""The version descriptor of iSCSI, to which the negotiated level is added (RFC 7144 4.2)."""

_RFC_7144 = 2
"""The protocol level that has queries, and sense data with any status."""


def nexus_of(session: Session) -> Nexus:
    """The nexus of a session that has logged in."""
    level = session.parameters.protocol_level
    # A portal group is a target port (RFC 7143 section 4.1), and a target port group too.
    group = session.portal_group
    return Nexus(
        f"{session.initiator_name},i,0x{session.isid.hex()}",
        f"{session.node.name},t,0x{group:04x}",
        relative_target_port=group,
        target_port_group=group,
        transport=_ISCSI + level,
        queries=level >= _RFC_7144,
        sense_with_any_status=level >= _RFC_7144,
        view=session.view,
    )
