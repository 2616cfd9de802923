"""PL: what RFC 7144 adds, where it was agreed, and only there."""

from __future__ import annotations

from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import reads_blocks
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import ScsiCommand, TaskFunction, TaskManagementRequest, TaskResult
from trioscsi.pdu.sense import join

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_PRIORITY = Rule("7144-5.1.1-1")
_FUNCTIONS = Rule("7144-6.3-1")
_SENSE = Rule("7144-5.2.2-1", Level.NOTE)
_SUCCEEDED = Rule("7144-6.4.2-1", Level.NOTE)

_ADDED = frozenset(
    {
        TaskFunction.QUERY_TASK,
        TaskFunction.QUERY_TASK_SET,
        TaskFunction.I_T_NEXUS_RESET,
        TaskFunction.QUERY_ASYNCHRONOUS_EVENT,
    }
)
_BUSY = 0x08
_NOT_READY = bytes.fromhex("700002000000000a00000000040100000000")
"""NOT READY, becoming ready."""


@scenario(
    "PL-01",
    "Where level 2 was not agreed there are neither priorities nor functions of RFC 7144.",
    _PRIORITY,
    Drive.MIXED,
    target={"protocol_level": 1},
    mutants=("priority-unagreed",),
)
async def level_1(play: Play) -> None:
    link = await play.session()
    link.on_request = lambda pdu: _look(play, pdu)
    await link.run_for(3)


def _look(play: Play, pdu: object) -> None:
    if isinstance(pdu, ScsiCommand):
        play.check(not pdu.priority, f"a command has priority {pdu.priority}")
    elif isinstance(pdu, TaskManagementRequest):
        play.check(pdu.function not in _ADDED, f"it asks for function {pdu.function}", _FUNCTIONS)


@scenario(
    "PL-02",
    "At level 2 sense data and a qualifier with BUSY do no harm.",
    _SENSE,
    Drive.READ,
    needs={Ability.PROTOCOL_LEVEL_2},
    initiator={"protocol_level": 2},
)
async def sense_with_any_status(play: Play) -> None:
    link = await play.session()
    if link.parameters.protocol_level < 2:
        raise NotExercised("iSCSIProtocolLevel 2 was not agreed")
    command = await link.take(ScsiCommand, where=reads_blocks)
    await link.answer(
        command,
        status=_BUSY,
        status_qualifier=1,
        data=join(_NOT_READY),
        underflow=True,
        residual_count=command.expected_data_transfer_length,
    )
    ending = await play.ending()
    play.inform(ending.survived, str(ending))


@scenario(
    "PL-03",
    "At level 2 the answer that a task is there is understood.",
    _SUCCEEDED,
    Drive.QUERY,
    needs={Ability.PROTOCOL_LEVEL_2},
    initiator={"protocol_level": 2},
)
async def task_is_there(play: Play) -> None:
    link = await play.session()
    if link.parameters.protocol_level < 2:
        raise NotExercised("iSCSIProtocolLevel 2 was not agreed")
    command = await link.take(ScsiCommand, where=reads_blocks)
    request = await link.take(
        TaskManagementRequest, where=lambda pdu: pdu.function in _ADDED, within=10
    )
    await link.answer(request, response=TaskResult.SUCCEEDED)
    await link.forward(command)
    ending = await play.ending()
    play.inform(ending.survived, str(ending))
