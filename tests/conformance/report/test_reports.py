from __future__ import annotations

import io
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.conformance.playing import played
from trioscsi.capture import read_capture
from trioscsi.conformance import Verdict
from trioscsi.conformance.bench.clock import QUIET
from trioscsi.conformance.bench.outcome import Outcome
from trioscsi.conformance.bench.run import perform
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.report import Report
from trioscsi.conformance.report.as_json import as_json
from trioscsi.conformance.report.compare import Difference, differences, parse
from trioscsi.conformance.report.fields_named import fields_named, in_any
from trioscsi.conformance.report.html import as_html
from trioscsi.conformance.report.junit import as_junit
from trioscsi.conformance.report.terminal import lines, progress
from trioscsi.conformance.scenarios import SCENARIOS
from trioscsi.conformance.verdicts import Result
from trioscsi.errors import UsageError
from trioscsi.initiator.mutants import MUTANTS

FAULT = MUTANTS["ping-tag"]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Something that passes, something that fails, and something that was not tried."""
    return [
        played(SCENARIOS["LG-01"]),
        played(SCENARIOS["NP-01"], FAULT),
        Outcome(scenario=SCENARIOS["NP-02"], interrupted="nobody can do <this>"),
    ]


@pytest.fixture(scope="module")
def report(outcomes: list[Outcome]) -> Report:
    return Report("somebody", outcomes)


def test_a_report_counts_verdicts_and_knows_the_initiator(report: Report):
    assert report.failed
    assert report.summary[Verdict.PASS] == report.summary[Verdict.FAIL] == 1
    assert report.summary[Verdict.NOT_EXERCISED] == 1
    assert report.offered["SessionType"] == ("Normal",)
    assert report.seen["first CmdSN"] == 1
    assert report.monitors["M-22"].verdict is Verdict.FAIL
    assert report.monitors["M-01"].verdict is Verdict.PASS


def test_the_terminal_tells_what_was_found_and_what_proves_it(
    report: Report, outcomes: list[Outcome]
):
    text = "\n".join(lines(report))
    assert "NP-01  FAIL" in text
    assert "the answer has the tag 0x8 (MUST, 7143-11.18.2-1)" in text
    assert "somebody: 1 pass, 1 FAIL, 1 not-exercised" in text
    assert "M-22" in text
    assert progress(outcomes[0]).startswith("LG-01  pass")
    assert progress(outcomes[2]).endswith("[nobody can do <this>]")


def test_json_has_the_proof_with_its_header(report: Report):
    found = json.loads(as_json(report))
    assert [result["verdict"] for result in found["results"]] == ["pass", "FAIL", "not-exercised"]
    evidence = found["results"][1]["evidence"][0]
    assert evidence["requirement"] == "7143-11.18.2-1"
    assert evidence["sender"] == "initiator"
    assert len(evidence["header"]) == 96
    assert found["summary"]["FAIL"] == 1
    assert {row["id"] for row in found["monitors"]} == {f"M-{n:02}" for n in range(1, 45)}


def test_json_has_what_was_found_of_an_observed_target_as_well():
    results = {name: Result(name) for name in ("M-01", "T-06")}
    found = json.loads(as_json(Report("a proxy", observed=results)))
    assert {row["id"] for row in found["monitors"]} == MONITORS.keys()


def test_build_servers_see_failures_and_what_was_skipped(report: Report):
    suite = ET.fromstring(as_junit(report))
    cases = {case.get("name", "").split()[0]: case for case in suite}
    assert cases["NP-01"].find("failure") is not None
    assert cases["NP-02"].find("skipped") is not None
    assert not list(cases["LG-01"])
    assert suite.get("tests") == str(3 + 44)


def test_what_a_peer_says_neither_moves_a_terminal_nor_spoils_xml(outcomes: list[Outcome]):
    said = "Key=\x1b[2J\x00\uffff<b>"
    (breach, *_) = outcomes[1].breaches
    remark = attrs.evolve(breach.remark, breach=said)
    odd = attrs.evolve(outcomes[1], remarks=[attrs.evolve(breach, remark=remark)])
    report = Report("somebody\x07", [odd])
    failure = ET.fromstring(as_junit(report))[0].find("failure")
    assert failure is not None
    assert failure.get("message") == r"Key=\x1b[2J\x00\xffff<b>"
    assert all(line.isprintable() for line in lines(report))
    assert progress(odd).isprintable()


class Page(HTMLParser):
    """What is open at the end, and what the page wants from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.wanted: list[str] = []
        self.marked = 0

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.wanted += [found[name] for name in ("src", "href") if name in found]
        self.marked += found.get("class") == "marked"
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_needs_nothing_else_and_marks_the_field(report: Report):
    page = Page()
    text = as_html(report)
    page.feed(text)
    assert not page.open
    assert not page.wanted
    assert page.marked
    assert page.ids[:3] == ["LG-01", "NP-01", "NP-02"]
    assert len(page.ids) == len(set(page.ids))
    assert "nobody can do &lt;this&gt;" in text
    assert "prefers-color-scheme:dark" in text


