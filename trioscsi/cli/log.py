"""The log of a server, on standard error."""

from __future__ import annotations

import logging
import sys

from trioscsi.cli.streams import unhurried
from trioscsi.limits import LOG_INTERVAL, LOG_LINES


def log_to_standard_error(*, verbose: bool) -> None:
    """Let the log be seen: coloured on a terminal, with what is no fault if ``verbose``."""
    handler: logging.Handler
    stream = unhurried(sys.stderr)
    if stream.isatty():
        from rich.console import Console  # a tenth of the time to start, and mostly not needed
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(file=stream), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(stream)  # one event, one line, however long
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(Pace())
    log = logging.getLogger("trioscsi")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO if verbose else logging.WARNING)


class Pace(logging.Filter):
    """Lets ``LOG_LINES`` through in ``LOG_INTERVAL`` seconds, and counts the others.

    A disk that is full says so for each command: that must not fill the disk of the log, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._began = 0.0
        self._told = self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is logged; the last one that is says so, and the next one how many."""
        if not 0 <= record.created - self._began < LOG_INTERVAL:
            self._began, self._told = record.created, 0
        if self._told == LOG_LINES:
            self._left_out += 1
            return False
        self._told += 1
        if self._left_out:
            _add(record, f"{self._left_out} lines before it are left out")
            self._left_out = 0
        if self._told == LOG_LINES:
            _add(record, "the log is too busy: lines after it are left out")
        return True


def _add(record: logging.LogRecord, text: str) -> None:
    record.msg, record.args = f"{record.getMessage()} ({text})", None
