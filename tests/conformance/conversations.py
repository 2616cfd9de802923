"""Conversations without any fault: what each monitor has to pass."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.talk import INITIATOR, LEADING, TARGET, Talk
from trioscsi.pdu import (
    NO_TASK,
    AsyncMessage,
    DataIn,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Reject,
    ScsiCommand,
    ScsiResponse,
    SnackRequest,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
    encode,
)
from trioscsi.text import Side

UNASKED = {"InitialR2T": "No", "FirstBurstLength": "512", "MaxBurstLength": "1024"}
MANY_R2TS = {**UNASKED, "MaxOutstandingR2T": "4"}


def writes() -> Talk:
    talk = Talk().log_in(**MANY_R2TS)
    whole = talk.write(8, b"whole on")
    talk.answer(ScsiResponse, whole)
    command = talk.write(1600, bytes(100), final=False, lun=1 << 48)
    talk.data(command, 200, final=False, buffer_offset=100)
    talk.data(command, 212, data_sn=1, buffer_offset=300)
    first = talk.r2t(command, 600, buffer_offset=512, ttt=1)
    second = talk.r2t(command, 488, buffer_offset=1112, ttt=2, r2t_sn=1)
    talk.data(first, 300, final=False, buffer_offset=512)
    talk.data(first, 300, data_sn=1, buffer_offset=812)
    talk.data(second, 488, buffer_offset=1112)
    talk.answer(ScsiResponse, command)
    talk.close()
    return talk


def writes_in_another_order() -> Talk:
    talk = Talk().log_in(**{**UNASKED, "DataPDUInOrder": "No", "ImmediateData": "No"})
    command = talk.write(1000, final=False)
    talk.data(command, 256, final=False, buffer_offset=256)
    talk.data(command, 256, data_sn=1)
    r2t = talk.r2t(command, 488, buffer_offset=512)
    talk.data(r2t, 232, final=False, buffer_offset=768)
    talk.data(r2t, 256, data_sn=1, buffer_offset=512)
    talk.answer(ScsiResponse, command)
    talk.close()
    return talk


def writes_again() -> Talk:
    """Data are lost, and asked for once more."""
    talk = Talk().log_in(ErrorRecoveryLevel="1", InitialR2T="Yes", ImmediateData="No")
    command = talk.write(1000)
    talk.data(talk.r2t(command, 1000, ttt=1), 1000)
    talk.data(talk.r2t(command, 400, ttt=2, r2t_sn=1, buffer_offset=600), 400, buffer_offset=600)
    talk.answer(ScsiResponse, command)
    talk.close()
    return talk


def asks_again() -> Talk:
    """Data, an R2T and statuses are lost, and come once more."""
    talk = Talk().log_in(ErrorRecoveryLevel="1", InitialR2T="Yes", ImmediateData="No")
    read = talk.ask(ScsiCommand, read=True, expected_data_transfer_length=1024)
    parts = [
        talk.answer(
            DataIn,
            read,
            counts=False,
            data=bytes(512),
            data_sn=n,
            buffer_offset=512 * n,
            final=n == 1,
        )
        for n in (0, 1)
    ]
    talk.say(SnackRequest(exp_stat_sn=talk.stat_sn, itt=read.itt, beg_run=0, run_length=1))
    talk.reply(parts[0])
    status = talk.answer(ScsiResponse, read, exp_data_sn=2)
    talk.say(SnackRequest(exp_stat_sn=status.stat_sn, itt=read.itt, beg_run=1, run_length=1))
    talk.reply(parts[1])
    talk.say(SnackRequest(exp_stat_sn=status.stat_sn, type=1, beg_run=status.stat_sn, run_length=1))
    talk.reply(status)
    write = talk.write(1000)
    r2t = talk.r2t(write, 1000)
    talk.say(SnackRequest(exp_stat_sn=talk.stat_sn, itt=write.itt, beg_run=0, run_length=1))
    talk.reply(r2t)
    talk.data(r2t, 1000)
    talk.answer(ScsiResponse, write)
    talk.close()
    return talk


def reassigns() -> Talk:
    """A connection is lost, and its tasks go on upon another one."""
    one = Talk().log_in(ErrorRecoveryLevel="2", InitialR2T="Yes", ImmediateData="No")
    read = one.ask(ScsiCommand, read=True, expected_data_transfer_length=1024)
    one.answer(DataIn, read, counts=False, data=bytes(512))
    write = one.write(1024)
    one.data(one.r2t(write, 512), 256, final=False)
    over = one.ask(ScsiCommand)
    one.answer(ScsiResponse, over)
    one.close()
    two = Talk(one).log_in(fields={"tsih": 1, "cid": 1})
    two.answer(LogoutResponse, two.ask(LogoutRequest, immediate=True, reason=2, cid=0))
    for task in (read, write, over):
        request = two.ask(
            TaskManagementRequest, immediate=True, function=8, referenced_task_tag=task.itt
        )
        two.answer(TaskManagementResponse, request)
    two.answer(DataIn, read, counts=False, data=bytes(1024), final=True)
    two.answer(ScsiResponse, read, exp_data_sn=1)
    two.data(two.r2t(write, 1024), 1024)
    two.answer(ScsiResponse, write)
    two.answer(ScsiResponse, over)
    two.close()
    return two


def reset_on_the_other_connection() -> Talk:
    """A unit is reset while data for it are under way elsewhere."""
    one = Talk().log_in(MaxConnections="2", InitialR2T="Yes", ImmediateData="No")
    two = Talk(one).log_in(fields={"tsih": 1, "cid": 1})
    r2t = two.r2t(two.write(1024), 1024)
    two.data(r2t, 512, final=False)
    reset = one.ask(TaskManagementRequest, immediate=True, function=5)
    one.answer(TaskManagementResponse, reset)
    two.data(r2t, 512, buffer_offset=512, data_sn=1)
    two.close()
    return one


def reads() -> Talk:
    talk = Talk().log_in(MaxBurstLength="1024")
    command = talk.ask(ScsiCommand, read=True, expected_data_transfer_length=1501)
    talk.answer(DataIn, command, counts=False, data=bytes(512))
    talk.answer(
        DataIn, command, counts=False, final=True, data_sn=1, buffer_offset=512, data=bytes(512)
    )
    talk.answer(
        DataIn,
        command,
        final=True,
        has_status=True,
        data_sn=2,
        buffer_offset=1024,
        data=bytes(475),
        underflow=True,
        residual_count=2,
    )
    both = talk.ask(
        ScsiCommand,
        read=True,
        write=True,
        expected_data_transfer_length=600,
        bidirectional_read_length=4,
    )
    r2t = talk.r2t(both, 600)
    talk.data(r2t, 600)
    talk.answer(DataIn, both, counts=False, final=True, data_sn=1, data=b"data")
    talk.answer(ScsiResponse, both, exp_data_sn=1)
    failed = talk.ask(ScsiCommand, cdb=bytes(20))
    talk.answer(ScsiResponse, failed, status=2, data=b"\0\1s")
    lost = talk.ask(ScsiCommand)
    talk.answer(ScsiResponse, lost, response=1)
    return talk


def target_fails() -> Talk:
    """A read that the target could not carry out, and that it says nothing more of."""
    talk = Talk().log_in()
    command = talk.ask(ScsiCommand, read=True, expected_data_transfer_length=512)
    talk.answer(ScsiResponse, command, response=1)
    talk.close()
    return talk


def pings() -> Talk:
    talk = Talk().log_in(MaxRecvDataSegmentLength="512")
    ping = talk.ask(NopOut, immediate=False, data=bytes(600))
    talk.answer(NopIn, ping, data=bytes(512))
    asked = talk.answer(NopIn, counts=False, ttt=9, lun=1 << 48)
    talk.ask(NopOut, itt=NO_TASK, ttt=9, lun=asked.lun)
    talk.ask(NopOut, itt=NO_TASK)
    talk.answer(NopIn, counts=False)
    talk.answer(AsyncMessage, async_event=1)
    return talk


def management() -> Talk:
    talk = Talk().log_in()
    queued, urgent = talk.ask(ScsiCommand), talk.ask(ScsiCommand, immediate=True)
    for task in (queued, urgent):
        request = talk.make(
            TaskManagementRequest, immediate=True, function=1, referenced_task_tag=task.itt
        )
        request.ref_cmd_sn = request.cmd_sn if task is urgent else task.cmd_sn
        talk.say(request)
        talk.answer(TaskManagementResponse, request)
    others = [talk.ask(ScsiCommand), talk.ask(ScsiCommand)]
    reset = talk.ask(TaskManagementRequest, immediate=True, function=5)
    later = talk.ask(ScsiCommand)
    talk.answer(TaskManagementResponse, reset)
    for tag in (others[0].itt, others[1].itt):
        talk.answer(ScsiResponse, talk.ask(ScsiCommand, itt=tag))
    talk.answer(ScsiResponse, later)
    talk.answer(TaskManagementResponse, talk.ask(TaskManagementRequest, function=6), response=255)
    gone = talk.ask(ScsiCommand)  # as somebody else has reset the unit
    request = talk.make(
        TaskManagementRequest, immediate=True, function=1, referenced_task_tag=gone.itt
    )
    request.ref_cmd_sn = gone.cmd_sn
    talk.say(request)
    talk.answer(TaskManagementResponse, request, response=1)
    talk.answer(ScsiResponse, talk.ask(ScsiCommand, itt=gone.itt))
    return talk


def text() -> Talk:
    talk = Talk().log_in()
    part = talk.ask(TextRequest, final=False, continue_=True, data=b"X-com.example.k")
    empty = talk.answer(TextResponse, part, final=False, ttt=5)
    rest = talk.ask(TextRequest, itt=part.itt, ttt=empty.ttt, data=b"ey=1\0")
    more = talk.answer(
        TextResponse, rest, final=False, continue_=True, ttt=6, data=b"X-com.example.key=Not"
    )
    last = talk.ask(TextRequest, itt=part.itt, ttt=more.ttt)
    talk.answer(TextResponse, last, data=b"Understood\0")
    again = talk.ask(TextRequest, immediate=True, data=b"MaxRecvDataSegmentLength=1024\0")
    talk.answer(TextResponse, again, data=b"MaxRecvDataSegmentLength=2048\0")
    return talk


def refused() -> Talk:
    talk = Talk()
    talk.say(talk.login_request())
    talk.reply(talk.login_response(status_class=2, transit=False, tsih=0))
    talk.close()
    return talk


def redirected() -> Talk:
    talk = Talk()
    talk.say(talk.login_request())
    where = {"TargetAddress": "192.0.2.1:3260"}
    talk.reply(talk.login_response(where, status_class=1, transit=False, tsih=0))
    talk.close(Side.TARGET)
    return talk


def slow_login() -> Talk:
    """Security first, text in parts, and a target that proposes."""
    talk = Talk()
    keys = {**LEADING, "AuthMethod": "CHAP,None", "DataPDUInOrder": "No"}
    first = {name: keys[name] for name in ("InitiatorName", "TargetName", "AuthMethod")}
    talk.say(talk.login_request(first, csg=0, nsg=1))
    talk.reply(talk.login_response({"AuthMethod": "None"}, csg=0, nsg=1, tsih=0))
    start = b"DataPDUInOrder=No\0InitialR2T=Y"
    talk.say(talk.login_request({}, transit=False, nsg=0, continue_=True, data=start))
    talk.reply(talk.login_response(transit=False, nsg=0, tsih=0))
    talk.say(talk.login_request({}, data=b"es\0"))
    answer = {"DataPDUInOrder": "No", "MaxBurstLength": "4096"}
    talk.reply(talk.login_response(answer, transit=False, nsg=0, tsih=0))
    talk.say(talk.login_request({"MaxBurstLength": "2048"}))
    talk.reply(talk.login_response())
    return talk


def discovery() -> Talk:
    talk = Talk().log_in({"InitiatorName": INITIATOR, "SessionType": "Discovery"})
    request = talk.ask(TextRequest, data=b"SendTargets=All\0")
    talk.answer(
        TextResponse,
        request,
        data=f"TargetName={TARGET}\0TargetAddress=192.0.2.1:3260,1\0TargetAddress=x\0".encode(),
    )
    talk.answer(LogoutResponse, talk.ask(LogoutRequest))
    talk.close()
    return talk


def digests() -> Talk:
    talk = Talk().log_in(HeaderDigest="CRC32C", DataDigest="CRC32C")
    ping = talk.ask(NopOut, data=b"ping")
    talk.answer(NopIn, ping, data=b"ping")
    return talk


def two_connections() -> Talk:
    one = Talk().log_in(MaxConnections="2", ErrorRecoveryLevel="2")
    two = Talk(one).log_in(fields={"tsih": 1, "cid": 1})
    here = one.ask(ScsiCommand)
    there = two.ask(ScsiCommand)
    abort = two.ask(
        TaskManagementRequest,
        immediate=True,
        function=1,
        referenced_task_tag=there.itt,
        ref_cmd_sn=there.cmd_sn,
    )
    two.answer(TaskManagementResponse, abort)
    one.answer(ScsiResponse, here)
    one.say(SnackRequest(exp_stat_sn=one.stat_sn, type=1))
    two.answer(LogoutResponse, two.ask(LogoutRequest, reason=1, cid=1))
    two.close()
    lost = one.ask(ScsiCommand)
    one.ask(
        TaskManagementRequest,
        immediate=True,
        function=8,
        referenced_task_tag=lost.itt,
    )
    return one


def rejected() -> Talk:
    """A command that is damaged on its way comes again, with its number."""
    talk = Talk().log_in()
    command = talk.ask(ScsiCommand)
    header = b"".join(map(bytes, encode(command)))
    talk.answer(Reject, reason=2, data=header)
    talk.say(command)
    talk.answer(ScsiResponse, command)
    return talk


CONVERSATIONS: list[Callable[[], Talk]] = [
    writes,
    writes_in_another_order,
    writes_again,
    asks_again,
    reassigns,
    reset_on_the_other_connection,
    reads,
    target_fails,
    pings,
    management,
    text,
    refused,
    redirected,
    slow_login,
    discovery,
    digests,
    two_connections,
    rejected,
]
