"""I_T nexuses: one initiator port and one target port that talk (SAM-5)."""

from __future__ import annotations

import attrs

from trioscsi.scsi.sense import AdditionalSense

_RESETS = frozenset(
    {
        AdditionalSense.POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED,
        AdditionalSense.BUS_DEVICE_RESET_FUNCTION_OCCURRED,
    }
)


@attrs.define(eq=False)
class Nexus:
    """One nexus and the unit attentions that it has not been told, in order for each LUN.

    Ports are named as the transport names them; ``relative_target_port`` is the target port's
    number in the target, and ``target_port_group`` that of its group, both from 1 (SPC-4 sections
    7.8 and 5.15).
    """

    initiator_port: str
    target_port: str
    relative_target_port: int = 1
    target_port_group: int = 1
    pending: dict[int, list[AdditionalSense]] = attrs.field(factory=dict, init=False)

    def establish(self, lun: int, code: AdditionalSense) -> None:
        """Something happened to ``lun`` that this initiator is to hear of, once.

        A reset is the last word: whoever hears of it assumes that all else was lost too.
        """
        waiting = self.pending.setdefault(lun, [])
        if code in _RESETS:
            waiting.clear()
        if code not in waiting:
            waiting.append(code)

    def take(self, lun: int) -> AdditionalSense | None:
        """The oldest attention of ``lun``, which now has been reported; None without any."""
        waiting = self.pending.get(lun)
        if not waiting:
            return None
        code = waiting.pop(0)
        if not waiting:
            del self.pending[lun]
        return code

    def forget(self, lun: int) -> None:
        """``lun`` is no more: nothing about it needs a report."""
        self.pending.pop(lun, None)

    def forget_luns_changed(self) -> None:
        """The initiator has read the list of LUNs: no unit needs to say that it changed."""
        code = AdditionalSense.REPORTED_LUNS_DATA_HAS_CHANGED
        for lun, waiting in list(self.pending.items()):
            if code in waiting:
                waiting.remove(code)
            if not waiting:
                del self.pending[lun]
