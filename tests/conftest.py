"""What all tests share.

``--require-tools``: a test that needs a program which is not installed fails instead of being
skipped, so that a run that must be complete cannot pass by doing nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.interop import tools
from tests.protocol.covered import COVERED, MACHINES
from tests.specs import covered as requirements

# How long an example may take is no property of ours: a machine has other things to do.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-tools",
        action="store_true",
        help="fail, rather than skip, the tests whose programs are not installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    tools.required = config.getoption("--require-tools")


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where Python may write no bytecode, what the tests start need not compile it each time."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a run has covered: transitions of machines, and requirements of the RFCs."""
    if COVERED.counts:
        terminalreporter.section("transitions in stateful tests")
        terminalreporter.write_line(COVERED.table(*MACHINES))
    if any("test_requirements" in str(item) for item in terminalreporter.getreports("passed")):
        terminalreporter.section("requirements that tests point to")
        terminalreporter.write_line(requirements.table())
