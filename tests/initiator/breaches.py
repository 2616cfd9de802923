"""What a target may not say to an initiator, and what the initiator makes of it.

As in `tests.initiator.conversations`, each conversation gives all bytes that the initiator has
sent, and where these say nothing what came of it; the target breaks one rule, and then goes on as
if nothing were wrong.
"""

from __future__ import annotations

from typing import Any

import attrs

from tests.initiator.conversations import Conversation, Recorded
from tests.initiator.credentials import ME, YOU
from tests.initiator.pair import intent, reading, writing
from tests.initiator.scripts import scripted
from trioscsi.initiator.deviations import Deviation
from trioscsi.initiator.events import Redirected
from trioscsi.initiator.intent import Credentials
from trioscsi.initiator.recovery import Policy, Recovery
from trioscsi.initiator.requests import Management, Ping, TextWish
from trioscsi.initiator.rules import Rules
from trioscsi.limits import Limits
from trioscsi.pdu import (
    NO_TASK,
    AsyncMessage,
    DataIn,
    LoginResponse,
    LogoutReason,
    NopIn,
    ReadyToTransfer,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskFunction,
    TaskManagementResponse,
    encode,
)
from trioscsi.protocol import Account, Challenges, Secret
from trioscsi.text import Stage, encode_binary
from trioscsi.text import encode as encode_text

LUN = 1 << 48
DATA = bytes(range(250)) * 4


def goes_on(script: Recorded) -> bytes:
    """All that was sent, with an answer and a command if the initiator is still there."""
    script.say(NopIn(ttt=77))
    script.do(reading(0, 4))
    return script.bytes


def _login(script: Recorded, *stages: int) -> bytes:
    for stage in stages:
        script.login(stage=stage)
    return goes_on(script)


def in_security(text: bytes = b"", **fields: Any) -> Conversation:
    """The first response breaks a rule; the others do not."""

    def talk(deviation: Deviation | None) -> bytes:
        script = Recorded(intent(first_stage=Stage.SECURITY), deviation=deviation)
        script.login(text, **{"stage": 0, **fields})
        moved = [event for event in script.events if isinstance(event, Redirected)]
        return _login(script, 0, 1) + b"redirected" * len(moved)

    return talk


def in_operational(*texts: bytes, **offer: Any) -> Conversation:
    """These texts come in responses that do not move on; then the login ends."""

    def talk(deviation: Deviation | None) -> bytes:
        script = Recorded(intent(**offer), deviation=deviation)
        for text in texts:
            script.login(text, transit=False, nsg=0)
        return _login(script, 1)

    return talk


def _another_pdu(deviation: Deviation | None) -> bytes:
    script = Recorded(intent(first_stage=Stage.SECURITY), deviation=deviation)
    script.say(NopIn())
    return _login(script, 0, 1)


def _two_responses(deviation: Deviation | None) -> bytes:
    script = Recorded(intent(first_stage=Stage.SECURITY), deviation=deviation)
    fields: dict[str, Any] = {"isid": script.session.intent.isid, "tsih": 1, "itt": 1}
    script.say(LoginResponse(**fields), LoginResponse(**fields))
    return _login(script, 0, 1)


def _unanswered(deviation: Deviation | None) -> bytes:
    script = Recorded(intent(), Limits(ping_interval=0, login_time=5), deviation=deviation)
    script.pass_time(5)
    return _login(script, 1)


# Authentication.


def _with_credentials(
    deviation: Deviation | None,
    *texts: bytes,
    mutual: bool = False,
    secret: bytes = ME.secret.value,
) -> bytes:
    account = Account(ME.name, Secret(secret))
    credentials = Credentials(
        account, Challenges(lambda size: bytes([9]) * size), YOU if mutual else None
    )
    script = Recorded(intent(credentials=credentials), deviation=deviation)
    for text in texts:
        script.login(text, stage=0, transit=False, nsg=0)
    return _login(script, 0, 1)


def chap(*texts: bytes, **more: Any) -> Conversation:
    """A login with authentication in which the target says this in security negotiation."""
    return lambda deviation: _with_credentials(deviation, *texts, **more)


_CHAP = b"AuthMethod=CHAP\0"
_CHALLENGE = ("CHAP_C", encode_binary(bytes(range(16))))
_CHALLENGED = encode_text([("CHAP_A", "5"), ("CHAP_I", "3"), _CHALLENGE])


# Full feature phase.


def full(deviation: Deviation | None, text: bytes = b"", **offer: Any) -> Recorded:
    """A session in full feature phase."""
    limits = Limits(ping_interval=offer.pop("ping_interval", 0), ping_time=5, logout_time=5)
    script = Recorded(intent(**offer), limits, deviation=deviation)
    script.login(text)
    return script


