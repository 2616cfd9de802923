from __future__ import annotations

from typing import Any

from tests.initiator.pair import Script, intent, logged_in, reading, writing
from trioscsi.limits import Limits
from trioscsi.pdu import DataOut, NopIn, ScsiCommand

LIMITS = Limits(ping_interval=0, retry_time=5)


def at_level(level: int, text: bytes = b"") -> Script:
    wish = intent(error_recovery_level=level, first_burst_length=512)
    level_text = f"ErrorRecoveryLevel={level}\0".encode()
    return logged_in(wish, level_text + text, limits=LIMITS)


def waits_for(script: Script, cmd_sn: int) -> list[Any]:
    return script.say(NopIn(exp_cmd_sn=cmd_sn, max_cmd_sn=cmd_sn + 20))


def test_a_command_that_was_lost_is_sent_again_as_it_was():
    script = at_level(1, b"InitialR2T=No\0MaxRecvDataSegmentLength=512\0ImmediateData=No\0")
    task, other = writing(0, bytes(512)), reading(0, 4)
    first = script.request(task)
    script.request(other)
    waits_for(script, task.cmd_sn)
    assert script.pass_time(5) == []
    again = script.pass_time(5)
    assert [type(pdu) for pdu in again] == [ScsiCommand, DataOut]
    for before, now in zip(first, again, strict=True):
        assert (before.itt, bytes(before.data)) == (now.itt, bytes(now.data))
    assert (again[0].cmd_sn, again[0].cdb) == (task.cmd_sn, first[0].cdb)


def test_a_command_that_is_acknowledged_is_not_sent_again():
    script = at_level(1)
    task = reading(0, 4)
    script.request(task)
    waits_for(script, task.cmd_sn + 1)
    for _ in range(5):
        assert script.pass_time(5) == []


def test_a_target_that_makes_headway_is_waited_for():
    script = at_level(1)
    tasks = [reading(0, 4) for _ in range(3)]
    for task in tasks:
        script.request(task)
    for task in tasks:
        waits_for(script, task.cmd_sn)
        assert script.pass_time(5) == []


def test_where_no_recovery_was_agreed_nothing_is_sent_again():
    script = at_level(0)
    task = reading(0, 4)
    script.request(task)
    waits_for(script, task.cmd_sn)
    for _ in range(5):
        assert script.pass_time(5) == []


def test_a_connection_that_lets_nothing_through_is_given_up():
    script = at_level(1)
    task = reading(0, 4)
    script.request(task)
    waits_for(script, task.cmd_sn)
    sent = [pdu for _ in range(8) for pdu in script.pass_time(5)]
    assert len(sent) == 3
    assert script.connection.closed
    assert task.orphaned
