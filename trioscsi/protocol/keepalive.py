"""NOP-Out and NOP-In: pings both ways (RFC 7143 sections 11.18, 11.19 and 7.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.pdu import NO_TASK, NopIn, NopOut

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection


class Keepalive:
    """Answers pings, and pings a peer that has been silent.

    Not every initiator answers (iPXE cannot), so only a peer that has answered a ping before is
    dropped when it does not.
    """

    def __init__(self, connection: TargetConnection) -> None:
        self._connection = connection
        self.last_heard = connection.now
        self._answers = False
        """Whether the peer has ever answered a ping."""
        self._waiting_for: int | None = None
        """The Target Transfer Tag of the ping that is not answered yet."""
        self._last_ttt = 0
        self._watch()

    def hear(self, pdu: NopOut) -> None:
        """Answer a ping, or note that ours was answered."""
        if pdu.itt != NO_TASK:
            limit = self._connection.parameters.initiator_max_recv_data_segment_length
            data = bytes(pdu.data[:limit])
            self._connection.send_status(NopIn(lun=pdu.lun, itt=pdu.itt, data=data))
        elif pdu.ttt != NO_TASK and pdu.ttt == self._waiting_for:
            self._answers = True
            self._waiting_for = None

    def tell_window(self) -> None:
        """Tell the numbers of the session, where no answer is about to (section 11.4.11)."""
        nop = NopIn()
        self._connection.number(nop)
        self._connection.send(nop)

    def _watch(self) -> None:
        interval = self._connection.limits.ping_interval
        if interval:
            self._connection.deadlines.set("ping", self.last_heard + interval, self._look)

    def _look(self) -> None:
        """It is time to see whether the peer was silent since it was heard last."""
        connection = self._connection
        if connection.now < self.last_heard + connection.limits.ping_interval:
            self._watch()
            return
        self._last_ttt = self._waiting_for = (self._last_ttt + 1) % NO_TASK
        ping = NopIn(ttt=self._waiting_for)
        # The status number is carried, not used up (section 11.19.2).
        connection.number(ping)
        connection.send(ping)
        connection.deadlines.set("ping", connection.now + connection.limits.ping_time, self._late)

    def _late(self) -> None:
        connection = self._connection
        silent = connection.now - self.last_heard
        if (
            self._waiting_for is not None
            and self._answers
            and silent >= connection.limits.ping_time
        ):
            connection.drop(f"a ping was not answered in {connection.limits.ping_time:g} seconds")
            return
        if silent >= connection.limits.ping_interval:
            self.last_heard = connection.now  # one ping an interval, not one at each look
        self._watch()
