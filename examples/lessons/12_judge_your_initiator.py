"""Lesson 12: judge your own initiator.

    python examples/lessons/12_judge_your_initiator.py
    python examples/lessons/12_judge_your_initiator.py iscsi-inq {url}

A judge in the gallery sees every byte of both sides and holds it against the RFC.  Whom it judges
is up to you: any command that takes a URL.  Without one it is an initiator with a fault of its own.
It only looks on; `trioscsi conformance run -- COMMAND` plays scenarios that provoke, too.
"""

import shlex
import sys

import trio
from classroom import NAME, Gallery, ask, say

from trioscsi import MemoryDisk, Target
from trioscsi.conformance import Judge, Verdict
from trioscsi.conformance.monitors import MONITORS
from trioscsi.errors import TrioscsiError
from trioscsi.initiator.client import connect
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.text import Side

FAULT = MUTANTS["data-sn"]


async def initiate(url, command):
    """Run a command, or else an initiator that does not count well."""
    if command:
        await trio.run_process([word.replace("{url}", url) for word in command], check=False)
        return
    async with connect(url, deviation=FAULT, immediate_data=False) as session:
        await session.write(0, bytes(4096))


def report(results):
    for verdict in Verdict:
        found = [result for result in results if result.verdict is verdict]
        print(f"  {verdict:>13}: {len(found)}")
        for result in found if verdict in (Verdict.FAIL, Verdict.WARN) else []:
            print(f"{'':>17}{MONITORS[result.monitor].says}")
            for finding in result.findings:
                print(f"{'':>19}{finding}")


async def main():
    judge = Judge()
    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0", trace=Gallery(judge))
    say(f"The initiator {shlex.join(sys.argv[1:]) or f'that {FAULT.says}'}, judged:")
    async with trio.open_nursery() as nursery:
        [(host, port)] = await nursery.start(target.serve)
        try:
            await initiate(f"iscsi://{host}:{port}/{NAME}/0", sys.argv[1:])
        except (OSError, TrioscsiError) as error:
            print(f"  it ends with: {error}\n")
        nursery.cancel_scope.cancel()
    results = judge.end().values()
    report([each for each in results if MONITORS[each.monitor].sender is not Side.TARGET])
    ask(
        "why is not-exercised no pass, and what would your initiator have to do to be judged by "
        "more of the monitors?"
    )


if __name__ == "__main__":
    trio.run(main)
