"""Some scenarios of the bench, played against an initiator that is a command.

    python examples/judge_a_command.py iscsi-inq {url}

It is what `trioscsi conformance run LG-01 NG-01 -- iscsi-inq {url}` does, for those who want the
report as objects. The exit status is 1 if the initiator breaks anything that it MUST keep.
"""

import sys

import trio

from trioscsi.conformance import SCENARIOS, CommandDriver, Report, perform_all


async def judge(command):
    driver = CommandDriver.of(command)
    scenarios = [SCENARIOS[name] for name in ("LG-01", "NG-01")]
    return Report(driver.name, await perform_all(scenarios, driver, at_once=2))


def main():
    if not sys.argv[1:]:
        sys.exit("say how the initiator is started, such as: iscsi-inq {url}")
    report = trio.run(judge, sys.argv[1:])
    for outcome in report.outcomes:
        print(outcome.scenario.id, outcome.verdict, outcome.scenario.says, outcome.says)
    for name, watched in report.monitors.items():
        if watched.findings:
            print(name, watched.verdict, *watched.findings[0])
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
