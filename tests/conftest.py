"""What all tests share.

``--require-tools``: a test that needs a program which is not installed fails instead of being
skipped, so that a run that must be complete cannot pass by doing nothing.
"""

from __future__ import annotations

import pytest

from tests.interop import tools
from tests.protocol.covered import COVERED, MACHINES


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-tools",
        action="store_true",
        help="fail, rather than skip, the tests whose programs are not installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    tools.required = config.getoption("--require-tools")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which transitions of each machine the stateful tests have taken, and which they have not."""
    if COVERED.counts:
        terminalreporter.section("transitions in stateful tests")
        terminalreporter.write_line(COVERED.table(*MACHINES))
