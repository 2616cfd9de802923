from __future__ import annotations

import logging

import pytest

from trioscsi.cli.log import Pace, log_to_standard_error
from trioscsi.limits import LOG_INTERVAL, LOG_LINES


def passed(pace: Pace, when: float, times: int) -> list[str]:
    """What becomes of a line that is logged so many times at once."""
    records = []
    for number in range(times):
        record = logging.LogRecord("trioscsi", logging.ERROR, "", 0, "line %d", (number,), None)
        record.created = when
        records.append(record)
    return [record.getMessage() for record in records if pace.filter(record)]


def test_a_log_that_is_not_too_busy_is_as_it_is() -> None:
    pace = Pace()
    for interval in range(3):
        lines = passed(pace, 1e9 + interval * LOG_INTERVAL, LOG_LINES - 1)
        assert lines == [f"line {number}" for number in range(LOG_LINES - 1)]


def test_a_flood_of_lines_is_cut_off_and_counted() -> None:
    pace = Pace()
    lines = passed(pace, 1e9, LOG_LINES + 7)
    assert len(lines) == LOG_LINES
    assert lines[-1].endswith("(the log is too busy: lines after it are left out)")
    assert passed(pace, 1e9 + LOG_INTERVAL - 1, 1) == []
    later = passed(pace, 1e9 + LOG_INTERVAL, 2)
    assert later == ["line 0 (8 lines before it are left out)", "line 1"]


def test_a_clock_that_is_set_back_does_not_silence_the_log() -> None:
    pace = Pace()
    passed(pace, 1e9, LOG_LINES)
    assert passed(pace, 1e8, 1) == ["line 0"]


def test_a_server_that_is_flooded_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_standard_error(verbose=False)
    log = logging.getLogger("trioscsi.any")
    for _ in range(LOG_LINES + 1):
        log.warning("again")
        log.info("hidden")
    logged = capsys.readouterr().err.splitlines()
    assert len(logged) == LOG_LINES
    assert logged[0].endswith("WARNING again")
    assert "the log is too busy" in logged[-1]
