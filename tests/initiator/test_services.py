from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from tests.requirements import requirement
from trioscsi.errors import CommandFailed, SessionLost, ShortTransfer, UsageError
from trioscsi.initiator.requests import Management, Ping, Task, TextWish
from trioscsi.initiator.results import Capacity, Found
from trioscsi.initiator.rules import Rules
from trioscsi.initiator.services import Services
from trioscsi.pdu import TaskFunction, TaskResult

CAPACITY = (99).to_bytes(8) + (512).to_bytes(4) + bytes(20)
ATTENTION = bytes.fromhex("700006000000000a00000000")
BUSY, TASK_SET_FULL = 0x08, 0x28


class Unit(Services):
    """A unit that answers what the test has prepared, in this order."""

    lun = 0
    discovery = True
    portal = "192.0.2.1:3260"
    rules = Rules()

    def __init__(self, *answers: dict[str, Any]) -> None:
        super().__init__()
        self.answers = deque(answers)
        self.asked: list[Any] = []
        self.paused: list[float] = []

    async def do(self, request: Any) -> Any:
        self.asked.append(request)
        for name, value in (self.answers.popleft() if self.answers else {}).items():
            setattr(request, name, value)
        return request

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


def ready(*answers: dict[str, Any]) -> Unit:
    return Unit({}, {"data_in": CAPACITY}, *answers)


def attention(code: str) -> dict[str, Any]:
    return {"status": 2, "sense": ATTENTION + bytes.fromhex(code) + bytes(4)}


async def test_blocks_are_read_and_written():
    unit = ready({"data_in": bytes(1024)}, {})
    assert await unit.read(5, 2) == bytes(1024)
    await unit.write(5, bytes(1024))
    assert [task.cdb[0] for task in unit.asked] == [0x00, 0x9E, 0x28, 0x2A]
    assert await unit.read_capacity() == Capacity(100, 512)
    with pytest.raises(UsageError, match="no blocks of 512"):
        await unit.write(0, b"half")


async def test_a_unit_that_does_not_say_how_large_it_is_is_not_read():
    with pytest.raises(ShortTransfer, match="0 of 12 bytes"):
        await Unit({}, {"data_in": b""}).read(0, 1)


async def test_nothing_is_written_in_blocks_of_no_bytes():
    with pytest.raises(UsageError, match="no blocks of 0"):
        await Unit({}, {"data_in": bytes(32)}).write(0, b"data")


@requirement("7143-11.4.5.1-3")
async def test_less_data_than_was_asked_for_is_no_success():
    with pytest.raises(ShortTransfer, match="512 of 1024 bytes"):
        await ready({"data_in": bytes(512), "residual": 512}).read(0, 2)
    with pytest.raises(ShortTransfer, match="1000 of 1024 bytes"):
        await ready({"residual": 24}).write(0, bytes(1024))
    assert await ready({"data_in": bytes(1024), "residual": -7}).read(0, 2) == bytes(1024)


@requirement("7143-11.4.2-2")
@requirement("7143-11.14.5-2")
@pytest.mark.parametrize(
    "answer", [{"status": BUSY}, {"status": TASK_SET_FULL}, attention("477f"), attention("2f00")]
)
async def test_what_was_not_performed_is_sent_anew_after_a_while(answer: dict[str, Any]):
    unit = Unit(answer, answer, {"status": 0})
    assert (await unit.command(bytes(6))).status == 0
    assert len(unit.asked) == 3
    assert unit.paused == sorted(unit.paused)
    assert len(unit.paused) == 2


async def test_patience_with_a_unit_that_stays_busy_has_an_end():
    unit = Unit(*[{"status": BUSY}] * 20)
    assert (await unit.command(bytes(6))).status == BUSY
    assert len(unit.asked) == 8


@pytest.mark.parametrize("answer", [attention("2900"), {"status": 0x18}, {"status": 0x40}])
async def test_everything_else_is_the_callers(answer: dict[str, Any]):
    unit = Unit(answer)
    answered = await unit.command(bytes(6))
    assert answered.status == answer["status"]
    assert len(unit.asked) == 1
    with pytest.raises(CommandFailed):
        answered.check()


async def test_after_a_recovery_the_loss_of_the_nexus_is_no_news():
    unit = Unit(attention("2907"), {})
    unit.recoveries = 1
    assert (await unit.command(bytes(6))).status == 0


async def test_a_command_that_could_not_be_carried_out_has_failed():
    with pytest.raises(SessionLost, match="could not carry the command out"):
        await Unit({"response": 1}).command(bytes(6))


@requirement("7143-11.4.5.3-1")
async def test_a_longer_list_of_units_is_asked_for_again():
    luns = [place << 48 for place in range(9000)]
    inventory = b"".join(each.to_bytes(8) for each in luns)
    full = len(inventory).to_bytes(4) + bytes(4) + inventory
    unit = Unit({"data_in": full[:65_536]}, {"data_in": full})
    assert await unit.report_luns() == luns
    assert [task.expected_in for task in unit.asked] == [65_536, len(full)]


async def test_a_list_of_units_that_is_longer_than_all_is_cut():
    unit = Unit(*[{"data_in": b"\xff" * 4 + bytes(12)}] * 2)
    assert await unit.report_luns() == [0]
    assert len(unit.asked) == 2


async def test_a_target_without_an_address_is_where_it_was_found():
    unit = Unit({"answer": [("TargetAddress", "x"), ("TargetName", "iqn.2025-12.a:b")]})
    assert await unit.discover() == [Found("iqn.2025-12.a:b", ("192.0.2.1:3260",))]
    assert unit.asked[0].pairs == [("SendTargets", "All")]


@requirement("7143-C-3")
async def test_keys_that_do_not_belong_to_a_list_of_targets_are_passed_over():
    name, address = "iqn.2025-12.a:b", "192.0.2.9:3260,1"
    stray = ("X-com.example.colour", "blue")
    said = [stray, ("TargetAlias", "a"), ("TargetName", name), stray, ("TargetAddress", address)]
    assert await Unit({"answer": said}).discover() == [Found(name, (address,))]


async def test_everything_else_is_asked_for_too():
    unit = Unit({"answer": b"ping"}, {"result": TaskResult.COMPLETE}, {"answer": []}, {})
    assert await unit.ping(b"ping") == b"ping"
    assert await unit.manage(TaskFunction.LOGICAL_UNIT_RESET, lun=1) is TaskResult.COMPLETE
    assert await unit.text(("SendTargets", "")) == []
    await unit.negotiate()
    assert [type(request) for request in unit.asked] == [Ping, Management, TextWish, TextWish]
    assert unit.asked[1].lun == 1 << 48


async def test_unit_attentions_are_taken_until_none_is_left():
    unit = Unit(attention("2900"), attention("3f0e"), {})
    await unit.wait_ready()
    assert [task.cdb for task in unit.asked if isinstance(task, Task)] == [bytes(6)] * 3