def while_reading(*pdus: Any, text: bytes = b"", **offer: Any) -> Conversation:
    """What the target says while a command of 8 bytes waits for its data."""

    def talk(deviation: Deviation | None) -> bytes:
        script = full(deviation, text, **offer)
        task = script.do(reading(0, 8))
        for pdu in pdus:
            if isinstance(pdu, DataIn | ScsiResponse) and not pdu.itt:
                pdu.itt = task.itt
            # The PDUs are shared by all mutants, and their numbers are given anew.
            pdu.max_cmd_sn = 0
            script.say(pdu)
        return goes_on(script) + f"{task.lost}, {task.response}, {task.status}".encode()

    return talk


def while_writing(*r2ts: dict[str, Any]) -> Conversation:
    """What the target asks for while a command of 1000 bytes waits for it."""

    def talk(deviation: Deviation | None) -> bytes:
        script = full(
            deviation,
            b"ImmediateData=No\0MaxBurstLength=512\0",
            max_burst_length=512,
            first_burst_length=512,
        )
        task = script.do(writing(0, DATA))
        for fields in r2ts:
            r2t = {"itt": task.itt, "ttt": 5, "desired_data_transfer_length": 100, **fields}
            script.say(ReadyToTransfer(**r2t))
        return goes_on(script)

    return talk


