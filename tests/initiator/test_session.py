from __future__ import annotations

import pytest

from tests.initiator.pair import Pair, Script, intent, logged_in, reading
from tests.protocol.peer import Gate
from tests.requirements import requirement
from trioscsi.errors import UsageError
from trioscsi.initiator.deviations import Deviation, Rule
from trioscsi.initiator.events import SessionEnded, SessionFailed
from trioscsi.initiator.requests import Management, Task
from trioscsi.limits import Limits
from trioscsi.pdu import LogoutReason, NopIn, ScsiCommand, ScsiResponse, TaskFunction
from trioscsi.text import Offer


def test_a_command_waits_while_the_window_is_closed():
    script = logged_in()
    script.session.numbers.maximum = script.session.numbers.next
    first, second, third = reading(0, 4), reading(0, 4), reading(0, 4, immediate=True)
    (command,) = script.request(first)
    assert script.request(second) == []
    assert len(script.request(third)) == 1
    notice = NopIn(exp_cmd_sn=command.cmd_sn + 1, max_cmd_sn=command.cmd_sn + 1)
    (late,) = script.say(notice)
    assert late.cmd_sn == command.cmd_sn + 1


def test_those_that_wait_keep_their_order():
    script = logged_in()
    script.session.numbers.maximum = script.session.numbers.next - 1
    tasks = [reading(place, 4) for place in range(3)]
    for task in tasks:
        assert script.request(task) == []
    sent = script.say(NopIn(exp_cmd_sn=1, max_cmd_sn=9))
    assert [pdu.cdb for pdu in sent] == [task.cdb for task in tasks]


def test_a_window_that_a_target_holds_narrow_is_respected():
    gate = Gate(limits=Limits(tasks=2))
    gate.disk.lazy = True
    pair = Pair(gate)
    tasks = [reading(0, 4) for _ in range(7)]
    for task in tasks:
        pair.session.submit(task)
    for _ in range(7):
        pair.run()
        gate.disk.work()
    pair.run()
    assert all(task.over and not task.lost for task in tasks)


def test_the_window_can_be_ignored_on_purpose():
    deviation = Deviation(
        id="x", section="4.2.2.1", says="Ignores it.", breaks=frozenset({Rule.WINDOW})
    )
    script = logged_in(deviation=deviation)
    script.session.numbers.maximum = script.session.numbers.next - 1
    assert len(script.request(reading(0, 4))) == 1


def test_without_a_connection_a_request_is_over_at_once():
    script = Script()
    task = reading(0, 4)
    script.request(task)
    assert task.lost == "no connection is in full feature phase"


@pytest.mark.parametrize(
    "task", [Task(cdb=b""), Task(cdb=bytes(2000)), Task(cdb=bytes(6), expected_in=2**30)]
)
def test_impossible_commands_are_refused(task: Task):
    with pytest.raises(UsageError):
        logged_in().session.submit(task)


def test_commands_end_with_the_last_connection_and_the_session_may_come_back():
    gate = Gate()
    gate.disk.lazy = True
    pair = Pair(gate)
    task = pair.do(reading(0, 4))
    pair.connection.lost("the cable was cut", 0.0)
    pair.run()
    assert task.lost == "the cable was cut"
    assert pair.happened(SessionFailed)[0].wait == 2
    assert pair.session.machine.state == "FAILED"

    again = Pair(gate, pair.session.intent)
    again.gate.disk.lazy = False
    pair.session.reinstated()
    assert pair.session.machine.state == "FREE"
    assert again.do(reading(0, 4)).lost == ""
    assert len(gate.target.sessions) == 1


def test_a_failed_session_is_forgotten_when_its_time_is_up():
    pair = Pair(Gate())
    pair.connection.lost("the cable was cut", 0.0)
    pair.run()
    pair.pass_time(22)
    assert pair.session.machine.state == "FREE"
    assert pair.happened(SessionEnded)


def several() -> Pair:
    pair = Pair(Gate(Offer(max_connections=3)), intent(max_connections=3))
    pair.connect()
    return pair


