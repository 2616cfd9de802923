from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from trioscsi import cli
from trioscsi.cli.streams import OutputError
from trioscsi.conformance.scenarios import SCENARIOS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch, capsys) -> Run:
    """Run ``trioscsi conformance``; exit status, output and complaints."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trioscsi", "conformance", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_scenarios_are_played_and_reported(run: Run, tmp_path: Path):
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    status, out, _ = run(
        "run", "LG-01", "NP-01", "--recipe", "in-house",
        "--json", str(report), "--junit", str(junit),
    )  # fmt: skip
    assert status == 0
    assert "in-house: 2 pass" in out
    found = json.loads(report.read_text())
    assert [result["id"] for result in found["results"]] == ["LG-01", "NP-01"]
    assert {result["verdict"] for result in found["results"]} == {"pass"}
    assert found["summary"]["pass"] == 2
    assert len(found["monitors"]) == 44
    assert found["initiator"]["offered"]["InitiatorName"]
    assert junit.read_text().count("<testcase") == 46


def test_a_report_is_there_although_nobody_reads_what_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def echo(line: str) -> None:
        raise OutputError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr("click.echo", echo)
    report = tmp_path / "report.json"
    run("run", "LG-01", "--recipe", "in-house", "--quiet", "--json", str(report))
    assert json.loads(report.read_text())["summary"]["pass"] == 1


def test_reports_are_utf_8_wherever_they_are_written(tmp_path: Path):
    files = [
        tmp_path / name for name in ("report.json", "junit.xml", "report.html", "expected.json")
    ]
    options = zip(("--json", "--junit", "--html", "--expected"), files, strict=True)
    command = [sys.executable, "-m", "trioscsi", "conformance", "run", "LG-01"]
    command += [str(each) for option in options for each in option]
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [*map(os.fsencode, command), b"--", b"true", "caf\u00e9".encode(), b"\xff"],
        env=os.environ | locale,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert all(file.read_text(encoding="utf-8") for file in files)
    assert ET.parse(files[1]).getroot().get("tests") == "45"


def test_a_command_is_started_with_the_url(run: Run):
    script = "import sys; sys.exit('iscsi://127.0.0.1' not in sys.argv[1])"
    status, out, _ = run("run", "LG-01", "--", sys.executable, "-c", script, "{url}")
    assert status == 1  # it has not connected
    assert "LG-01  not-exercised" in out
    assert "did all that it was asked to" in out


def test_the_exit_status_tells_of_a_breach_that_is_news(run: Run, tmp_path: Path):
    expected = tmp_path / "expected.json"
    script = (
        "import socket, sys; s = socket.create_connection(sys.argv[1:]);"
        " s.sendall(bytes(48)); s.recv(1)"
    )
    rude = ("run", "LG-01", "--", sys.executable, "-c", script, "{host}", "{port}")
    status, out, _ = run(*rude[:2], "--expected", str(expected), *rude[2:])
    assert status == 1, out
    status, out, _ = run(*rude[:2], "--compare", str(expected), *rude[2:])
    assert status == 0, out
    assert "0 differences" in out


def test_some_scenarios_of_each_group_are_played_every_day(run: Run):
    assert run("run", "--quick", "LG", "--recipe", "in-house")[0] == 2


def test_what_to_drive_has_to_be_said_and_only_once(run: Run):
    assert run("run", "LG-01")[0] == 2
    assert run("run", "--recipe", "in-house", "--", "true")[0] == 2


def test_scenarios_are_listed(run: Run):
    _, out, _ = run("list")
    assert len(out.splitlines()) == len(SCENARIOS)
    _, out, _ = run("list", "--requirements")
    assert any(line.split()[:3] == ["7143-11.18-1", "MUST", "NP-01"] for line in out.splitlines())
    _, out, _ = run("list", "--unh")
    assert any(line.startswith("FFP 15.1 ") for line in out.splitlines())


def test_the_bench_is_tested(run: Run, tmp_path: Path):
    report = tmp_path / "selftest.json"
    status, out, _ = run("selftest", "NP-04", "--json", str(report))
    assert status == 0
    assert "1 of 1 mutants caught" in out
    found = {"mutants": 1, "caught": 1, "told": [], "missed": []}
    assert json.loads(report.read_text()) == found
    assert run("selftest", "XX-99")[0] == 2


def test_what_is_not_forbidden_is_caught_as_information(run: Run):
    status, out, _ = run("selftest", "LG-22")
    assert status == 0
    assert "1 of 1 mutants caught" in out
    assert "1 of them as information" in out


def test_a_file_that_is_no_capture_is_refused(run: Run, tmp_path: Path):
    file = tmp_path / "letter.txt"
    file.write_text("dear reader, this is no capture at all")
    status, _, err = run("check", str(file))
    assert status == 1
    assert err.startswith("trioscsi: ")


def test_a_capture_that_cannot_be_read_is_told(run: Run):
    status, _, err = run("check", "/proc/self/mem")
    assert (status, err) == (1, "trioscsi: the capture cannot be read: Input/output error\n")


def test_a_report_that_cannot_be_written_is_told(run: Run, tmp_path: Path):
    status, _, err = run("selftest", "NP-04", "--json", str(tmp_path / "no" / "such"))
    assert status == 1
    assert "cannot write" in err


def test_a_line_is_told_of_each_scenario_unless_that_is_too_much(run: Run):
    _, out, _ = run("run", "LG-01", "--recipe", "in-house")
    assert out.startswith("LG-01  pass ")
    _, out, _ = run("run", "LG-01", "--recipe", "in-house", "--quiet")
    assert "LG-01" not in out
    assert "in-house: 1 pass" in out


@pytest.mark.parametrize("command", ["run", "list", "selftest", "check", "proxy"])
def test_every_command_says_how_to_use_it(run: Run, command: str):
    _, out, _ = run(command, "--help")
    assert f"trioscsi conformance {command} " in out.partition("Example")[2]


def test_a_proxy_cannot_wait_where_another_does(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        status, _, err = run("proxy", "--to", "127.0.0.1:1", "--listen", f"{host}:{port}")
    assert (status, err) == (
        1,
        f"trioscsi: cannot listen at {host}:{port}: Address already in use\n",
    )


def test_an_initiator_that_never_connects_has_not_passed(run: Run):
    status, out, _ = run("run", "LG-01", "--", "true")
    assert status == 1
    assert "has not connected once" in out
    status, out, _ = run("run", "NG-17", "--recipe", "in-house")
    assert status == 0
    assert "1 not-exercised" in out
    assert "has not connected once" not in out


def test_an_initiator_that_never_sends_a_pdu_has_not_passed(run: Run):
    script = "import socket, sys; socket.create_connection(sys.argv[1:]).sendall(b'hello')"
    status, out, _ = run("run", "LG-01", "--", sys.executable, "-c", script, "{host}", "{port}")
    assert status == 1
    assert "has connected, and has not sent one whole PDU" in out


def test_a_name_that_no_scenario_has_is_told(run: Run):
    for arguments in (("lg-01", "--", "true"), ("LG", "lg-01", "--recipe", "in-house")):
        status, out, err = run("run", *arguments)
        assert (status, out) == (2, "")
        assert "there is no scenario or group lg-01" in err


def test_a_command_may_do_without_the_dashes(run: Run):
    assert "LG-01  not-exercised" in run("run", "LG-01", "true")[1]


@pytest.mark.parametrize("option", ["--json", "--junit", "--html", "--expected", "--captures"])
def test_what_cannot_be_written_is_told_before_anything_is_played(
    run: Run, tmp_path: Path, option: str
):
    file = tmp_path / "file"
    file.touch()
    for path in (file / "no", tmp_path / ("long" * 100)):
        status, out, err = run("run", "LG-01", "--recipe", "in-house", option, str(path))
        assert (status, out) == (1, "")
        assert "cannot " in err


LAST_OF_SEVEN = """
import os, sys, time
folder, pid, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for turn in range(7):
    try:
        os.mkdir(f"{folder}/{turn}")
        break
    except FileExistsError:
        pass
if turn == 6:  # six are started at once, so that one is over
    os.kill(pid, number)
time.sleep(60 * (turn > 0))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_found_before_a_signal_is_told_and_written(
    run: Run, tmp_path: Path, number: signal.Signals
):
    report, expected = tmp_path / "report.json", tmp_path / "expected.json"
    status, out, _ = run(
        "run", "LG", "--json", str(report), "--expected", str(expected), "--",
        sys.executable, "-c", LAST_OF_SEVEN, str(tmp_path), str(os.getpid()), str(int(number)),
    )  # fmt: skip
    assert status == 130
    assert len(json.loads(report.read_text())["results"]) == 1
    assert "interrupted: 1 of 36 scenarios were played" in out
    assert not expected.exists()
