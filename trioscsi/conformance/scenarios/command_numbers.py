"""CN: numbers of commands (RFC 7143 sections 4.2.2.1 and 7.2.1)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.bench.link import Silence
from trioscsi.conformance.bench.numbers import is_numbered
from trioscsi.conformance.bench.play import NotExercised, Play
from trioscsi.conformance.bench.readings import (
    gather,
    reads_blocks,
    take_reading,
)
from trioscsi.conformance.bench.scenario import Ability, Drive, Scenarios
from trioscsi.conformance.bench.words import reject
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    FROM_INITIATOR,
    NO_TASK,
    LoginRequest,
    NopOut,
    RejectReason,
    ScsiCommand,
)
from trioscsi.serial import add, distance

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_IMMEDIATE = Rule("7143-4.2.2.1-1")
_COUNTS = Rule("7143-4.2.2.1-2")
_SERIAL = Rule("7143-4.2.2.1-15")
_ANY_ORDER = Rule("7143-4.2.2.2-4")
_RETRY = Rule("7143-7.2.1-1")

_WIDTH = 4
"""Commands that are granted where the window is to run out."""
_NEAR = 1000
"""Commands that it may take to come to the number 0."""
_FAILS = "the initiator does not go on"


@scenario(
    "CN-01",
    "Each request that is not immediate has the next CmdSN; immediate ones do not count it up.",
    _COUNTS,
    Drive.WRITE,
    limit=20,
    mutants=("cmdsn-skips", "cmdsn-stays", "cmdsn-far"),
    unh=("FFP 1.1", "FFP 2.1"),
)
async def counting(play: Play) -> None:
    link = await play.session()
    due, count, wrong = link.numbers.exp_cmd_sn, 0, False

    def hear(pdu: Any) -> None:
        nonlocal due, count, wrong
        if wrong or not hasattr(pdu, "cmd_sn") or isinstance(pdu, LoginRequest):
            return
        count += 1
        if pdu.cmd_sn != due:
            wrong = True
            rule = _IMMEDIATE if pdu.immediate else _COUNTS
            play.check(False, f"CmdSN {pdu.cmd_sn} where {due} is due", rule)
        due = add(due) if is_numbered(pdu) else due

    link.on_request = hear
    await play.ending()
    if count > 1:
        play.check(not wrong, "CmdSN is not counted")


@scenario(
    "CN-07",
    "After CmdSN 2**32 - 1 comes 0.",
    _SERIAL,
    Drive.READ,
    needs=(Ability.OFFERS,),
    initiator={"first_cmd_sn": 2**32 - 2},
    mutants=("cmdsn-no-zero",),
)
async def wrap(play: Play) -> None:
    link = await play.session()
    if distance(link.numbers.exp_cmd_sn, 0) > _NEAR:
        raise NotExercised("its CmdSN is far from 2**32")
    await play.expect_success(_FAILS)
    play.check(link.numbers.exp_cmd_sn < _NEAR, "CmdSN does not come to 0")


@scenario(
    "CN-10",
    "A command that is not acknowledged for some time is sent again as it was, or not at all.",
    _RETRY,
    Drive.READ,
    mutants=("retry-changed",),
    unh=("FFP 4.1",),
)
async def late_acknowledgment(play: Play) -> None:
    link = await play.session()
    kept = [await link.take(ScsiCommand)]
    try:
        while True:
            again = await link.take(ScsiCommand, within=3)
            first = next((pdu for pdu in kept if pdu.cmd_sn == again.cmd_sn), None)
            if first is None or again.immediate:
                kept.append(again)
            else:
                play.check(_same(first, again), "a command is sent again with other contents")
    except Silence:
        pass
    play.check(True, "")
    for pdu in kept:
        await link.forward(pdu)
    await play.expect_success(_FAILS)


@scenario(
    "CN-11",
    "An immediate request that was rejected has not counted CmdSN up.",
    _IMMEDIATE,
    Drive.PING,
    mutants=("immediate-counted",),
)
async def immediate_is_rejected(play: Play) -> None:
    link = await play.session()
    request = await link.take(NopOut, where=lambda pdu: pdu.immediate and pdu.itt != NO_TASK)
    await link.say(reject(request, RejectReason.IMMEDIATE_COMMAND_REJECT))
    following = await link.see(*FROM_INITIATOR, where=lambda pdu: hasattr(pdu, "cmd_sn"), within=10)
    number = following.cmd_sn  # type: ignore[attr-defined]
    play.check(number == request.cmd_sn, f"CmdSN {number} after {request.cmd_sn} was rejected")


@scenario(
    "CN-12",
    "Statuses may come in another order than their commands.",
    _ANY_ORDER,
    Drive.PARALLEL_READ,
    mutants=("status-in-order",),
)
async def statuses_out_of_order(play: Play) -> None:
    link = await play.session()
    found = []
    for command in await gather(link, 2, reads_blocks):
        await link.forward(command)
        found.append(await take_reading(link, command))
    for each in reversed(found):
        await each.goes_on()
    await play.expect_success("commands fail whose statuses come out of order")


def _same(first: ScsiCommand, again: ScsiCommand) -> bool:
    """Whether a command is the one that was sent before (section 7.2.1)."""
    names = ("itt", "lun", "cdb", "read", "write", "attributes", "expected_data_transfer_length")
    return all(getattr(first, name) == getattr(again, name) for name in names)
