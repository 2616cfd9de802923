"""One scenario of your own, played against an initiator that is a command.

    python examples/own_scenario.py iscsi-inq {url}

The initiator connects to a real target with a stage in front of it. All goes through but what the
scenario takes, changes or adds: here the target asks whether the initiator is still there, twice at
once, and both pings have to be answered, in their order. Without a command our own initiator is
judged. The exit status is 1 if it fails.
"""

import sys

import trio

from trioscsi.conformance import (
    CommandDriver,
    Drive,
    InHouse,
    Play,
    Rule,
    Scenario,
    Verdict,
    perform,
)
from trioscsi.conformance.bench.words import ping
from trioscsi.pdu import NopIn, NopOut


async def two_pings(play: Play) -> None:
    link = await play.session()
    await link.say(ping(ttt=1), ping(ttt=2), together=True)
    for ttt in (1, 2):
        answer = await play.expect(link, NopOut, breach="a ping is not answered")
        play.check(answer.ttt == ttt, f"ping {ttt} is answered with the tag {answer.ttt}")


SCENARIO = Scenario(
    id="ME-01",
    says="Two pings are answered, in their order.",
    rule=Rule("7143-11.18-1"),  # a row of specs/requirements.toml
    drive=Drive.READ,
    act=two_pings,
)


def main():
    driver = CommandDriver.of(sys.argv[1:]) if sys.argv[1:] else InHouse()
    outcome = trio.run(perform, SCENARIO, driver)
    print(f"{SCENARIO.id} {outcome.verdict}: {outcome.says or SCENARIO.says}")
    for line in outcome.ladder:  # all PDUs that went over the initiator's wires
        if isinstance(line.thing, NopIn | NopOut):
            print(f"  {line.time:6.3f} s  {line.sender.value:<9}  {line.thing}")
    sys.exit(outcome.verdict is Verdict.FAIL)


if __name__ == "__main__":
    main()
