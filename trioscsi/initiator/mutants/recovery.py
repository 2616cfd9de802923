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
    row("data-forgone", "7.9", "does not ask for data that are missing", Rule.ASK_FOR_DATA),
    row("statuses-forgone", "7.9", "does not ask for statuses that are missing", Rule.ASK_FOR_STATUSES),
    row("status-hasty", "7.9", "acknowledges a status whose data are missing", Rule.HOLD_STATUS),
    row("acknowledgment-hasty", "11.16.2", "acknowledges data behind a hole", Rule.POSTPONE_ACKNOWLEDGMENT),
    row("snack-old-length", "11.16.3", "asks for data as they were cut before", Rule.RESEGMENTATION),
    row("snack-any-tag", "11.4.4", "takes a status from before its R-Data SNACK", Rule.SNACK_TAG),
    row("data-not-missed", "7.8", "takes a command whose data were lost for one that went well", Rule.LOST_DATA_FAIL),
    row("command-not-missed", "7.2.1", "does not send a command again that was lost", Rule.RETRY_COMMANDS),
    row("reassign-forgone", "7.1.4.3", "does not have its commands reassigned", Rule.REASSIGN_TASKS),
    row("reassign-other-cid", "6.3.4", "comes back to its session with another CID", Rule.SAME_CID),
    row("connections-unagreed", "13.2", "opens more connections than were agreed", Rule.AGREED_CONNECTIONS),
    row("connections-strewn", "4.4.1", "has connections of one session to different portal groups", Rule.ONE_PORTAL_GROUP),
    row("logout-half", "11.14", "talks on by other connections after a logout of the session", Rule.SILENCE_EVERYWHERE),
)  # fmt: skip