def test_sentences_name_fields():
    assert fields_named("the answer has another transfer tag") >= {"ttt"}
    assert "cmd_sn" not in fields_named("another RefCmdSN")
    assert fields_named("it hangs") == frozenset()
    assert in_any(["TSIH 7", "another CmdSN"]) == {"tsih", "cmd_sn"}


def test_known_faults_are_no_news(report: Report, outcomes: list[Outcome]):
    before = parse(as_json(report))
    assert list(differences(before, before)) == []
    repaired = json.loads(as_json(Report("somebody", [played(SCENARIOS["NP-01"])])))
    changed = {each.id: each for each in differences(before, repaired)}
    assert changed["NP-01"].now is Verdict.PASS
    assert not changed["NP-01"].worse
    again = {each.id: each for each in differences(repaired, before)}
    assert again["NP-01"].worse
    assert str(again["NP-01"]).startswith("WORSE  NP-01  pass -> FAIL: ")
    assert again["LG-01"].before is None
    assert not again["LG-01"].worse


def test_monitors_find_less_in_fewer_scenarios_which_is_no_news():
    def report(scenarios: list[str], monitor: str) -> Mapping[str, Any]:
        results = [{"id": each, "verdict": "pass"} for each in scenarios]
        return {"results": results, "monitors": [{"id": "M-29", "verdict": monitor}]}

    before = report(["LG-01", "CH-18"], "FAIL")
    assert list(differences(before, report(["LG-01"], "pass"))) == []
    assert list(differences(before, report(["LG-01"], "not-exercised"))) == []
    (found,) = differences(before, report(["LG-01", "CH-18"], "pass"))
    assert found.id == "M-29"
    (found,) = differences(report(["LG-01", "CH-18"], "pass"), report(["LG-01"], "FAIL"))
    assert found.worse


def test_what_is_not_exercised_any_more_is_told_and_is_not_worse():
    gone = Difference("NP-01", Verdict.PASS, Verdict.NOT_EXERCISED)
    assert not gone.worse
    assert Difference("NP-01", Verdict.NOT_EXERCISED, Verdict.WARN).worse


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 10_000, '{"results": [{}], "monitors": []}']
)
def test_what_is_no_report_is_refused(text: str):
    with pytest.raises(UsageError):
        parse(text)


def test_a_capture_has_what_was_said_and_what_was_found(tmp_path: Path):
    scenario = SCENARIOS["NP-01"]

    async def play() -> Outcome:
        return await perform(scenario, InHouse(FAULT), tmp_path)

    outcome = trio.run(play, clock=MockClock(autojump_threshold=QUIET))
    packets = list(read_capture(io.BytesIO((tmp_path / "NP-01.pcapng").read_bytes())))
    assert len(packets) > len(outcome.ladder)
    comments = [comment for packet in packets for comment in packet.comments]
    assert any("BROKEN (MUST): the answer has the tag 0x8" in text for text in comments)


def test_a_line_of_progress_is_as_long_as_the_terminal_is_wide(outcomes: list[Outcome]):
    whole = progress(outcomes[1])
    assert progress(outcomes[1], 500) == whole
    assert progress(outcomes[1], 40) == whole[:37] + "..."
