"""The proxy of the bench between programs that know nothing of us: libiscsi's tools, and tgt."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.tgt import NAME, serving
from tests.interop.tools import run, tool

_WRITING = "SCSI.Write10.Simple"
"""Hundreds of writes, in whose Data-Out is a fault of libiscsi (M-09)."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """What the proxy has said of several programs and of tgt, and its report."""
    folder = tmp_path_factory.mktemp("proxy")
    report, tools = folder / "report.json", ("iscsi-inq", "iscsi-ls", "iscsi-test-cu")
    for name in tools:
        tool(name)
    with serving(folder) as tgt:
        command = [sys.executable, "-m", "trioscsi", "conformance", "proxy", "--to", tgt.portal]
        with subprocess.Popen(
            [*command, "--json", str(report)], stdout=subprocess.PIPE, text=True
        ) as proxy:
            assert proxy.stdout is not None
            ready = proxy.stdout.readline()
            portal = ready.removeprefix("ready: ").partition(" to ")[0]
            url = f"iscsi://{portal}/{NAME}/1"
            # Nobody reads what the proxy says meanwhile.
            run("iscsi-inq", url)
            run("iscsi-ls", f"iscsi://{portal}")
            run("iscsi-test-cu", "-d", f"--test={_WRITING}", url)
            proxy.send_signal(signal.SIGINT)
            said, _ = proxy.communicate(timeout=30)
    return said.splitlines(), report


def test_programs_work_through_it(judged: tuple[list[str], Path]):
    said, _ = judged
    connections = sum(line.startswith("connection") and "from" in line for line in said)
    assert connections >= 3
    assert sum(line.endswith("is over") for line in said) == connections


def test_a_fault_is_told_once_on_each_connection_and_counted(judged: tuple[list[str], Path]):
    said, report = judged
    assert sum(line.startswith("FAIL  M-09: ") for line in said) == 1
    monitors = {each["id"]: each for each in json.loads(report.read_text())["monitors"]}
    assert monitors["M-09"]["verdict"] == "FAIL"
    assert monitors["M-09"]["exercised"] > 1000


def test_tgt_breaks_nothing(judged: tuple[list[str], Path]):
    said, _ = judged
    assert said[-1].startswith("of the target: ")
    assert "FAIL" not in said[-1]
