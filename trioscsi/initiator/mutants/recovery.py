"""What is done about failures (chapter 7): one fault a row."""

from __future__ import annotations

from trioscsi.initiator.deviations import Deviation, Rule
from trioscsi.initiator.mutants.rows import row

MUTANTS: tuple[Deviation, ...] = (
    row("recovery-hasty", "7.5", "logs in anew before Time2Wait has passed", Rule.TIME2WAIT),
    row("recovery-restless", "11.13.5", "logs in anew at once when the target is out of resources", Rule.BACK_OFF),
    row("recovery-stubborn", "11.13.5", "logs in anew after a refusal that is final", Rule.FINAL_REFUSAL),
    row("recovery-stranger", "7.15", "comes back with another ISID", Rule.SAME_ISID),
    row("recovery-tsih", "6.3.5", "comes back with the TSIH of the session that has failed", Rule.NEW_SESSION),
    row("recovery-none", "7.14", "leaves a session that has failed as it is", Rule.RECOVER),
    row("command-patient", "7.11", "waits for ever for the answer to a command", Rule.ABORT_LATE_COMMANDS),
)  # fmt: skip
