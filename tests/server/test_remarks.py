from __future__ import annotations

import logging

import pytest

from tests.server.conftest import Build
from tests.server.peer import INITIATOR, NAME
from trioscsi import PeerError
from trioscsi.machines.session import Effect, machine
from trioscsi.pdu import LoginStatus
from trioscsi.server.refusals import Refusals
from trioscsi.server.remarks import ENDS, MAXIMUM, Remarks, tell_of_login
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


SESSION = f"session with {NAME} (ISID 0x807465737400, TSIH"


async def test_a_session_that_begins_is_a_line_and_so_is_its_end(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await build().log_in()
    await peer.log_out()
    begin, end = caplog.messages
    assert begin == (f"{INITIATOR} at 127.0.0.1:50000: logged in, {SESSION} 1), no authentication")
    assert end == f"{INITIATOR}: {SESSION} 1) is over: it was logged out"


async def test_a_session_that_another_replaces_says_so(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    await house.log_in()
    await house.log_in()
    _, old, _ = caplog.messages
    assert old == f"{INITIATOR}: {SESSION} 1) is over: {ENDS['reinstated']}"


async def test_discovery_is_logged_too(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    peer = build().connect()
    assert await peer.log_in(None) == 0
    await peer.log_out()
    begin, end = caplog.messages
    assert "logged in, discovery session (ISID 0x807465737400, TSIH 1)" in begin
    assert "discovery session" in end


async def test_the_name_that_was_proven_is_logged(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    house = build()
    await house.log_in()
    (session,) = house.target.node.sessions
    session.proven_name = "alice"
    caplog.clear()
    tell_of_login(session, "192.0.2.1:5")
    assert caplog.messages[0].endswith(", CHAP as alice")


def test_there_is_a_reason_for_each_end_of_a_session() -> None:
    causes = {
        each.cause for each in machine.transitions if Effect.REPORT_NEXUS_LOSS in each.effects
    }
    assert causes == set(ENDS)
