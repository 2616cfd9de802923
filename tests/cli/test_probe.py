from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from trioscsi import cli
from trioscsi.cli.probe import lines
from trioscsi.initiator.probe import KeyRow, Report, Section

Run = Callable[..., tuple[int, str]]
NAME = "iqn.2025-12.local:disk"


@pytest.fixture
def run(monkeypatch, capsys) -> Run:
    """Run the command; its exit status, and what it says of what went wrong."""
    monkeypatch.delenv("TRIOSCSI_CHAP_SECRET", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["trioscsi", "probe", *arguments])
        try:
            cli.main()
        except SystemExit as error:
            return int(error.code or 0), capsys.readouterr().err
        return 0, capsys.readouterr().err

    return run


def test_a_report_as_text():
    report = Report(
        [KeyRow("InitialR2T", "No", "Yes", "Yes")],
        [Section("capacity", [("blocks", "8"), ("block size", "512")]), Section("none", [])],
    )
    assert lines(report) == [
        "key         offered  answered  result",
        "InitialR2T  No       Yes       Yes",
        "",
        "capacity",
        "  blocks      8",
        "  block size  512",
        "",
        "none",
    ]


def test_nobody_there_is_a_failure(run: Run):
    status, error = run(f"iscsi://127.0.0.1:1/{NAME}/0")
    assert status == 1
    assert error == "trioscsi: 127.0.0.1:1 cannot be reached: Connection refused\n"


@pytest.mark.parametrize("url", ["x", f"iscsi://h/{NAME}/x", "iscsi://h/nobody"])
def test_a_bad_url_is_wrong_usage(run: Run, url: str):
    status, error = run(url)
    assert (status, error.count("\n")) == (2, 1)


def test_a_secret_comes_from_the_environment(run: Run, monkeypatch):
    status, error = run(f"iscsi://me@127.0.0.1:1/{NAME}/0")
    assert (status, "set TRIOSCSI_CHAP_SECRET" in error) == (2, True)
    monkeypatch.setenv("TRIOSCSI_CHAP_SECRET", "a secret of mine")
    status, error = run(f"iscsi://me@127.0.0.1:1/{NAME}/0?target_user=you")
    assert (status, "set TRIOSCSI_MUTUAL_CHAP_SECRET" in error) == (2, True)
    monkeypatch.setenv("TRIOSCSI_MUTUAL_CHAP_SECRET", "a secret of yours")
    status, error = run(f"iscsi://me@127.0.0.1:1/{NAME}/0?target_user=you")
    assert (status, "cannot be reached" in error) == (1, True)
