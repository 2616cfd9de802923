"""Everything else in full feature phase: one fault a row."""

from __future__ import annotations

from trioscsi.initiator.deviations import Deviation, Rule, changing, following, repeating
from trioscsi.initiator.mutants.rows import (
    flip_data_digest,
    flip_header_digest,
    plus,
    row,
    solicited,
)
from trioscsi.pdu import (
    LoginRequest,
    LogoutRequest,
    NopOut,
    ScsiCommand,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
    TextRequest,
)

MUTANTS: tuple[Deviation, ...] = (
    row("ping-ignored", "11.19", "does not answer pings", Rule.ANSWER_PING),
    row("ping-tag", "11.18.2", "answers a ping with another tag", changing(NopOut, when=solicited, ttt=plus("ttt"))),
    row("ping-lun", "11.18.3", "answers a ping with another LUN", changing(NopOut, when=solicited, lun=1 << 48)),
    row("ping-both-tags", "11.18.1", "answers a ping with a task tag", changing(NopOut, when=solicited, itt=77)),
    row("ping-counted", "11.18.1", "answers a ping without I", changing(NopOut, when=solicited, immediate=False)),
    row("text-f-and-c", "11.10.2", "sets F and C together", changing(TextRequest, final=True, continue_=True)),
    row("text-tag", "11.10.4", "begins an exchange as if it went on", changing(TextRequest, ttt=7)),
    row("text-open", "11.10.1", "never ends an exchange", changing(TextRequest, final=False)),
    row("text-no-equals", "6.1", "sends text without an equals sign", changing(TextRequest, data=b"SendTargets\0")),
    row("management-function", "11.5.1", "asks for a function that there is not", changing(TaskManagementRequest, function=0x7F)),
    row("management-tag", "11.5.5", "refers to a task that there is not", changing(TaskManagementRequest, referenced_task_tag=0xDEAD)),
    row("management-cmdsn", "11.5.6", "refers to a task by the wrong RefCmdSN", changing(TaskManagementRequest, ref_cmd_sn=plus("ref_cmd_sn", 5))),
    row("logout-reason", "11.14.1", "logs out for a reason that there is not", changing(LogoutRequest, reason=5)),
    row("logout-cid", "11.14.3", "logs out a connection that there is not", changing(LogoutRequest, reason=1, cid=0x7777)),
    row("logout-talks-on", "11.14", "sends commands behind a logout", Rule.NOTHING_AFTER_LOGOUT),
    row("logout-twice", "11.14", "sends the Logout Request twice", repeating(LogoutRequest)),
    row("logout-ignored", "11.9.1", "does not log out when it is asked to", Rule.ANSWER_LOGOUT_REQUEST),
    row("negotiation-ignored", "11.9.1", "does not negotiate when it is asked to", Rule.ANSWER_NEGOTIATION_REQUEST),
    row("termination-ignored", "4.2.3.4", "does not acknowledge that tasks were ended", Rule.ANSWER_TERMINATION),
    row("snack-at-level-0", "11.16", "asks for statuses again at level 0", following(ScsiCommand, by=lambda _, __: SnackRequest(type=SnackType.STATUS))),
    row("login-again", "6.3", "sends a Login Request in full feature phase", following(ScsiCommand, by=lambda _, __: LoginRequest())),
    row("ahs", "11.2.1.5", "announces additional header segments that do not come", wire=lambda data, _: data[:4] + b"\1" + data[5:]),
    row("opcode", "11.2.1.2", "sends an opcode that there is not", wire=lambda data, pdu: b"\x1b" + data[1:] if isinstance(pdu, NopOut) else data),
    row("header-digest", "7.8", "sends damaged header digests", wire=flip_header_digest),
    row("data-digest", "7.8", "sends damaged data digests", wire=flip_data_digest),
    row("any-opcode", "11.2.1.2", "takes PDUs that no target sends", Rule.KNOWN_OPCODES),
    row("ping-contradicts", "7.7", "takes a NOP-In with both tags", Rule.PING_TAGS),
    row("ping-nowhere", "7.7", "answers a ping with a LUN that is none", Rule.PING_LUN),
    row("ping-patient", "7.14", "waits for ever for the answer to a ping", Rule.PING_TIME),
    row("termination-talks-on", "4.2.3.4", "sends data for tasks that were ended", Rule.TERMINATION_STOPS_DATA),
    row("logout-patient", "8.1.2", "waits for ever for the answer to a logout", Rule.LOGOUT_TIME),
    row("text-two", "11.10", "has two text exchanges at a time", Rule.ONE_TEXT),
    row("reject-reset", "11.17.1", "goes on after Reject reason 0x0b", Rule.DEPRECATED_RESET),
    row("reject-gap", "7.3", "leaves the CmdSN of a rejected command unused", Rule.PLUGGED_GAPS),
    row("response-late", "4.2.3.3", "takes the response for a task that was aborted for an error", Rule.LATE_RESPONSES),
    row("abort-talks-on", "4.2.3.4", "sends data for tasks that it has aborted fast", Rule.FAST_ABORT_SILENCE),
)  # fmt: skip
