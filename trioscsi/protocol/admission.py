"""What the first keys of a login ask for: which session, with whom (RFC 7143 section 6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.errors import PeerError, UsageError
from trioscsi.pdu import LoginRequest, LoginStatus
from trioscsi.protocol.names import normalise
from trioscsi.protocol.node import Node
from trioscsi.protocol.numbering import CommandOrder
from trioscsi.protocol.session import Session
from trioscsi.text import Negotiation, Pair, Parameters, Side

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection


def admit(connection: TargetConnection, request: LoginRequest, pairs: list[Pair]) -> Negotiation:
    """Find the session that a login is for, and begin the negotiation of its keys.

    Raises PeerError with the login status if there is no such session or target, or if the
    initiator may not use it.
    """
    keys = dict(pairs)
    initiator_name = _name(keys, "InitiatorName")
    discovery = keys.get("SessionType") == "Discovery"
    target_name = None if discovery else _name(keys, "TargetName")
    node = connection.gatekeeper.node(initiator_name, target_name)
    if node.closing:
        raise PeerError(
            "the target is being stopped",
            section="11.13.5",
            answer=LoginStatus.SERVICE_UNAVAILABLE,
        )
    group = connection.gatekeeper.portal_group
    portal = connection.gatekeeper.portal if discovery else ""
    known = node.find((initiator_name, request.isid, portal or group))
    if request.tsih == 0:
        session = _lead(node, initiator_name, request, group)
        session.portal = portal
        if target_name is not None:
            session.view = connection.gatekeeper.view(initiator_name, target_name)
        take_place(connection, session)
    else:
        session = _join(connection, node, request, known)
    connection.join(session)
    leading = request.tsih == 0
    # In a discovery session there is no target, and so no portal group of one (section 13.9).
    tag = None if discovery else group
    return Negotiation(
        Side.TARGET,
        attrs.evolve(node.offer, target_portal_group_tag=tag),
        leading=leading,
        parameters=session.parameters if leading else session.parameters.for_new_connection(),
    )


def _lead(node: Node, initiator_name: str, request: LoginRequest, group: int) -> Session:
    """A new session, in the place of one of the same initiator port if there is one (6.3.5)."""
    order = CommandOrder(request.cmd_sn, node.limits.tasks)
    return Session(node, initiator_name, request.isid, Parameters(), order, group)


def take_place(connection: TargetConnection, session: Session) -> None:
    """See whose place a leading login takes: that of the same initiator port, as it is now."""
    session.replaces = session.node.find(session.nexus)
    connection.replaces = [] if session.replaces is None else list(session.replaces.connections)


def _join(
    connection: TargetConnection, node: Node, request: LoginRequest, known: Session | None
) -> Session:
    """A connection for a session that exists: another, or one in the place of a lost one."""
    if known is None and any(
        (session.isid, session.tsih) == (request.isid, request.tsih) for session in node.sessions
    ):
        raise PeerError(
            "the session lives in another portal group",
            section="4.2.7.1",
            answer=LoginStatus.CANNOT_INCLUDE_IN_SESSION,
        )
    if known is None or known.tsih != request.tsih:
        raise PeerError(
            f"there is no session with TSIH {request.tsih} of this initiator port",
            section="6.3.1",
            answer=LoginStatus.SESSION_DOES_NOT_EXIST,
        )
    # The same CID reinstates a connection (section 6.3.4).
    connection.replaces = [other for other in known.connections if other.cid == request.cid]
    others = [other for other in known.connections if other not in connection.replaces]
    if len(others) >= known.parameters.max_connections:
        raise PeerError(
            f"the session may have {known.parameters.max_connections} connections",
            section="13.2",
            answer=LoginStatus.TOO_MANY_CONNECTIONS,
        )
    return known


def _name(keys: dict[str, str], key: str) -> str:
    if key not in keys:
        raise PeerError(
            f"the first Login Request has no {key}",
            section="6.3",
            answer=LoginStatus.MISSING_PARAMETER,
        )
    try:
        return normalise(keys[key])
    except UsageError as error:
        raise PeerError(
            f"{key}: {error}", section="4.2.7", answer=LoginStatus.INITIATOR_ERROR
        ) from None
