"""Which rule each refusal stands for, in a sentence, and where in a PDU to look for the breach.

One table an enumeration: login status, Reject reason, task management response, SCSI status, sense
key.  What can be done about the first two is told by `trioscsi.server.refusals.ADVICE`, which a
server's log needs as well.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from trioscsi.pdu import LoginStatus, RejectReason, TaskResult
from trioscsi.scsi import SenseKey, Status


@attrs.frozen
class Rule:
    """What holds, which fields of the refused PDU and which keys it is about, and some advice."""

    says: str
    fields: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    advice: str = ""


def _login(says: str, *, fields: str = "", keys: str = "") -> Rule:
    return Rule(says, tuple(fields.split()), tuple(keys.split()))


LOGIN: Mapping[enum.IntEnum, Rule] = {
    LoginStatus.TARGET_MOVED_TEMPORARILY: _login(
        "A target may send an initiator elsewhere, for this time.", keys="TargetName"
    ),
    LoginStatus.TARGET_MOVED_PERMANENTLY: _login(
        "A target may send an initiator elsewhere, for ever.", keys="TargetName"
    ),
    LoginStatus.INITIATOR_ERROR: _login("Requests and keys of a login have to follow the rules."),
    LoginStatus.AUTHENTICATION_FAILURE: _login(
        "Who logs in has to prove who it is, by a method that both sides know.",
        keys="AuthMethod CHAP_A CHAP_N CHAP_R CHAP_I CHAP_C",
    ),
    LoginStatus.AUTHORIZATION_FAILURE: _login(
        "A target decides by name and address who may use it.", keys="InitiatorName"
    ),
    LoginStatus.NOT_FOUND: _login(
        "A session is one with a target that is there.", keys="TargetName"
    ),
    LoginStatus.TARGET_REMOVED: _login(
        "A target that was removed will not come back.", keys="TargetName"
    ),
    LoginStatus.UNSUPPORTED_VERSION: _login(
        "Both sides need a version of the protocol in common.", fields="version_max version_min"
    ),
    LoginStatus.TOO_MANY_CONNECTIONS: _login(
        "A session has at most MaxConnections connections.", fields="tsih cid"
    ),
    LoginStatus.MISSING_PARAMETER: _login(
        "The first request of a login says who is there, and in a normal session who is wanted.",
        keys="InitiatorName TargetName SessionType",
    ),
    LoginStatus.CANNOT_INCLUDE_IN_SESSION: _login(
        "A session reaches only through portals of one group.", fields="tsih cid"
    ),
    LoginStatus.SESSION_TYPE_NOT_SUPPORTED: _login(
        "A session is a normal one or one of discovery.", keys="SessionType"
    ),
    LoginStatus.SESSION_DOES_NOT_EXIST: _login(
        "A TSIH other than 0 names a session that exists.", fields="isid tsih cid"
    ),
    LoginStatus.INVALID_DURING_LOGIN: _login(
        "Until its login has ended, a connection carries Login PDUs alone."
    ),
    LoginStatus.TARGET_ERROR: _login("A target that cannot go on says so."),
    LoginStatus.SERVICE_UNAVAILABLE: _login("A target that is not in service says so."),
    LoginStatus.OUT_OF_RESOURCES: _login("A target has room for so many sessions and no more."),
}

REJECT: Mapping[enum.IntEnum, Rule] = {
    RejectReason.DATA_DIGEST_ERROR: Rule(
        "Data whose digest does not match are not used.", ("data_segment_length",)
    ),
    RejectReason.SNACK_REJECT: Rule(
        "Only what the error recovery level has kept can be sent again.", ("type", "beg_run")
    ),
    RejectReason.PROTOCOL_ERROR: Rule("Each PDU has a place where it may come.", ("opcode",)),
    RejectReason.COMMAND_NOT_SUPPORTED: Rule(
        "The opcode says what a PDU is, and which side sends it.", ("opcode",)
    ),
    RejectReason.IMMEDIATE_COMMAND_REJECT: Rule(
        "A target has room for so many immediate commands and no more.", ("immediate",)
    ),
    RejectReason.TASK_IN_PROGRESS: Rule(
        "The tag of a task is its own until it has ended.", ("itt",)
    ),
    RejectReason.INVALID_DATA_ACK: Rule(
        "Data are acknowledged where the target asks for it by the A bit.", ("type", "ttt")
    ),
    RejectReason.INVALID_PDU_FIELD: Rule("Each field has the values that its section names."),
    RejectReason.LONG_OPERATION_REJECT: Rule("A target may put off what takes long."),
    RejectReason.WAITING_FOR_LOGOUT: Rule(
        "After the target has asked for a logout, no new command begins.", ("opcode",)
    ),
}

TASKS: Mapping[enum.IntEnum, Rule] = {
    TaskResult.NO_TASK: Rule(
        "A function about one task names one that is there.",
        ("referenced_task_tag", "ref_cmd_sn"),
        advice="mostly nothing: the task ended while the request was on its way",
    ),
    TaskResult.NO_LUN: Rule(
        "A function is about a logical unit that is there.",
        ("lun",),
        advice="compare the LUN with what REPORT LUNS says",
    ),
    TaskResult.STILL_ALLEGIANT: Rule(
        "A task moves only after its connection was logged out.",
        ("referenced_task_tag",),
        advice="the initiator has to log the old connection out first",
    ),
    TaskResult.REASSIGNMENT_NOT_SUPPORTED: Rule(
        "Tasks move between connections at error recovery level 2 alone.",
        ("function",),
        advice="the initiator has to send the command again",
    ),
    TaskResult.NOT_SUPPORTED: Rule(
        "A target carries out the functions that it knows.",
        ("function",),
        advice="functions of RFC 7144 need iSCSIProtocolLevel 2 in the login",
    ),
    TaskResult.NOT_AUTHORIZED: Rule(
        "Not every initiator may reset what others use.",
        ("function",),
        advice="let the administrator of the target do it",
    ),
    TaskResult.REJECTED: Rule(
        "A function is carried out or it is not; there is nothing between.",
        ("function",),
        advice="look for the cause in the lines before, and try again",
    ),
}

STATUS: Mapping[enum.IntEnum, Rule] = {
    Status.BUSY: Rule(
        "A unit that can take no command now says so.",
        ("lun",),
        advice="the initiator is to try again later",
    ),
    Status.RESERVATION_CONFLICT: Rule(
        "What another initiator has reserved is not for all.",
        ("lun",),
        advice="see who holds the reservation (sg_persist --read-full-status), and let it go",
    ),
    Status.TASK_SET_FULL: Rule(
        "A unit has room for so many commands and no more.",
        ("lun",),
        advice="the initiator is to have fewer commands under way: a lower queue depth",
    ),
    Status.ACA_ACTIVE: Rule(
        "During an auto contingent allegiance only ACA tasks run.",
        ("attributes",),
        advice="the initiator has to clear it: CLEAR ACA",
    ),
    Status.TASK_ABORTED: Rule(
        "A task that another initiator has ended says so (TAS).",
        ("itt",),
        advice="ask the other initiators why they reset the unit or cleared its task set",
    ),
}
"""But CHECK CONDITION, of which the sense key tells more."""

SENSE: Mapping[enum.IntEnum, Rule] = {
    SenseKey.NOT_READY: Rule(
        "A unit does what needs its medium when it is ready.",
        ("lun",),
        advice="start the unit (sg_start --start), or wait until its format has ended",
    ),
    SenseKey.MEDIUM_ERROR: Rule(
        "What cannot be read or written is said to be so.",
        ("cdb",),
        advice="look at the storage behind the target: the log has its error",
    ),
    SenseKey.HARDWARE_ERROR: Rule(
        "A target that fails says so.",
        ("cdb",),
        advice="look at the storage behind the target: the log has its error",
    ),
    SenseKey.ILLEGAL_REQUEST: Rule(
        "A CDB and its parameters have the values that the unit can do.",
        ("cdb",),
        advice="mostly nothing: initiators ask for what not every disk has; if it is a read or a"
        " write, compare its place with the capacity",
    ),
    SenseKey.DATA_PROTECT: Rule(
        "What is protected is not written.",
        ("cdb",),
        advice="the disk is read-only (--read-only, SWP), or a thin one is full",
    ),
    SenseKey.BLANK_CHECK: Rule(
        "What was never written cannot be read.", ("cdb",), advice="write it first"
    ),
    SenseKey.COPY_ABORTED: Rule(
        "A copy ends where one of its sides fails.",
        ("cdb",),
        advice="look at the units that the copy reads from and writes to",
    ),
    SenseKey.ABORTED_COMMAND: Rule(
        "A command that cannot be done as it came is ended.",
        ("cdb",),
        advice="look at what the initiator sent with the command; it may send it again",
    ),
    SenseKey.MISCOMPARE: Rule(
        "What is compared is the same, or the command fails.",
        ("cdb",),
        advice="mostly nothing: another initiator was faster, as COMPARE AND WRITE is to find out",
    ),
}
"""But what is news rather than a refusal, such as a unit attention."""
