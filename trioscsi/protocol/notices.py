"""What the target says unasked: Asynchronous Messages (RFC 7143 section 11.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trioscsi.pdu import AsyncEvent, AsyncMessage
from trioscsi.pdu import sense as sense_segment

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection
    from trioscsi.protocol.session import Session

FAST_ABORT = "FastAbort"
"""The TaskReporting with which an initiator understands event 5 (section 13.23)."""


class Notices:
    """The Asynchronous Messages of one connection in full feature phase."""

    def __init__(self, connection: TargetConnection, session: Session) -> None:
        self._connection = connection
        self._session = session

    def unit_changed(self, lun: int, sense: bytes) -> None:
        """Something happened to a unit, which sense data tell (event 0).

        ``lun`` is the unit's field in the target.
        """
        self._send(
            AsyncEvent.SCSI_EVENT,
            lun=self._session.view.outward(lun),
            data=sense_segment.join(sense),
        )

    def logout_wanted(self, seconds: float) -> None:
        """The initiator is to log out within so many seconds (event 1)."""
        self._send(AsyncEvent.LOGOUT_REQUEST, parameter3=int(seconds))

    def connection_drops(self, cid: int) -> None:
        """A connection is about to be closed, or is gone (event 2); its commands end with it.

        Parameter3 is 0: at error recovery level 0 nothing waits for them to be reassigned.
        """
        self._send(
            AsyncEvent.CONNECTION_DROP,
            parameter1=cid,
            parameter2=self._session.parameters.default_time2wait,
        )

    def session_drops(self) -> None:
        """All connections of the session are about to be closed (event 3)."""
        self._send(AsyncEvent.SESSION_DROP, parameter2=self._session.parameters.default_time2wait)

    def negotiation_wanted(self) -> None:
        """The initiator is to begin a text negotiation (event 4)."""
        self._send(
            AsyncEvent.NEGOTIATION_REQUEST, parameter3=int(self._connection.limits.text_time)
        )

    def tasks_end(self, lun: int) -> None:
        """Tasks of a unit are ended by somebody else (event 5): no more data is to come for them.

        ``lun`` is the unit's field in the target. The initiator acknowledges it by a NOP-Out; what
        it has sent by then is dropped anyway.
        """
        if self._session.parameters.task_reporting == FAST_ABORT:
            self._send(AsyncEvent.TASK_TERMINATION, lun=self._session.view.outward(lun))

    def _send(self, event: AsyncEvent, **fields: Any) -> None:
        self._connection.send_status(AsyncMessage(async_event=event, **fields))
