"""How connections log in, negotiate and end (RFC 7143 chapter 6)."""

from __future__ import annotations

import attrs

from trioscsi.conformance.notes.requests import begin, end
from trioscsi.conformance.record import TAGS_KEPT, Connection, Phase, Record, Session, Task, later
from trioscsi.conformance.stream import Seen, bare
from trioscsi.pdu import NO_TASK, LoginRequest, LoginResponse, TextRequest, TextResponse
from trioscsi.text import Parameters, Side, Stage

_FULL_FEATURE = Stage.FULL_FEATURE


def login_request(_: Record, connection: Connection, seen: Seen, pdu: LoginRequest) -> None:
    if connection.phase is Phase.START:
        connection.phase = Phase.LOGIN
    if connection.first_login is None:
        connection.first_login = bare(pdu)
    connection.request = bare(pdu)
    connection.unanswered += 1


def login_response(record: Record, connection: Connection, seen: Seen, pdu: LoginResponse) -> None:
    request, connection.unanswered = connection.request, 0
    connection.asked_for_part = pdu.continue_
    if connection.version_max is None:
        connection.version_max = pdu.version_max
    if pdu.status_class:
        connection.phase = Phase.REFUSED
    elif pdu.transit and pdu.nsg == _FULL_FEATURE and connection.first_login is not None:
        _log_in(record, connection, request or connection.first_login, pdu)


def _log_in(
    record: Record, connection: Connection, request: LoginRequest, pdu: LoginResponse
) -> None:
    parameters = connection.dialogue.settle()
    first = connection.first_login
    assert first is not None, "a login that ends has begun"
    session = record.sessions.get(pdu.tsih) if first.tsih else None
    if session is None:
        session = Session(first.isid, parameters.initiator_name or "", pdu.tsih)
        session.parameters = parameters
        session.cmd_sn, session.discovery = request.cmd_sn, parameters.discovery
        # The place of discovery is another target, which may give the same TSIH.
        if not session.discovery or pdu.tsih not in record.sessions:
            record.sessions[pdu.tsih] = session
    else:
        own = parameters
        parameters = attrs.evolve(
            session.parameters,
            header_digest=own.header_digest,
            data_digest=own.data_digest,
            initiator_max_recv_data_segment_length=own.initiator_max_recv_data_segment_length,
            target_max_recv_data_segment_length=own.target_max_recv_data_segment_length,
        )
    replaced = session.connections.get(first.cid)
    if replaced is not None and replaced in record.connections:
        closed(record.connections[replaced])
    session.doubtful = session.doubtful or connection.hasty
    session.several = session.several or bool(session.connections)
    session.connections[first.cid] = connection.number
    session.max_cmd_sn = later(session.max_cmd_sn, pdu.max_cmd_sn)
    connection.session, connection.parameters = session, parameters
    connection.phase = Phase.FULL_FEATURE
    connection.collectors.clear()
    connection.segments = _segments(parameters)


def text_request(_: Record, connection: Connection, seen: Seen, pdu: TextRequest) -> None:
    kept = bare(pdu)
    connection.request = kept
    connection.unanswered += 1
    if connection.text is None or pdu.ttt == NO_TASK:
        connection.text, connection.asked_to_negotiate = kept, False
    begin(connection, seen, kept)


def text_response(_: Record, connection: Connection, seen: Seen, pdu: TextResponse) -> None:
    connection.unanswered, connection.asked_for_part = 0, pdu.continue_
    connection.text_ttt, connection.text_lun = pdu.ttt, pdu.lun
    end(connection, pdu.itt)
    if pdu.final:
        connection.text = None
        parameters = connection.parameters = connection.dialogue.settle()
        # What was sent by the old length is on its way still.
        segments = connection.segments
        for side, declared in _segments(parameters).items():
            segments[side] = max(segments[side], declared)


def text_rejected(connection: Connection) -> None:
    """A text negotiation is over without an answer."""
    connection.text, connection.unanswered = None, 0
    connection.asked_for_part = False
    connection.collectors.clear()


def _segments(parameters: Parameters) -> dict[Side, int]:
    """How long the segments of each side may be: as the other one has declared."""
    return {
        Side.INITIATOR: parameters.target_max_recv_data_segment_length,
        Side.TARGET: parameters.initiator_max_recv_data_segment_length,
    }


def closed(connection: Connection) -> None:
    """A connection is over, and so are its requests."""
    connection.phase = Phase.CLOSED
    session = connection.session
    if session is not None:
        for cid, number in list(session.connections.items()):
            if number == connection.number:
                del session.connections[cid]
        for itt, request in list(session.tags.items()):
            if request.connection == connection.number:
                del session.tags[itt]
                if isinstance(request, Task) and len(session.orphans) < TAGS_KEPT:
                    session.orphans[itt] = request
                if not request.pdu.immediate:
                    # Where the session goes on it may be sent again (section 7.1.4.3).
                    session.retriable.append((itt, request.pdu.cmd_sn))
