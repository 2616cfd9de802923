"""NOP-Out and NOP-In at the initiator: pings both ways (RFC 7143 sections 11.18 and 11.19)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.initiator.requests import Ping
from trioscsi.initiator.rules import Rule
from trioscsi.lun import is_impossible
from trioscsi.pdu import NO_TASK, NopIn, NopOut

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection


class Pings:
    """Answers the target's pings, sends our own, and drops a target that is silent."""

    def __init__(self, connection: InitiatorConnection) -> None:
        self._connection = connection
        self.last_heard = connection.now
        self._ping = Ping()
        """The last one that was sent because of silence."""
        self._watch()

    def start(self, ping: Ping, cmd_sn: int | None = None) -> None:
        """Send a ping; ``cmd_sn`` is one that has to be used."""
        connection = self._connection
        pdu = NopOut(itt=ping.itt, data=ping.data)
        connection.send(connection.number(pdu, immediate=ping.immediate, cmd_sn=cmd_sn))
        ping.cmd_sn = pdu.cmd_sn

    def answer(self, pdu: NopIn) -> None:
        """Answer a ping of the target's; what has no tag only tells numbers (section 11.19)."""
        rules = self._connection.session.rules
        if pdu.ttt != NO_TASK:
            valid = not is_impossible(pdu.lun)
            rules.insist(Rule.PING_LUN, valid, f"a ping with the LUN {pdu.lun:016x}", "7.7")
            if rules.keep(Rule.ANSWER_PING):
                self.say_nothing(lun=pdu.lun, ttt=pdu.ttt)
        elif not rules.keep(Rule.SILENT_PING):
            self.say_nothing()

    def say_nothing(self, *, lun: int = 0, ttt: int = NO_TASK) -> None:
        """A NOP-Out that wants no answer: it carries ExpStatSN (section 11.18)."""
        connection = self._connection
        pdu = NopOut(lun=lun, ttt=ttt)
        connection.send(connection.number(pdu, immediate=True))

    def _watch(self) -> None:
        interval = self._connection.limits.ping_interval
        if interval:
            self._connection.deadlines.set("ping", self.last_heard + interval, self._look)

    def _look(self) -> None:
        """It is time to see whether the target was silent since it was heard last."""
        connection = self._connection
        if connection.now < self.last_heard + connection.limits.ping_interval:
            self._watch()
            return
        self._ping = Ping(immediate=True)
        connection.session.submit(self._ping, connection)
        connection.deadlines.set("ping", connection.now + connection.limits.ping_time, self._late)

    def _late(self) -> None:
        connection = self._connection
        silent = connection.now - self.last_heard
        if self._ping.over or silent < connection.limits.ping_time:
            self._watch()
        elif connection.session.rules.keep(Rule.PING_TIME):
            seconds = connection.limits.ping_time
            connection.give_up(f"a ping was not answered in {seconds:g} seconds")
