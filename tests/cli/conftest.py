"""What tests of the command line share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _same_log() -> Iterator[None]:
    """A command may set the log up; other tests have it as it was."""
    log = logging.getLogger("trioscsi")
    before = log.handlers[:], log.level
    yield
    log.handlers[:], log.level = before
