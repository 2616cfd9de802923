from __future__ import annotations

from trioscsi.pdu import (
    NO_TASK,
    TaskFunction,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
)


def test_an_abort_byte_by_byte():
    request = TaskManagementRequest(
        immediate=True,
        function=TaskFunction.ABORT_TASK,
        lun=1,
        itt=2,
        referenced_task_tag=3,
        cmd_sn=4,
        exp_stat_sn=5,
        ref_cmd_sn=6,
        exp_data_sn=7,
    )
    header = request.pack(0)
    assert header.hex() == (
        "4281000000000000"
        "0000000000000001"
        "0000000200000003"
        "0000000400000005"
        "0000000600000007"
        "0000000000000000"
    )
    assert TaskManagementRequest.unpack(header) == request


def test_a_function_refers_to_no_task_unless_told_otherwise():
    assert TaskManagementRequest().referenced_task_tag == NO_TASK


def test_a_rejected_function_byte_by_byte():
    response = TaskManagementResponse(response=TaskResult.REJECTED, itt=2, max_cmd_sn=9)
    header = response.pack(0)
    assert header[:4].hex() == "2280ff00"
    assert header[32:36].hex() == "00000009"
    assert TaskManagementResponse.unpack(header) == response
