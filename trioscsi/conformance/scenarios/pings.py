"""NP: pings (RFC 7143 sections 11.18 and 11.19)."""

from __future__ import annotations

from trioscsi.conformance.bench.link import ping
from trioscsi.conformance.bench.play import Play
from trioscsi.conformance.bench.scenario import Drive, Scenarios
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import NO_TASK, NopOut

SCENARIOS = Scenarios()
scenario = SCENARIOS.scenario

_SAME_TTT = Rule("7143-11.18.2-1")


@scenario(
    "NP-01",
    "A ping is answered once, with its tag and its unit, and without counting CmdSN up.",
    _SAME_TTT,
    Drive.IDLE,
    mutants=("ping-ignored", "ping-tag"),
    unh=("FFP 15.1",),
)
async def ping_is_answered(play: Play) -> None:
    link = await play.session()
    await link.run_for(2)
    await link.say(ping(ttt=7))
    answer = await play.expect(link, NopOut, breach="the ping is not answered")
    play.check(answer.ttt == 7, f"the answer has the tag {answer.ttt:#x}")
    play.check(answer.itt == NO_TASK, "the answer has a task tag")
    play.check(answer.immediate, "the answer counts CmdSN up")
    await play.ending()
