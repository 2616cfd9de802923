"""How a target answers (RFC 7143 sections 4.2.2, 6.3 and 11)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.notes import carries_status, is_repeated
from trioscsi.conformance.record import Phase, Request
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    BHS_LENGTH,
    NO_TASK,
    DataIn,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Pdu,
    Reject,
    RejectReason,
    ScsiResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)
from trioscsi.serial import add, less
from trioscsi.text import Side, Stage

MONITORS = Monitors()
watch = MONITORS.watch

ONLY_LOGIN_RESPONSES = Rule("7143-4.2.4-3")
STAT_SN = Rule("7143-4.2.2.2-2")
EXP_CMD_SN_FORWARD = Rule("7143-4.2.2.1-5")
MAX_CMD_SN_FORWARD = Rule("7143-4.2.2.1-6")
WINDOW = Rule("7143-4.2.2.1-7")
ANSWERS = Rule("7143-4.2.5.1-2")
ACKNOWLEDGED = Rule("7143-4.2.2.1-11")
ONE_RESPONSE = Rule("7143-6.3-16")
SAME_VERSIONS = Rule("7143-11.13.1-1")
LOGIN_TAG = Rule("7143-6.3-2")
TRANSIT = Rule("7143-11.13.6-1")
STAGE = Rule("7143-6.3-8")
LOGIN_CONTINUES = Rule("7143-11.13.7-1")
LOGIN_VERSION = Rule("7143-11.13.2-1")
TSIH = Rule("7143-11.13.3-1")
REDIRECTED = Rule("7143-11.13.5-2")
TEXT_FINAL_TTT = Rule("7143-11.11.1-1")
TEXT_MORE_TTT = Rule("7143-11.11.1-2")
TEXT_CONTINUES = Rule("7143-11.11.2-1")
NOTHING_SAID = Rule("7143-6.4-4", Level.SHOULD)
PART_ASKED = Rule("7143-6.2-7")
PING_TAG = Rule("7143-11.19-1")
PING_DATA = Rule("7143-11.19-2")
PING_EMPTY = Rule("7143-11.19-3")
REJECT_REASON = Rule("7143-11.17.1-1")
REJECT_HEADER = Rule("7143-11.17.4-1")

_TARGET = {"sender": Side.TARGET}
_REDIRECTION = 1
_REQUESTS: dict[type[Pdu], type[Pdu]] = {
    TextResponse: TextRequest,
    TaskManagementResponse: TaskManagementRequest,
    LogoutResponse: LogoutRequest,
    NopIn: NopOut,
}
"""What each response is the answer to."""


@watch("T-01", "Until the login is over, a target sends Login Responses alone.", Pdu, **_TARGET)
def only_login_responses(scene: Scene, pdu: Pdu) -> Remarks:
    in_login = scene.connection.phase in (Phase.START, Phase.LOGIN)
    yield ONLY_LOGIN_RESPONSES.holds(
        isinstance(pdu, LoginResponse) is in_login,
        f"a {type(pdu).__name__} {'during' if in_login else 'after'} the login",
    )


@watch("T-06", "StatSN counts each status, and nothing else.", Pdu, **_TARGET)
def status_numbers(scene: Scene, pdu: Any) -> Remarks:
    expected = scene.connection.stat_sn
    if expected is None or (isinstance(pdu, LoginResponse) and pdu.status_class):
        return
    if is_repeated(scene.connection, pdu):
        return
    if carries_status(pdu) or hasattr(pdu, "r2t_sn") or isinstance(pdu, NopIn):
        yield STAT_SN.holds(
            pdu.stat_sn == expected, f"StatSN {pdu.stat_sn}, {expected} is the next"
        )


@watch("T-07", "ExpCmdSN and MaxCmdSN never go back, nor apart from one another.", Pdu, **_TARGET)
def window(scene: Scene, pdu: Any) -> Remarks:
    if isinstance(pdu, LoginResponse) and pdu.status_class:
        return
    connection = scene.connection
    if connection.exp_cmd_sn is not None and connection.max_cmd_sn is not None:
        yield EXP_CMD_SN_FORWARD.holds(
            not less(pdu.exp_cmd_sn, connection.exp_cmd_sn),
            f"ExpCmdSN {pdu.exp_cmd_sn} after {connection.exp_cmd_sn}",
        )
        yield MAX_CMD_SN_FORWARD.holds(
            not less(pdu.max_cmd_sn, connection.max_cmd_sn),
            f"MaxCmdSN {pdu.max_cmd_sn} after {connection.max_cmd_sn}",
        )
    yield WINDOW.holds(
        not less(pdu.max_cmd_sn, add(pdu.exp_cmd_sn, -1)),
        f"MaxCmdSN {pdu.max_cmd_sn} with ExpCmdSN {pdu.exp_cmd_sn}",
    )


@watch(
    "T-11", "Each response answers a request that waits for it.", *_REQUESTS, relies=True, **_TARGET
)
def answers(scene: Scene, pdu: Any) -> Remarks:
    session = scene.session
    if session is None or pdu.itt == NO_TASK:
        return
    request = session.tags.get(pdu.itt)
    yield ANSWERS.holds(
        request is not None
        and isinstance(request.pdu, _REQUESTS[type(pdu)])
        and request.connection == scene.connection.number,
        f"no request with tag {pdu.itt:#x} waits for it here",
    )


@watch(
    "T-16",
    "No answer comes before its request is acknowledged.",
    ScsiResponse,
    DataIn,
    *_REQUESTS,
    relies=True,
    **_TARGET,
)
def acknowledged(scene: Scene, pdu: Any) -> Remarks:
    request = None if scene.session is None else scene.session.tags.get(pdu.itt)
    is_answer = not isinstance(pdu, DataIn) or pdu.has_status
    if is_answer and request is not None and not request.pdu.immediate:
        number = request.pdu.cmd_sn
        yield ACKNOWLEDGED.holds(
            less(number, pdu.exp_cmd_sn),
            f"ExpCmdSN {pdu.exp_cmd_sn}, and CmdSN {number} is answered",
        )


@watch(
    "T-12",
    "A Login Response answers its request, and moves no further than it asks.",
    LoginResponse,
    relies=True,
    **_TARGET,
)
def login_response(scene: Scene, pdu: LoginResponse) -> Remarks:
    request: LoginRequest | None = scene.connection.request
    if not isinstance(request, LoginRequest):
        return
    version = scene.connection.version_max
    yield SAME_VERSIONS.holds(
        version in (None, pdu.version_max), f"Version-max {pdu.version_max} after {version}"
    )
    # Of an initiator that changes them during its login, either is right.
    first = scene.connection.first_login or request
    yield LOGIN_TAG.holds(pdu.itt in (request.itt, first.itt), "the tag is not that of the request")
    yield LOGIN_TAG.holds(
        pdu.isid in (request.isid, first.isid), "the ISID is not that of the request"
    )
    yield LOGIN_CONTINUES.holds(not (pdu.transit and pdu.continue_), "C and T")
    if pdu.status_class:
        if pdu.status_class == _REDIRECTION:
            named = any(said.name == "TargetAddress" for said in scene.connection.said)
            yield REDIRECTED.holds(named, "a redirection without TargetAddress")
        return
    if scene.connection.phase is Phase.LOGIN and not scene.connection.hasty:
        yield ONE_RESPONSE.holds(scene.connection.unanswered, "no request waits for it")
    yield TRANSIT.holds(request.transit or not pdu.transit, "T, and the request had none")
    yield STAGE.holds(pdu.csg == request.csg, "another stage than that of the request")
    if pdu.transit:
        yield STAGE.holds(pdu.nsg <= request.nsg, "a later stage than was asked for")
        if pdu.nsg == Stage.FULL_FEATURE:
            yield TSIH.holds(pdu.tsih, "the login has ended, and TSIH is 0")
    yield LOGIN_VERSION.holds(not pdu.version_active, f"version {pdu.version_active} is active")
    if request.continue_:
        yield PART_ASKED.holds(not pdu.data, "text, and the initiator's is not over")


@watch(
    "T-13",
    "A Text Response has a transfer tag exactly if it is not the last.",
    TextResponse,
    relies=True,
    **_TARGET,
)
def text_response(scene: Scene, pdu: TextResponse) -> Remarks:
    if pdu.final:
        yield TEXT_FINAL_TTT.holds(pdu.ttt == NO_TASK, "F, and a Target Transfer Tag")
    else:
        yield TEXT_MORE_TTT.holds(pdu.ttt != NO_TASK, "neither F nor a Target Transfer Tag")
    yield TEXT_CONTINUES.holds(not (pdu.continue_ and pdu.final), "C and F")
    request = scene.connection.request
    if not isinstance(request, TextRequest):
        return
    if request.continue_:
        yield PART_ASKED.holds(not pdu.data, "text, and the initiator's is not over")
    elif request.final and not pdu.final:
        yield NOTHING_SAID.holds(pdu.data, "nothing is said, and the request had F")


@watch("T-14", "A NOP-In brings ping data back, or none.", NopIn, **_TARGET)
def ping(scene: Scene, pdu: NopIn) -> Remarks:
    if pdu.itt == NO_TASK:
        yield PING_EMPTY.holds(not pdu.data, "data, and it answers nothing")
        return
    yield PING_TAG.holds(pdu.ttt == NO_TASK, "an answer with a Target Transfer Tag")
    session = scene.session
    request: Request | None = None if session is None else session.tags.get(pdu.itt)
    if session is None or session.doubtful or request is None:
        return
    expected = request.ping_data[: scene.connection.segments[Side.TARGET]]
    yield PING_DATA.holds(bytes(pdu.data) == expected, "the data are not those of the ping")


@watch("T-15", "A Reject says why, and of what.", Reject, **_TARGET)
def reject(scene: Scene, pdu: Reject) -> Remarks:
    yield REJECT_REASON.holds(
        pdu.reason in set(RejectReason), f"reason {pdu.reason:#04x} is not to be used"
    )
    yield REJECT_HEADER.holds(
        len(pdu.data) >= BHS_LENGTH, "the header of the rejected PDU is missing"
    )
