from __future__ import annotations

import pytest

from trioscsi.conformance.bench.words import answer_to, ping, r2t, reject
from trioscsi.pdu import (
    NO_TASK,
    DataOut,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    TextRequest,
    TextResponse,
)


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (LoginRequest, LoginResponse),
        (TextRequest, TextResponse),
        (NopOut, NopIn),
        (ScsiCommand, ScsiResponse),
        (TaskManagementRequest, TaskManagementResponse),
        (LogoutRequest, LogoutResponse),
    ],
)
def test_each_request_has_its_response_with_its_tag(request_, response):
    answer = answer_to(request_(itt=7))
    assert type(answer) is response
    assert answer.itt == 7


def test_a_login_moves_on_as_it_was_asked_to():
    request = LoginRequest(itt=1, transit=True, csg=1, nsg=3, isid=b"\x80\0\0\0\0\1")
    answer = answer_to(request, tsih=5)
    assert (answer.transit, answer.csg, answer.nsg, answer.tsih) == (True, 1, 3, 5)
    assert answer.isid == request.isid


def test_a_login_that_is_to_stay_names_no_next_stage():
    request = LoginRequest(itt=1, transit=True, csg=1, nsg=3)
    assert answer_to(request, transit=False).nsg == 0
    assert answer_to(LoginRequest(itt=1, csg=1)).nsg == 0


def test_a_ping_comes_back_with_its_data():
    answer = answer_to(NopOut(itt=3, lun=1, data=b"echo"))
    assert (answer.lun, bytes(answer.data)) == (1, b"echo")


def test_what_asks_for_nothing_has_no_answer():
    with pytest.raises(TypeError, match="a DataOut has no answer"):
        answer_to(DataOut())


def test_a_reject_has_the_header_as_it_was_sent():
    command = ScsiCommand(itt=3, lun=1, cdb=bytes(range(16)), data=b"data")
    rejected = reject(command, 4)
    assert rejected.reason == 4
    assert bytes(rejected.data) == command.pack(4)


def test_a_ping_of_the_target_wants_an_answer():
    pdu = ping(ttt=9, lun=2)
    assert (pdu.itt, pdu.ttt, pdu.lun) == (NO_TASK, 9, 2)


def test_an_r2t_asks_for_data_of_its_command():
    pdu = r2t(ScsiCommand(itt=3, lun=1), 512, 1024, 7, 2)
    assert (pdu.itt, pdu.lun, pdu.ttt, pdu.r2t_sn) == (3, 1, 7, 2)
    assert (pdu.buffer_offset, pdu.desired_data_transfer_length) == (512, 1024)
