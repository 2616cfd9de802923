"""Initiators with exactly one fault each, by name (RFC 7143; sections are its own).

Each row is one fault, one line where that is possible: an id, the section of the rule that it
breaks, what it does, and how.  `MUTANTS` is all of them; a test sees to it that each changes what is
on the wire.  The bench has to catch them, and a target has to survive them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trioscsi.initiator.deviations import (
    Alter,
    Deviation,
    Rule,
    changing,
    dropping,
    following,
    repeating,
)
from trioscsi.pdu import (
    BHS_LENGTH,
    FROM_INITIATOR,
    NO_TASK,
    DataOut,
    LoginRequest,
    LogoutRequest,
    NopOut,
    ScsiCommand,
    SnackRequest,
    SnackType,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.pdu.digest import digest
from trioscsi.serial import add
from trioscsi.text import Pair

_NUMBERED = tuple(cls for cls in FROM_INITIATOR if cls not in (DataOut, SnackRequest))
_ACKNOWLEDGING = tuple(cls for cls in FROM_INITIATOR if cls is not LoginRequest)
_REQUESTS = (ScsiCommand, TaskManagementRequest, TextRequest, LogoutRequest)


def _operational(pdu: Any) -> bool:
    return bool(pdu.csg)


def _solicited(pdu: Any) -> bool:
    return bool(pdu.ttt != NO_TASK)


def _unsolicited(pdu: Any) -> bool:
    return not _solicited(pdu)


def _counted(pdu: Any) -> bool:
    return not pdu.immediate


def _writes(pdu: Any) -> bool:
    return bool(pdu.write)


def _plus(name: str, count: int = 1) -> Callable[[Any], int]:
    return lambda pdu: add(getattr(pdu, name), count)


def _cut(count: int) -> Callable[[Any], bytes]:
    return lambda pdu: bytes(pdu.data)[: max(len(pdu.data) - count, 0)]


def _key(name: str, *instead: Pair) -> Callable[[str, str], Iterable[Pair]]:
    """Say something else where a key is due, or nothing."""
    return lambda said, value: instead if said == name else [(said, value)]


def _besides(name: str, *more: Pair) -> Callable[[str, str], Iterable[Pair]]:
    """Say more behind a key."""
    return lambda said, value: [(said, value), *(more if said == name else ())]


def _flip(place: int) -> Callable[[bytes, Any], bytes]:
    """Change one bit of what was encoded; negative places count from the end."""

    def damage(data: bytes, _pdu: Any) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1
        return bytes(changed)

    return damage


def _flip_data_digest(data: bytes, pdu: Any) -> bytes:
    padded = bytes(pdu.data) + bytes(-len(pdu.data) % 4)
    return _flip(-1)(data, pdu) if padded and data.endswith(padded + digest(padded)) else data


def _flip_header_digest(data: bytes, pdu: Any) -> bytes:
    header = data[:BHS_LENGTH]
    return _flip(BHS_LENGTH)(data, pdu) if data.startswith(header + digest(header)) else data


def _row(
    name: str,
    section: str,
    says: str,
    how: Alter | Rule | None = None,
    **more: Any,
) -> Deviation:
    if isinstance(how, Rule):
        return Deviation(id=name, section=section, says=says, breaks=frozenset({how}), **more)
    return Deviation(id=name, section=section, says=says, alter=how, **more)


_LOGIN = (
    _row("login-version", "11.12.4", "speaks no version that there is", changing(LoginRequest, version_min=1, version_max=1)),
    _row("login-t-and-c", "11.12.2", "sets T and C together", changing(LoginRequest, transit=True, continue_=True)),
    _row("login-not-immediate", "11.12", "sends Login Requests without I", changing(LoginRequest, immediate=False)),
    _row("login-tag-changes", "11.12", "changes the task tag during the login", changing(LoginRequest, when=_operational, itt=_plus("itt"))),
    _row("login-isid-changes", "11.12", "changes the ISID during the login", changing(LoginRequest, when=_operational, isid=b"\x80other")),
    _row("login-cid-changes", "11.12", "changes the CID during the login", changing(LoginRequest, when=_operational, cid=99)),
    _row("login-tsih", "11.12.6", "begins a session with a TSIH", changing(LoginRequest, tsih=0xFFFE)),
    _row("login-cmdsn-advances", "11.12.8", "counts CmdSN up during the login", changing(LoginRequest, when=_operational, cmd_sn=_plus("cmd_sn"))),
    _row("login-stage-back", "6.3", "goes back to security negotiation", changing(LoginRequest, csg=0)),
    _row("login-stage-reserved", "11.12.3", "asks for stage 2", changing(LoginRequest, when=lambda pdu: pdu.transit, nsg=2)),
    _row("login-twice", "6.3", "sends each Login Request twice", repeating(LoginRequest)),
    _row("login-exp-stat-sn", "11.12.9", "acknowledges statuses that have not come", changing(LoginRequest, when=_operational, exp_stat_sn=_plus("exp_stat_sn", 9))),
    _row("login-no-name", "6.3", "does not say who it is", pair=_key("InitiatorName")),
    _row("login-no-target", "6.3", "does not say to whom it talks", pair=_key("TargetName")),
    _row("login-bad-name", "4.2.7", "has a name that is none", pair=_key("InitiatorName", ("InitiatorName", "nobody"))),
    _row("login-late-name", "6.3", "says who it is behind other keys only", pair=_key("InitiatorName", ("X-com.example.first", "1"))),
    _row("login-no-null", "6.1", "does not end its text with a null", changing(LoginRequest, data=_cut(1))),
    _row("login-command", "4.2.4", "sends a command before full feature phase", following(LoginRequest, by=lambda pdu, _: ScsiCommand(itt=add(pdu.itt)))),
)  # fmt: skip

_KEYS = (
    _row("key-twice", "6.3", "proposes a key twice", pair=_besides("MaxBurstLength", ("MaxBurstLength", "512"))),
    _row("key-range", "13.13", "proposes a number that is out of range", pair=_key("MaxBurstLength", ("MaxBurstLength", "511"))),
    _row("key-level", "13.20", "proposes error recovery level 3", pair=_key("ErrorRecoveryLevel", ("ErrorRecoveryLevel", "3"))),
    _row("key-boolean", "6.1", "proposes a boolean that is none", pair=_key("InitialR2T", ("InitialR2T", "yes"))),
    _row("key-reserved", "6.2", "proposes Reject", pair=_key("MaxConnections", ("MaxConnections", "Reject"))),
    _row("key-of-the-target", "13.6", "declares what only targets do", pair=_besides("InitiatorName", ("TargetAlias", "mine"))),
    _row("key-digest", "13.1", "proposes a digest that there is not", pair=_key("HeaderDigest", ("HeaderDigest", "MD5"))),
    _row("key-bursts", "13.14", "proposes a FirstBurstLength above MaxBurstLength", pair=_key("FirstBurstLength", ("FirstBurstLength", "16777215"))),
    _row("key-without-name", "6.1", "says a value without a key", pair=_key("MaxConnections", ("", "1"))),
    _row("key-marker", "13.25", "proposes markers, which are obsolete", pair=_besides("MaxBurstLength", ("IFMarker", "Yes"))),
    _row("key-segment", "13.12", "declares segments below 512 bytes", pair=_key("MaxRecvDataSegmentLength", ("MaxRecvDataSegmentLength", "100"))),
)  # fmt: skip

_CHAP = (
    _row("chap-no-md5", "12.1.3", "offers algorithms without MD5", pair=_key("CHAP_A", ("CHAP_A", "6,7"))),
    _row("chap-unknown", "12.1.3", "offers an algorithm that there is not", pair=_key("CHAP_A", ("CHAP_A", "9"))),
    _row("chap-wrong-response", "12.1.3", "does not know the secret", pair=_key("CHAP_R", ("CHAP_R", "0x00"))),
    _row("chap-decimal", "6.1", "writes a binary value in decimal", pair=_key("CHAP_R", ("CHAP_R", "12345678"))),
    _row("chap-no-name", "12.1.3", "responds without its name", pair=_key("CHAP_N")),
    _row("chap-identifier", "12.1.3", "has an identifier of more than a byte", pair=_key("CHAP_I", ("CHAP_I", "256"))),
    _row("chap-long-challenge", "12.1.3", "challenges with more than 1024 bytes", pair=_key("CHAP_C", ("CHAP_C", "0x" + "5a" * 1025))),
    _row("chap-trusting", "9.2.1", "goes on with a target that has proven nothing", Rule.CHECK_PROOF),
    _row("chap-reflected", "9.2.1", "answers its own challenge", Rule.FRESH_CHALLENGE),
    _row("chap-led", "12.1.3", "uses an algorithm that it has not offered", Rule.OFFERED_ALGORITHM),
    _row("chap-patient", "12.1.3", "answers a challenge that is too long", Rule.CHALLENGE_LENGTH),
)  # fmt: skip

_NUMBERS = (
    _row("cmdsn-skips", "4.2.2.1", "leaves a CmdSN out", changing(ScsiCommand, when=_counted, cmd_sn=_plus("cmd_sn"))),
    _row("cmdsn-stays", "4.2.2.1", "uses a CmdSN twice", repeating(ScsiCommand)),
    _row("cmdsn-far", "4.2.2.1", "uses a CmdSN far outside the window", changing(ScsiCommand, when=_counted, cmd_sn=_plus("cmd_sn", 2**20))),
    _row("window-ignored", "4.2.2.1", "sends commands while the window is closed", Rule.WINDOW),
    _row("exp-stat-sn-zero", "4.2.2.2", "never acknowledges a status", changing(*_ACKNOWLEDGING, exp_stat_sn=0)),
    _row("exp-stat-sn-ahead", "4.2.2.2", "acknowledges a status that has not come", changing(*_ACKNOWLEDGING, exp_stat_sn=_plus("exp_stat_sn"))),
    _row("tag-reused", "11.2.1.8", "gives a tag to two tasks", Rule.UNIQUE_TAGS),
    _row("tag-reserved", "11.2.1.8", "gives a command the reserved tag", changing(ScsiCommand, itt=NO_TASK)),
    _row("all-immediate", "11.2.1.1", "sends every request as an immediate one", changing(*_REQUESTS, immediate=True)),
)  # fmt: skip

_DATA = (
    _row("immediate-data", "13.11", "sends immediate data that was not agreed", Rule.IMMEDIATE_DATA),
    _row("unsolicited-data", "13.10", "sends an unsolicited burst that was not agreed", Rule.INITIAL_R2T),
    _row("first-burst", "13.14", "sends more than FirstBurstLength unasked", Rule.FIRST_BURST),
    _row("segment", "13.12", "sends segments above MaxRecvDataSegmentLength", Rule.SEGMENT),
    _row("command-without-f", "11.3.1", "announces data that does not come", changing(ScsiCommand, when=_writes, final=False)),
    _row("command-not-a-write", "11.3.1", "sends data with a command that does not write", changing(ScsiCommand, when=_writes, write=False)),
    _row("command-length", "11.3.4", "expects to transfer nothing", changing(ScsiCommand, expected_data_transfer_length=0)),
    _row("command-attribute", "11.3.1", "has a task attribute that there is not", changing(ScsiCommand, attributes=7)),
    _row("data-without-f", "11.7.1", "never ends a sequence", changing(DataOut, final=False)),
    _row("data-early-f", "11.7.1", "ends a sequence with each PDU", changing(DataOut, final=True)),
    _row("data-sn", "11.7.5", "counts DataSN from 1", changing(DataOut, data_sn=_plus("data_sn"))),
    _row("data-sn-stays", "11.7.5", "does not count DataSN", changing(DataOut, data_sn=0)),
    _row("data-offset", "11.7.6", "puts data beside its place", changing(DataOut, buffer_offset=_plus("buffer_offset", 4))),
    _row("data-short", "11.8.4", "sends less than was asked for", changing(DataOut, data=_cut(4))),
    _row("data-tag", "11.7.4", "answers an R2T with another tag", changing(DataOut, when=_solicited, ttt=_plus("ttt"))),
    _row("data-unasked-tag", "11.7.4", "sends unsolicited data with a tag", changing(DataOut, when=_unsolicited, ttt=7)),
    _row("data-task", "11.7", "sends data for a task that there is not", changing(DataOut, itt=_plus("itt", 1000))),
    _row("data-twice", "11.7", "sends each Data-Out twice", repeating(DataOut)),
    _row("r2t-ignored", "11.8", "does not answer R2Ts", dropping(DataOut, when=_solicited)),
    _row("data-unacknowledged", "11.7.2", "does not acknowledge data that asks for it", Rule.ACKNOWLEDGE_DATA),
)  # fmt: skip

_OTHERS = (
    _row("ping-ignored", "11.19", "does not answer pings", Rule.ANSWER_PING),
    _row("ping-tag", "11.18.2", "answers a ping with another tag", changing(NopOut, when=_solicited, ttt=_plus("ttt"))),
    _row("ping-lun", "11.18.3", "answers a ping with another LUN", changing(NopOut, when=_solicited, lun=1 << 48)),
    _row("ping-both-tags", "11.18.1", "answers a ping with a task tag", changing(NopOut, when=_solicited, itt=77)),
    _row("ping-counted", "11.18.1", "answers a ping without I", changing(NopOut, when=_solicited, immediate=False)),
    _row("text-f-and-c", "11.10.2", "sets F and C together", changing(TextRequest, final=True, continue_=True)),
    _row("text-tag", "11.10.4", "begins an exchange as if it went on", changing(TextRequest, ttt=7)),
    _row("text-open", "11.10.1", "never ends an exchange", changing(TextRequest, final=False)),
    _row("text-no-equals", "6.1", "sends text without an equals sign", changing(TextRequest, data=b"SendTargets\0")),
    _row("management-function", "11.5.1", "asks for a function that there is not", changing(TaskManagementRequest, function=0x7F)),
    _row("management-tag", "11.5.5", "refers to a task that there is not", changing(TaskManagementRequest, referenced_task_tag=0xDEAD)),
    _row("management-cmdsn", "11.5.6", "refers to a task by the wrong RefCmdSN", changing(TaskManagementRequest, ref_cmd_sn=_plus("ref_cmd_sn", 5))),
    _row("logout-reason", "11.14.1", "logs out for a reason that there is not", changing(LogoutRequest, reason=5)),
    _row("logout-cid", "11.14.3", "logs out a connection that there is not", changing(LogoutRequest, reason=1, cid=0x7777)),
    _row("logout-talks-on", "11.14", "sends commands behind a logout", Rule.NOTHING_AFTER_LOGOUT),
    _row("logout-twice", "11.14", "sends the Logout Request twice", repeating(LogoutRequest)),
    _row("logout-ignored", "11.9.1", "does not log out when it is asked to", Rule.ANSWER_LOGOUT_REQUEST),
    _row("negotiation-ignored", "11.9.1", "does not negotiate when it is asked to", Rule.ANSWER_NEGOTIATION_REQUEST),
    _row("termination-ignored", "4.2.3.4", "does not acknowledge that tasks were ended", Rule.ANSWER_TERMINATION),
    _row("snack-at-level-0", "11.16", "asks for statuses again at level 0", following(ScsiCommand, by=lambda _, __: SnackRequest(type=SnackType.STATUS))),
    _row("login-again", "6.3", "sends a Login Request in full feature phase", following(ScsiCommand, by=lambda _, __: LoginRequest())),
    _row("ahs", "11.2.1.5", "announces additional header segments that do not come", wire=lambda data, _: data[:4] + b"\1" + data[5:]),
    _row("opcode", "11.2.1.2", "sends an opcode that there is not", wire=lambda data, pdu: b"\x1b" + data[1:] if isinstance(pdu, NopOut) else data),
    _row("header-digest", "7.8", "sends damaged header digests", wire=_flip_header_digest),
    _row("data-digest", "7.8", "sends damaged data digests", wire=_flip_data_digest),
)  # fmt: skip

MUTANTS: Mapping[str, Deviation] = {
    each.id: each for each in (*_LOGIN, *_KEYS, *_CHAP, *_NUMBERS, *_DATA, *_OTHERS)
}
"""All of them, by id."""