def test_several_connections_share_numbers_and_tags():
    pair = several()
    assert [wire.initiator.full_feature for wire in pair.wires] == [True, True]
    for wire in pair.wires * 2:
        task = pair.do(reading(0, 4), wire)
        assert (task.lost, task.connection) == ("", wire.initiator)
    sent = [pdu for wire in pair.wires for pdu in wire.out if isinstance(pdu, ScsiCommand)]
    assert len({pdu.cmd_sn for pdu in sent}) == 4
    assert len({pdu.itt for pdu in sent}) == 4
    assert {wire.initiator.cid for wire in pair.wires} == {1, 2}


@requirement("7144-6.3-4")
def test_a_task_is_asked_about_by_its_connection():
    pair = several()
    pair.gate.disk.lazy = True
    for wire in pair.wires:
        task = pair.do(reading(0, 4), wire)
        asked = pair.do(Management(function=TaskFunction.QUERY_TASK, about=task, immediate=True))
        assert asked.connection is wire.initiator


def test_one_of_several_connections_may_be_logged_out():
    pair = several()
    first, second = pair.wires
    pair.session.log_out(first.initiator, LogoutReason.CLOSE_CONNECTION)
    pair.run()
    assert first.initiator.closed
    assert not pair.happened(SessionEnded)
    assert pair.do(reading(0, 4)).connection is second.initiator


def test_a_logout_of_the_session_ends_all_of_them():
    pair = several()
    pair.session.log_out(pair.connection, LogoutReason.CLOSE_SESSION)
    pair.run()
    assert all(wire.initiator.closed for wire in pair.wires)
    assert pair.happened(SessionEnded)
    assert not pair.happened(SessionFailed)


def test_without_error_recovery_a_connection_that_breaks_takes_its_session_with_it():
    pair = several()
    pair.gate.disk.lazy = True
    first, second = (pair.do(reading(0, 4), wire) for wire in pair.wires)
    pair.wires[0].initiator.lost("cut", 0.0)
    pair.run()
    assert first.lost == "cut"
    assert second.lost == "cut: its session ends with it"
    assert pair.happened(SessionFailed)


def test_the_connection_that_has_the_least_to_do_takes_the_next_command():
    pair = several()
    pair.gate.disk.lazy = True
    tasks = [reading(0, 4) for _ in range(4)]
    for task in tasks:
        pair.session.submit(task)
    first, second = (wire.initiator for wire in pair.wires)
    assert [task.connection for task in tasks] == [first, second, first, second]


def test_after_a_logout_of_the_session_nothing_new_is_said_on_any_connection():
    pair = several()
    pair.session.log_out(pair.connection, LogoutReason.CLOSE_SESSION)
    task = reading(0, 4)
    pair.session.submit(task)
    assert task.lost == "the connection is being logged out"
    pair.run()
    assert pair.happened(SessionEnded)


def test_a_target_that_breaks_the_protocol_loses_all_connections():
    pair = several()
    pair.wires[1].initiator.receive(b"\x3c" + bytes(47))
    pair.wires[1].initiator.pump(0.0, 5)
    pair.run()
    assert all(wire.initiator.closed for wire in pair.wires)
    assert pair.happened(SessionFailed)


def test_a_tag_may_be_reused_on_purpose():
    deviation = Deviation(
        id="x", section="11.2.1.8", says="Reuses.", breaks=frozenset({Rule.UNIQUE_TAGS})
    )
    script = logged_in(deviation=deviation)
    (first,) = script.request(reading(0, 4))
    (second,) = script.request(reading(0, 4))
    assert first.itt == second.itt
    script.say(ScsiResponse(itt=second.itt))


def test_a_task_set_that_is_full_gets_fewer_commands_at_a_time():
    script = logged_in()
    tasks = [reading(place, 4) for place in range(4)]
    for task in tasks[:3]:
        script.request(task)
    script.say(ScsiResponse(itt=tasks[0].itt, status=0x28))
    assert script.request(tasks[3]) == []
    (command,) = script.say(ScsiResponse(itt=tasks[1].itt))
    assert command.itt == tasks[3].itt


def test_of_tasks_that_were_ended_from_outside_only_so_many_are_remembered():
    script = logged_in(limits=Limits(ping_interval=0, tasks=2))
    for _ in range(5):
        task = reading(0, 4)
        script.request(task)
        script.session.abandon(task, "aborted")
    assert len(script.session.abandoned) == 2
