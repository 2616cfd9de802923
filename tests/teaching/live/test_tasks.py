from __future__ import annotations

from trioscsi.lun import encode as encode_lun
from trioscsi.pdu import ScsiCommand
from trioscsi.teaching.live.tasks import Task


def test_a_command_that_nobody_knows_is_called_by_its_opcode():
    task = Task.of(ScsiCommand(itt=0xFFFFFFFF, cdb=b"\xff" + bytes(15), attributes=7), 1.0)
    described = task.described
    assert (described["name"], described["attribute"]) == ("FFh", "7")
    assert described["itt"] == "none"


def test_a_task_has_its_unit_attribute_and_what_it_moves():
    command = ScsiCommand(
        itt=3,
        lun=encode_lun(2),
        cdb=b"\x2a" + bytes(15),
        write=True,
        attributes=2,
        expected_data_transfer_length=4096,
    )
    described = Task.of(command, 1.0).described
    assert (described["lun"], described["attribute"]) == (2, "ORDERED")
    assert (described["reads"], described["writes"]) == (0, 4096)
    assert described["cdb"] == "2a" + "00" * 15


def test_a_command_that_reads_and_writes_says_both():
    command = ScsiCommand(read=True, write=True, expected_data_transfer_length=8)
    command.bidirectional_read_length = 16
    task = Task.of(command, 1.0)
    assert (task.reads, task.writes) == (16, 8)


def test_a_status_that_nobody_knows_is_a_number():
    task = Task.of(ScsiCommand(itt=1), 1.0)
    assert not task.over
    task.respond(0x77, 2.0)
    assert task.over
    assert (task.status, task.ended) == ("0x77", 2.0)
