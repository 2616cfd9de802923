from __future__ import annotations

import logging

import pytest

from trioscsi import PeerError
from trioscsi.pdu import LoginStatus
from trioscsi.server.refusals import Refusals
from trioscsi.server.remarks import MAXIMUM, Remarks
from trioscsi.server.tracing import Tap


class Heard(Tap):
    """A tap that hears notes alone."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def received(self, *buffers: object) -> None: ...

    def sent(self, buffers: object, count: int) -> None: ...

    def moved(self, transition: object) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def settle(self) -> None: ...

    def ended(self, *, broken: bool = False) -> None: ...

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trioscsi")


def refusal(reason: str = "no such target") -> PeerError:
    return PeerError(reason, section="11.13.5", answer=LoginStatus.NOT_FOUND)


def test_what_was_refused_is_a_warning_with_advice_and_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals(4)
    Remarks("192.0.2.1:5", refusals, None).make([refusal()], "iqn.i")
    (record,), (kept,) = caplog.records, refusals
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("iqn.i at 192.0.2.1:5: no such target")
    assert record.getMessage().endswith(kept.advice)
    assert record.refusal is kept  # type: ignore[attr-defined]


def test_what_became_of_a_connection_is_told_without_a_name_where_none_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals(4)
    Remarks("192.0.2.1:5", refusals, None).make(["it went away"], "")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.INFO, "192.0.2.1:5: it went away")
    assert not list(refusals)


def test_a_trace_hears_all_of_it() -> None:
    tap = Heard()
    Remarks("192.0.2.1:5", Refusals(1), tap).make(["it went away", refusal()], "")
    assert tap.notes[0] == "it went away"
    assert tap.notes[1].startswith("refused: no such target")


def test_the_log_is_not_filled_but_all_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    tap, refusals = Heard(), Refusals(1)
    remarks = Remarks("192.0.2.1:5", refusals, tap)
    for _ in range(3):
        remarks.make([refusal()] * MAXIMUM, "")
    assert len(caplog.records) == MAXIMUM + 1
    assert caplog.messages[-1] == "192.0.2.1:5: no more is logged of this connection"
    assert len(tap.notes) == refusals.total == 3 * MAXIMUM
