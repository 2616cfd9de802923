"""Every bound, in one place (lengths in bytes, times in seconds).

Each is enforced before memory or time is spent, so that a hostile peer costs a known amount.
"""

from __future__ import annotations

import attrs
from attrs.validators import and_, ge, in_, le

LOGIN_SEGMENT = 8192
"""The data segment of any PDU before the login has ended (RFC 7143 section 13.12)."""

TRACE_BACKLOG = 64 * 2**20
"""Bytes of a trace that wait for the disk; beyond it, packets are left out."""

REFUSALS_EXPLAINED, REFUSALS_INTERVAL = 20, 10.0
"""How many refusals are explained in so many seconds; of others only the number is told."""

LOG_LINES, LOG_INTERVAL = 1000, 10.0
"""How many lines ``trioscsi serve`` logs in so many seconds; others are counted."""

_TOLD = and_(ge(0.0), le(65_535.0))
"""A time that initiators are told, in whole seconds of 16 bits (RFC 7143 section 11.9.1)."""


@attrs.frozen(kw_only=True)
class Limits:
    """The bounds of one target; every field can be set by its owner."""

    segment: int = attrs.field(default=262_144, validator=in_(range(512, 2**24)))
    """Our MaxRecvDataSegmentLength: the largest data segment that we accept."""
    ahs: int = attrs.field(default=1020, validator=in_(range(1021)))
    """All additional header segments of one PDU; the header can say 255 words at most."""
    text: int = attrs.field(default=16_384, validator=ge(8192))
    """One key=value sequence joined over C bits (section 6.2 asks for 8192 at least)."""
    keys: int = attrs.field(default=128, validator=ge(64))
    """Keys in one negotiation."""
    target_list: int = attrs.field(default=2**20, validator=ge(8192))
    """What a target may answer to SendTargets."""
    tasks: int = attrs.field(default=128, validator=in_(range(1, 65_536)))
    """Commands of one session that are not answered: the width of the CmdSN window."""
    immediate_tasks: int = attrs.field(default=16, validator=ge(1))
    """Immediate commands of one session that are not answered (section 4.2.2.1)."""
    task_set: int = attrs.field(default=4096, validator=ge(1))
    """Commands of one unit that wait, for others or for storage, whoever gave them."""
    transfer: int = attrs.field(default=16 * 2**20, validator=ge(65_536))
    """The data of one SCSI command."""
    write_same: int = attrs.field(default=2**30, validator=ge(65_536))
    """What one WRITE SAME command writes, with the few bytes that come with it."""
    unmap: int = attrs.field(default=2**29, validator=in_(range(65_536, 2**41)))
    """The blocks of one UNMAP command, in bytes."""
    unmap_descriptors: int = attrs.field(default=256, validator=in_(range(1, 4096)))
    """Block descriptors of one UNMAP command."""
    space_interval: float = attrs.field(default=5.0, validator=ge(0))
    """Between two looks at how much room thin disks have, if an initiator has set thresholds, and
    at tokens that nobody uses any more."""
    jobs: int = attrs.field(default=64, validator=ge(1))
    """Commands of one target that were answered before they were done (with the IMMED bit)."""
    registrations: int = attrs.field(default=1024, validator=in_(range(1, 65_537)))
    """I_T nexuses that are registered for persistent reservations of one unit."""
    write_buffers: int = attrs.field(default=64 * 2**20, validator=ge(65_536))
    """Write data of one session that wait for the rest; beyond it, R2Ts are held back.

    A server keeps as much memory for those of all sessions; what they need beyond it is fresh.
    """
    output: int = attrs.field(default=8 * 2**20, validator=ge(65_536))
    """Answers that wait for a peer that does not read; beyond it, nothing more is read."""
    total_output: int = attrs.field(default=256 * 2**20, validator=ge(65_536))
    """The same for all connections of a server together; beyond it, no peer that has anything left
    to read is served, and one that has not gets the data of one large command at a time."""
    turn_pdus: int = attrs.field(default=64, validator=ge(1))
    """PDUs of one connection handled before another has its turn; an eighth if several are busy."""
    turn_bytes: int = attrs.field(default=262_144, validator=ge(4096))
    """Bytes of one connection received before another connection gets its turn."""
    sessions: int = attrs.field(default=1024, validator=in_(range(1, 32_769)))
    """Sessions of one target, failed ones included; a TSIH has 16 bits."""
    connections: int = attrs.field(default=2048, validator=ge(1))
    """Transport connections of one server, those that have not logged in included."""
    connections_per_address: int = attrs.field(default=2048, validator=ge(1))
    """Those of one host."""
    connection_rate: float = attrs.field(default=1000.0, validator=ge(1))
    """Transport connections that one host may open in a second."""
    logins: int = attrs.field(default=512, validator=ge(1))
    """Transport connections that have not finished their login."""
    refusals: int = attrs.field(default=256, validator=ge(1))
    """Refusals that one server remembers, with their reasons."""
    isns_message: int = attrs.field(default=2**20, validator=ge(65_536))
    """One message of a name server."""
    isns_notices: int = attrs.field(default=16, validator=ge(1))
    """Connections on which a name server tells us something; the oldest gives way to a new one."""
    isns_time: float = attrs.field(default=10.0, validator=ge(0))
    """How long a name server may take to answer."""
    isns_retry: float = attrs.field(default=30.0, validator=ge(0))
    """Between two attempts to register at a name server."""
    isns_interval: int = attrs.field(default=60, validator=ge(1))
    """Between two inquiries of a name server whether we are alive."""
    login_time: float = attrs.field(default=15.0, validator=ge(0))
    """From the transport connection to the end of the login."""
    login_pdus: int = attrs.field(default=64, validator=ge(4))
    """Login requests of one login."""
    logout_time: float = attrs.field(default=10.0, validator=_TOLD)
    """From a request to log out to the Logout Request (section 11.9.1, Parameter3)."""
    send_time: float = attrs.field(default=60.0, validator=ge(0))
    """How long a peer may leave our answers unread before its connection is dropped."""
    abort_time: float = attrs.field(default=0.5, validator=ge(0))
    """How long an answer to task management waits for storage that cannot be called off."""
    command_time: float = attrs.field(default=0.0, validator=ge(0))
    """How long an initiator waits for the answer to a command; 0: for ever."""
    management_time: float = attrs.field(default=10.0, validator=ge(0))
    """How long an initiator waits for the answer to task management before it goes further."""
    snack_time: float = attrs.field(default=5.0, validator=ge(0))
    """How long an initiator waits for what it has asked for again, before it asks once more."""
    retry_time: float = attrs.field(default=5.0, validator=ge(0))
    """How long a command may stay unacknowledged before an initiator sends it again, where error
    recovery was agreed."""
    texts: int = attrs.field(default=64, validator=ge(1))
    """Text negotiations of one target that are not over after their first request."""
    text_time: float = attrs.field(default=30.0, validator=_TOLD)
    """How long an unfinished text negotiation is kept."""
    ping_interval: float = attrs.field(default=30.0, validator=ge(0))
    """Silence after which a peer is pinged with NOP-In; 0: never."""
    ping_time: float = attrs.field(default=30.0, validator=ge(0))
    """How long a ping that was answered before may stay unanswered."""
