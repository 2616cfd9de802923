"""A report as JUnit XML, which build servers show."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from trioscsi.conformance.report.plain import plain
from trioscsi.conformance.report.report import Report
from trioscsi.conformance.verdicts import Verdict


def as_junit(report: Report) -> str:
    """Each scenario and each monitor is a test case; what was not exercised is skipped."""
    suite = ET.Element("testsuite", name=plain(f"trioscsi conformance: {report.initiator}"))
    counts = {"tests": 0, "failures": 0, "skipped": 0}

    def add(group: str, name: str, seconds: float, verdict: Verdict, says: str) -> None:
        case = ET.SubElement(suite, "testcase", classname=group, name=name, time=f"{seconds:.3f}")
        counts["tests"] += 1
        says = plain(says)
        if verdict is Verdict.FAIL:
            counts["failures"] += 1
            ET.SubElement(case, "failure", message=says)
        elif verdict in (Verdict.NOT_EXERCISED, Verdict.INCONCLUSIVE):
            counts["skipped"] += 1
            ET.SubElement(case, "skipped", message=f"{verdict}: {says}")
        elif verdict is not Verdict.PASS:
            ET.SubElement(case, "system-out").text = f"{verdict}: {says}"

    for outcome in report.outcomes:
        scenario = outcome.scenario
        name = f"{scenario.id} {scenario.says}"
        add(scenario.group, name, outcome.seconds, outcome.verdict, outcome.says)
    for watched in report.monitors.values():
        says = "; ".join(dict.fromkeys(finding.says for _, finding in watched.findings))
        add("monitors", watched.id, 0.0, watched.verdict, says)
    for name, count in counts.items():
        suite.set(name, str(count))
    ET.indent(suite)
    text: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"
