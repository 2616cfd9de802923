"""I_T nexuses: one initiator port and one target port that talk (SAM-5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from trioscsi.scsi.complaints import unit_attention
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.sense import AdditionalSense, Overflow, Sense

DEPTH = 16
"""What is kept for one nexus and one unit until it is reported; beyond it, only that there was
more (SPC-4 section 4.5.2.4.6).
"""

_RANKS = {
    AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED: 0,
    AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED: 1,
    AdditionalSense.I_T_NEXUS_LOSS_OCCURRED: 2,
}
"""The attentions that go before all others, in their order (SAM-5 section 5.14)."""
_NO_RESET = 2

Attention = AdditionalSense | Sense
"""What is to be reported: a unit attention, or one with more to say, or a deferred error."""


class View(Protocol):
    """What of a target an initiator sees."""

    @property
    def luns(self) -> Mapping[int, int] | None:
        """The units that it may see: their numbers in the target by what it calls them.

        None: all, as they are.
        """

    def sees(self, number: int) -> bool:
        """Whether it sees the unit with this number in the target."""

    def protects(self, number: int) -> bool:
        """Whether it may only read this unit."""


class Everything:
    """The view of an initiator that sees all units, under their own numbers."""

    luns: Mapping[int, int] | None = None

    def sees(self, number: int) -> bool:
        """See `View.sees`."""
        return True

    def protects(self, number: int) -> bool:
        """See `View.protects`."""
        return False


@attrs.define(eq=False)
class Nexus:
    """One nexus and what it has not been told, in order for each LUN.

    Ports are named as the transport names them; ``relative_target_port`` is the target port's
    number in the target, and ``target_port_group`` that of its group, both from 1 (SPC-4 sections
    7.8 and 5.15).
    """

    initiator_port: str
    target_port: str
    relative_target_port: int = 1
    target_port_group: int = 1
    transport: int = 0x0960
    """The version descriptor of the transport between the ports (SPC-4 section 6.6)."""
    queries: bool = False
    """Whether the transport has the task management functions that ask, and I_T NEXUS RESET."""
    sense_with_any_status: bool = False
    """Whether the initiator knows that sense data may come with GOOD status too."""
    view: View = attrs.field(factory=Everything)
    """Which units this initiator sees."""
    pending: dict[int, list[Attention]] = attrs.field(factory=dict, init=False)
    _overflowed: set[int] = attrs.field(factory=set, init=False)

    @property
    def initiator_name(self) -> str:
        """The iSCSI name of the initiator, which all of its ports share."""
        return transport_id.name_of(self.initiator_port)

    def establish(self, lun: int, attention: Attention) -> None:
        """Something happened to ``lun`` that this initiator is to hear of, once.

        A reset is the last word: whoever hears of it assumes that all else was lost too, and a
        lesser reset with it.
        """
        if not self.view.sees(lun):
            return
        waiting = self.pending.setdefault(lun, [])
        rank = _rank(attention)
        if attention in waiting or any(_rank(other) < rank < _NO_RESET for other in waiting):
            return
        if rank < _NO_RESET:
            waiting.clear()
            self._overflowed.discard(lun)
        if len(waiting) < DEPTH:
            waiting.append(attention)
            waiting.sort(key=_rank)
        else:
            self._overflowed.add(lun)

    def take(self, lun: int) -> Sense | None:
        """The first of what ``lun`` has to report, which now has been; None without any."""
        sense = self.first(lun)
        if sense is not None:
            waiting = self.pending[lun]
            if waiting.pop(0) is AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED:
                self.forget_luns_changed()  # once is enough, whichever unit says it
            self._overflowed.discard(lun)
            if not waiting:
                self.forget(lun)
        return sense

    def first(self, lun: int) -> Sense | None:
        """What ``take`` would take."""
        waiting = self.pending.get(lun)
        if not waiting:
            return None
        first = waiting[0]
        sense = first if isinstance(first, Sense) else unit_attention(first)
        if lun in self._overflowed and not sense.deferred:
            sense = attrs.evolve(sense, specific=Overflow())
        return sense

    def forget(self, lun: int) -> None:
        """``lun`` is no more: nothing about it needs a report."""
        self.pending.pop(lun, None)
        self._overflowed.discard(lun)

    def forget_luns_changed(self) -> None:
        """The initiator has read the list of LUNs: no unit needs to say that it changed."""
        code = AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED
        for lun, waiting in list(self.pending.items()):
            if code in waiting:
                waiting.remove(code)
            if not waiting:
                self.forget(lun)


def _rank(attention: Attention) -> int:
    return len(_RANKS) if isinstance(attention, Sense) else _RANKS.get(attention, len(_RANKS))