def _waits(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    script.session.numbers.maximum = script.session.numbers.next - 1
    script.do(Ping(immediate=True))
    return script.bytes


def window(expected: int, maximum: int) -> Conversation:
    """The target has granted two commands, and then says this, counted from the next CmdSN."""

    def talk(deviation: Deviation | None) -> bytes:
        script = full(deviation)
        numbers = script.session.numbers
        numbers.maximum = numbers.next + 1
        script.say(NopIn(exp_cmd_sn=numbers.next + expected, max_cmd_sn=numbers.next + maximum))
        for _ in range(4):
            script.do(reading(0, 4))
        return script.bytes

    return talk


def _status_missing(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    task = script.do(reading(0, 4))
    script.stat_sn += 1
    script.say(ScsiResponse(itt=task.itt))
    return goes_on(script)


def _status_twice(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    first, second = script.do(reading(0, 4)), script.do(reading(0, 4))
    script.say(ScsiResponse(itt=first.itt), ScsiResponse(itt=second.itt))
    script.stat_sn -= 2
    script.say(ScsiResponse(itt=first.itt))
    script.do(reading(0, 4))
    return script.bytes


def _other_connection(deviation: Deviation | None) -> bytes:
    script = full(deviation, b"MaxConnections=2\0", max_connections=2)
    other = script.session.connect(0.0)
    other.connected(0.0)
    isid = script.session.intent.isid
    fields = {"transit": True, "csg": 1, "nsg": 3, "isid": isid, "tsih": 1, "itt": 2}
    for pdu in (
        LoginResponse(**fields),
        ScsiResponse(itt=script.do(reading(0, 4)).itt, stat_sn=1, exp_cmd_sn=9, max_cmd_sn=9),
    ):
        other.take_output()
        other.receive(b"".join(map(bytes, encode(pdu))))
        other.pump(0.0, 5)
    return goes_on(script)


def _damaged(deviation: Deviation | None) -> bytes:
    script = full(deviation, b"DataDigest=CRC32C\0", data_digests=("CRC32C",))
    task = script.do(reading(0, 4))
    pdu = DataIn(itt=task.itt, data=b"0123", final=True, has_status=True)
    script.number(pdu)
    data = b"".join(map(bytes, encode(pdu, data_digest=True)))
    script.feed(data[:-1] + bytes([data[-1] ^ 1]))
    script.hear()
    return goes_on(script)


def _opcode(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    script.feed(b"\x3c" + bytes(47))
    return goes_on(script)


def _silent(deviation: Deviation | None) -> bytes:
    script = full(deviation, ping_interval=10)
    for _ in range(2):
        script.pass_time(10)
    return goes_on(script)


def _late_command(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    script.do(reading(0, 4, patience=3))
    script.pass_time(3)
    return goes_on(script)


def _comes_back(deviation: Deviation | None) -> bytes:
    """A session that has failed, and the first request of the one that follows."""
    script = full(deviation)
    script.connection.lost("cut", 0.0)
    session = script.session.successor()
    connection = session.connect(0.0)
    connection.connected(0.0)
    return b"".join(map(bytes, connection.take_output()))


def recovering(status: int) -> Conversation:
    """When the logins come that follow a failure, if the target gives them this status."""

    def talk(deviation: Deviation | None) -> bytes:
        rules = Rules(frozenset() if deviation is None else deviation.breaks)
        recovery, now = Recovery(Policy(patience=60), rules, now=0.0), 0.0
        recovery.logged_in(now)
        now = 100.0
        recovery.session_failed("lost", 5, now)
        times = []
        while recovery.due is not None and len(times) < 9:
            now = recovery.due
            times.append(f"{now:g}")
            recovery.log_in()
            recovery.login_failed("refused", status, now)
        return ", ".join(times).encode()

    return talk


def at_level_1(*pdus: Any, unnumbered: int = 0, seconds: float = 0) -> Conversation:
    """What comes, or does not, for a command of 12 bytes where error recovery was agreed."""

    def talk(deviation: Deviation | None) -> bytes:
        script = full(deviation, b"ErrorRecoveryLevel=1\0", error_recovery_level=1)
        task = script.do(reading(0, 12))
        script.do(reading(0, 4))
        script.stat_sn += unnumbered
        for pdu in pdus:
            if isinstance(pdu, DataIn | ScsiResponse):
                pdu.itt = task.itt
            pdu.exp_cmd_sn, pdu.max_cmd_sn = task.cmd_sn + (not seconds), 90
            script.say(pdu)
        for _ in range(2):
            script.pass_time(seconds)
        return goes_on(script) + f"{task.lost}, {task.status}".encode()

    return talk


def _resegmented(deviation: Deviation | None) -> bytes:
    """The data segments become shorter while data are missing, and a status comes of before."""
    script = full(deviation, b"ErrorRecoveryLevel=1\0", error_recovery_level=1)
    task = script.do(reading(0, 12))
    parameters = script.connection.parameters
    script.connection.parameters = attrs.evolve(
        parameters, initiator_max_recv_data_segment_length=512
    )
    script.say(data_in(itt=task.itt, data_sn=1, buffer_offset=4))
    script.say(response(itt=task.itt, exp_data_sn=2))
    for place in range(2):
        script.say(data_in(itt=task.itt, data_sn=place, buffer_offset=4 * place))
    return goes_on(script) + f"{task.over}".encode()


def _refused_data(deviation: Deviation | None) -> bytes:
    script = full(deviation, b"ErrorRecoveryLevel=1\0", error_recovery_level=1)
    task = script.do(reading(0, 12))
    script.say(response(itt=task.itt, exp_data_sn=2))
    header = bytes(encode(SnackRequest(itt=task.itt))[0])
    script.say(Reject(reason=RejectReason.SNACK_REJECT, data=header))
    return goes_on(script) + f"{task.over}, {task.status}".encode()


def _reconnects(deviation: Deviation | None) -> bytes:
    """A connection is lost that a command goes on by, and another takes its place."""
    talk = scripted(
        intent(error_recovery_level=2),
        b"ErrorRecoveryLevel=2\0",
        deviation=deviation,
        reconnects=True,
    )
    task = talk.do(reading(0, 4))
    talk.expected = task.cmd_sn + 1
    talk.ends[0].cut("cut")
    end = talk.reconnect()
    end.hear()
    return repr(end.heard).encode()


def _closed_everywhere(deviation: Deviation | None) -> bytes:
    """The session is logged out by the first of two connections, and then has more to say."""
    wish = intent(max_connections=2)
    talk = scripted(wish, b"MaxConnections=2\0", 2, deviation=deviation)
    talk.session.log_out(talk.ends[0].connection, LogoutReason.CLOSE_SESSION)
    talk.do(reading(0, 4), 1)
    return repr([end.heard for end in talk.ends]).encode()


def _other_group(deviation: Deviation | None) -> bytes:
    """The second connection of a session comes to another portal group."""
    wish = intent(max_connections=2)
    talk = scripted(wish, b"MaxConnections=2\0TargetPortalGroupTag=1\0", deviation=deviation)
    talk.later = b"TargetPortalGroupTag=2\0"
    end = talk.open()
    talk.do(reading(0, 4), 1)
    end.hear()
    return repr(end.heard).encode()


def _one_more(deviation: Deviation | None) -> bytes:
    return str(full(deviation).session.admits_connection).encode()


def _no_logout(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    script.session.log_out(script.connection, LogoutReason.CLOSE_SESSION)
    script.hear()
    script.pass_time(5)
    return goes_on(script)


def _two_texts(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    for _ in range(2):
        script.do(TextWish(pairs=[("SendTargets", "")]))
    return script.bytes


def rejected(reason: int) -> Conversation:
    """The target rejects a command for this reason."""

    def talk(deviation: Deviation | None) -> bytes:
        script = full(deviation)
        task = script.do(reading(0, 4))
        header = bytes(encode(ScsiCommand(itt=task.itt, cmd_sn=task.cmd_sn))[0])[:48]
        script.say(Reject(reason=reason, data=header, exp_cmd_sn=task.cmd_sn, max_cmd_sn=9))
        return goes_on(script)

    return talk


def _fast(deviation: Deviation | None) -> tuple[Recorded, Any]:
    script = full(
        deviation,
        b"ImmediateData=No\0TaskReporting=FastAbort\0",
        task_reporting=("FastAbort", "ResponseFence", "RFC3720"),
    )
    return script, script.do(writing(0, DATA))


def _terminated(deviation: Deviation | None) -> bytes:
    script, task = _fast(deviation)
    script.say(AsyncMessage(async_event=5))
    script.say(ReadyToTransfer(itt=task.itt, ttt=5, desired_data_transfer_length=100))
    return goes_on(script)


def _aborted(deviation: Deviation | None) -> bytes:
    script, task = _fast(deviation)
    script.do(Management(function=TaskFunction.ABORT_TASK_SET, immediate=True))
    script.say(ReadyToTransfer(itt=task.itt, ttt=5, desired_data_transfer_length=100))
    return goes_on(script)


def _late(deviation: Deviation | None) -> bytes:
    script = full(deviation)
    task = script.do(reading(0, 4))
    wish = script.do(Management(function=TaskFunction.ABORT_TASK, about=task, immediate=True))
    script.say(TaskManagementResponse(itt=wish.itt), ScsiResponse(itt=task.itt))
    return goes_on(script)


def data_in(**fields: Any) -> DataIn:
    """Four bytes for the command of `while_reading`."""
    return DataIn(**{"data": b"0123", **fields})


def response(**fields: Any) -> ScsiResponse:
    return ScsiResponse(**fields)


BREACHES: tuple[Conversation, ...] = (
    _another_pdu,
    in_security(itt=77),
    in_security(version_active=1),
    in_security(csg=1),
    in_security(nsg=2),
    in_security(continue_=True),
    _two_responses,
    in_security(text=b"X-com.example.key=1\0"),
    in_security(status_class=2, transit=False, nsg=0),
    in_security(status_class=1, status_detail=1, text=b"TargetAddress=192.0.2.1:3260\0"),
    _unanswered,
    in_operational(b"MaxRecvDataSegmentLength=512\0", b"MaxRecvDataSegmentLength=512\0"),
    in_operational(b"X-com.example.key=Reject\0"),
    in_security(text=b"MaxBurstLength=512\0", transit=False, nsg=0),
    in_operational(b"MaxBurstLength=16777215\0"),
    in_operational(b"MaxBurstLength=NotUnderstood\0"),
    in_operational(b"ImmediateData=yes\0"),
    in_operational(b"MaxBurstLength=512\0FirstBurstLength=262144\0"),
    in_operational(b"X-com.example.key=1\0"),
    chap(b"AuthMethod=Reject\0"),
    chap(_CHAP, _CHALLENGED, mutual=True),
    chap(),
    chap(_CHAP, encode_text([_CHALLENGE])),
    chap(_CHAP, _CHALLENGED, secret=b"elevenbytes"),
    _waits,
    window(0, 0),
    window(1000, 100),
    _status_missing,
    _status_twice,
    while_reading(response(itt=99)),
    _other_connection,
    while_writing({"r2t_sn": 1}),
    while_writing({}, {}),
    while_writing({"ttt": NO_TASK}),
    while_writing({"desired_data_transfer_length": 0}),
    while_writing({"desired_data_transfer_length": 513}),
    while_writing({"buffer_offset": 950}),
    while_writing({"lun": LUN}),
    while_reading(data_in(data_sn=1, buffer_offset=4, final=True, has_status=True)),
    while_reading(data_in(), data_in()),
    while_reading(data_in(), response(exp_data_sn=2)),
    while_reading(data_in(buffer_offset=4)),
    while_reading(data_in(data=bytes(12))),
    _damaged,
    while_reading(data_in(has_status=True)),
    while_reading(response(overflow=True, underflow=True)),
    while_reading(response(status=2)),
    while_reading(response(response=1)),
    _opcode,
    while_reading(NopIn(itt=5, ttt=5)),
    while_reading(NopIn(ttt=5, lun=2**64 - 1)),
    _silent,
    _late_command,
    _reconnects,
    _closed_everywhere,
    _one_more,
    _other_group,
    at_level_1(data_in(data_sn=1, buffer_offset=4)),
    at_level_1(response(), unnumbered=1),
    at_level_1(response(exp_data_sn=2)),
    at_level_1(data_in(data_sn=1, buffer_offset=4, ttt=5, acknowledge=True)),
    at_level_1(NopIn(ttt=9), seconds=6),
    _resegmented,
    _refused_data,
    _comes_back,
    recovering(0x0301),
    recovering(0x0201),
    _terminated,
    _no_logout,
    _two_texts,
    rejected(0x0B),
    rejected(0x09),
    _late,
    _aborted,
)
