"""The bench with a real initiator, as it is played every day: nothing is worse than is known."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.interop.tools import run, tool
from trioscsi.conformance.scenarios.quick import QUICK

EXPECTED = Path(__file__).parents[2] / "specs" / "initiators" / "libiscsi-1.19.0.json"


def test_libiscsi_breaks_no_more_than_is_known() -> None:
    for name in ("iscsi-inq", "iscsi-ls", "iscsi-perf", "iscsi-test-cu"):
        tool(name)
    command = ("-m", "trioscsi", "conformance", "run", "--quick", "--recipe", "libiscsi")
    output = run(sys.executable, *command, "--compare", str(EXPECTED), timeout=180)
    assert "WORSE" not in output
    assert all(f"\n{name} " in f"\n{output}" for name in QUICK)
