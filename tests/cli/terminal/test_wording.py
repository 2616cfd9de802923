from __future__ import annotations

import pytest

from tests.cli.terminal.script import session
from tests.teaching.live.wire import of
from trioscsi.cli.terminal.wording import (
    amount,
    duration,
    headline,
    left_out,
    section_of,
    where,
    worked,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (4096, "4.0 KiB"),
        (2**20, "1.0 MiB"),
        (300 * 2**20, "300 MiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_a_size_has_three_digits_or_so(size: int, text: str):
    assert amount(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (25e-6, "25 us"), (0.0123, "12.3 ms"), (1.5, "1.50 s")],
)
def test_a_time_has_the_unit_that_fits(seconds: float | None, text: str):
    assert duration(seconds) == text


def test_every_rung_has_a_headline():
    _, said = session()
    lines = {message["type"]: headline(message) for message in said}
    assert lines["pdu"].startswith("Logout Response")
    assert lines["transition"] == "session N3: LOGGED_IN -> FREE"
    assert lines["note"] == "refused: not yours"
    assert lines["connection"] == "connection from 192.0.2.9:1 through 192.0.2.2:3260"
    assert lines["closed"] == "the connection is over: closed by the target"
    assert lines["dropped"] == "left out: 2.0 KiB (there was too much to look at)"
    assert lines["hello"] == "hello"


def test_what_was_left_out_is_counted_by_type():
    assert left_out({"messages": {"pdu": 3, "task": 1}}) == "3 pdu, 1 task"


def test_rates_are_of_a_second():
    _, said = session()
    (rates,) = of(said, "rates")
    assert worked({**rates, "seconds": 2.0, "operations": 5000}).startswith(
        "2,500 commands/s  in 240 B/s  out 0 B/s  median 2.0 ms"
    )


def test_a_section_is_shown_below_those_that_it_is_in():
    assert where("11.12") == ["11  iSCSI PDU Formats", "  11.12  Login Request"]
    assert section_of({"type": "note"}) == ""
