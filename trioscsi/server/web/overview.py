"""A server as plain values, as the API hands them out: targets, sessions, connections, refusals."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

if TYPE_CHECKING:
    from trioscsi.protocol import Session
    from trioscsi.server.conversation import Conversation
    from trioscsi.server.server import Server
    from trioscsi.server.storage import Unit
    from trioscsi.server.target import Target

Values: TypeAlias = dict[str, Any]


def targets(server: Server) -> list[Values]:
    """The targets with their units, and what was done with these since the server began."""
    return [_target(target) for target in server.targets.values()]


def _target(target: Target) -> Values:
    return {
        "name": target.name,
        "alias": target.alias,
        "sessions": len(target.node.sessions),
        "units": [_unit(unit) for unit in target.performer.units],
    }


def _unit(unit: Unit) -> Values:
    logical = unit.logical
    return {
        "lun": logical.number,
        "blocks": logical.blocks,
        "block_size": logical.block_size,
        "read_only": logical.read_only,
        "waiting": len(unit.waiting),
        **attrs.asdict(logical.counters),
    }


def sessions(server: Server) -> list[Values]:
    """The sessions whose login has ended, of discovery too."""
    return [_session(session) for node in server.nodes for session in node.sessions]


def _session(session: Session) -> Values:
    return {
        "target": session.node.name,
        "initiator": session.initiator_name,
        "isid": session.isid.hex(),
        "tsih": session.tsih,
        "portal_group": session.portal_group,
        "state": session.state,
        "connections": [connection.cid for connection in session.connections],
        "tasks": len(session.tasks),
        "parameters": attrs.asdict(session.parameters, value_serializer=_plain),
    }


def _plain(_holder: object, _field: object, value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


def connections(server: Server) -> list[Values]:
    """The transport connections, those that have not logged in included."""
    return [_connection(conversation) for conversation in server.conversations]


def _connection(conversation: Conversation) -> Values:
    connection = conversation.connection
    session = connection.session
    return {
        "peer": conversation.peer,
        "state": connection.machine.state,
        "cid": connection.cid,
        "target": None if session is None else session.node.name,
        "initiator": None if session is None else session.initiator_name,
        "tsih": None if session is None else session.tsih,
    }


def refusals(server: Server) -> list[Values]:
    """What was refused of late, oldest first."""
    return [
        {**attrs.asdict(refusal), "time": refusal.time.isoformat()} for refusal in server.refusals
    ]


PARTS: Mapping[str, Callable[[Server], list[Values]]] = {
    "targets": targets,
    "sessions": sessions,
    "connections": connections,
    "refusals": refusals,
}
"""What can be asked for, by its name."""
