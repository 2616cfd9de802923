from __future__ import annotations

import attrs
import pytest

from tests.teaching.conversation import OWN, PEER, READ
from trioscsi.errors import PeerError
from trioscsi.limits import REFUSALS_EXPLAINED, REFUSALS_INTERVAL
from trioscsi.machines import MACHINES
from trioscsi.pdu import (
    LoginRequest,
    LoginResponse,
    LoginStatus,
    NopOut,
    Pdu,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    TaskResult,
    encode,
)
from trioscsi.server.refusals import ADVICE
from trioscsi.server.tracing import Tap, Trace
from trioscsi.teaching.explainer import Explainer, ExplainingTap


@attrs.define
class Room:
    """Where explanations are heard, and a clock."""

    now: float = 0.0
    lines: list[str] = attrs.field(factory=list)
    explainer: Explainer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.explainer = Explainer(self.lines.append, ADVICE, clock=lambda: self.now)

    def connect(self) -> ExplainingTap:
        return self.explainer.connect(PEER, OWN, OWN)

    @property
    def heads(self) -> list[str]:
        return [line for line in self.lines if line.startswith("refused: ")]


@pytest.fixture
def room() -> Room:
    return Room()


def ask(tap: ExplainingTap, pdu: Pdu, *, digests: bool = False) -> None:
    tap.received(*encode(pdu, header_digest=digests, data_digest=digests))


def answer(tap: ExplainingTap, *pdus: Pdu, digests: bool = False) -> None:
    said = [b"".join(encode(pdu, header_digest=digests, data_digest=digests)) for pdu in pdus]
    tap.sent(said, sum(map(len, said)))


def log_in(tap: ExplainingTap, *keys: str) -> None:
    text = "\0".join(["InitiatorName=iqn.a:anna", *keys, ""]).encode()
    ask(tap, LoginRequest(transit=True, csg=1, nsg=3, data=text))
    answered = "\0".join([*keys, ""]).encode() if keys else b""
    answer(tap, LoginResponse(transit=True, csg=1, nsg=3, data=answered))


def test_it_is_a_trace_of_a_server(room: Room) -> None:
    trace: Trace = room.explainer
    tap: Tap = trace.connect(PEER, OWN, OWN)
    tap.moved(MACHINES["connection"].transitions[0])
    tap.ended()
    tap.settle()
    tap.close()
    assert room.lines == []


def test_a_login_is_told_with_the_reason_of_the_connection(room: Room) -> None:
    tap = room.connect()
    ask(tap, LoginRequest(version_min=1, version_max=1))
    error = PeerError("too new", section="11.12.4", answer=LoginStatus.UNSUPPORTED_VERSION)
    tap.note(f"refused: {error}")
    assert room.lines == []
    answer(tap, LoginResponse(status_class=2, status_detail=5))
    assert room.heads == ["refused: 192.0.2.1:50000: Login Request, stage 0: too new"]
    assert any("RFC 7143 section 11.12.4" in line for line in room.lines)
    assert f"  advice  {ADVICE[LoginStatus.UNSUPPORTED_VERSION]}" in room.lines


def test_refusals_that_go_out_together_have_each_its_reason(room: Room) -> None:
    tap = room.connect()
    log_in(tap, "HeaderDigest=None")
    rejects = []
    for number in range(3):
        ask(tap, NopOut(itt=number))
        error = PeerError(f"why {number}", section="11.17", answer=RejectReason.PROTOCOL_ERROR)
        tap.note(f"refused: {error}")
        header, *_ = encode(NopOut(itt=number))
        rejects.append(Reject(reason=4, data=bytes(header)))
    answer(tap, *rejects)
    assert [line.rpartition(": ")[2] for line in room.heads] == ["why 0", "why 1", "why 2"]
    assert room.heads[0].startswith("refused: iqn.a:anna at 192.0.2.1:50000: ")


def test_commands_and_task_management_are_told_with_what_was_asked(room: Room) -> None:
    tap = room.connect()
    log_in(tap, "HeaderDigest=None")
    ask(tap, ScsiCommand(cdb=READ, itt=9))
    ask(tap, TaskManagementRequest(function=1, itt=10))
    answer(tap, ScsiResponse(status=0x18, itt=9))
    answer(tap, TaskManagementResponse(response=TaskResult.NOT_SUPPORTED, itt=10))
    assert [line.split(": ", 2)[2] for line in room.heads] == [
        "SCSI Command, READ(10): reservation conflict",
        "Task Management Request, ABORT_TASK: the target does not know this function",
    ]
    # A Reject with the same number has other advice.
    assert f"  advice  {ADVICE[RejectReason(5)]}" not in room.lines


def test_a_connection_that_is_dropped_without_an_answer_is_told(room: Room) -> None:
    tap = room.connect()
    log_in(tap, "HeaderDigest=None")
    ask(tap, NopOut(itt=7))
    ask(tap, NopOut(itt=8))
    tap.note("a header digest does not match its header (RFC 7143 section 7.8)")
    assert room.heads[0].endswith("NOP-Out: a header digest does not match its header")
    assert "  answer  none: the connection is dropped" in room.lines


def test_other_remarks_are_no_refusals(room: Room) -> None:
    tap = room.connect()
    tap.note("the initiator closed the connection")
    assert room.lines == []


def test_digests_are_followed(room: Room) -> None:
    tap = room.connect()
    log_in(tap, "HeaderDigest=CRC32C", "DataDigest=CRC32C")
    ask(tap, ScsiCommand(cdb=READ, itt=9), digests=True)
    answer(tap, ScsiResponse(status=0x08, itt=9), digests=True)
    assert room.heads[0].endswith("SCSI Command, READ(10): busy")


def test_a_peer_that_errs_without_end_fills_no_log(room: Room) -> None:
    tap = room.connect()
    for _ in range(REFUSALS_EXPLAINED + 5):
        answer(tap, LoginResponse(status_class=2))
    assert len(room.heads) == REFUSALS_EXPLAINED
    tap.close()
    assert len(room.heads) == REFUSALS_EXPLAINED
    room.now += REFUSALS_INTERVAL
    other = room.connect()
    answer(other, LoginResponse(status_class=2))
    assert room.heads[REFUSALS_EXPLAINED] == "refused: 5 more, too many to explain them all"
    assert len(room.heads) == REFUSALS_EXPLAINED + 2


def test_what_was_left_out_is_told_when_a_connection_ends(room: Room) -> None:
    tap = room.connect()
    for _ in range(REFUSALS_EXPLAINED + 2):
        answer(tap, LoginResponse(status_class=2))
    room.now += REFUSALS_INTERVAL
    tap.close()
    assert room.heads[-1] == "refused: 2 more, too many to explain them all"


def test_requests_that_are_remembered_are_bounded(room: Room) -> None:
    tap = room.connect()
    log_in(tap, "HeaderDigest=None")
    for itt in range(1000):
        ask(tap, ScsiCommand(cdb=READ, itt=itt))
    assert len(tap._requests) <= 256
    answer(tap, ScsiResponse(status=0x18, itt=0))
    assert room.heads == ["refused: iqn.a:anna at 192.0.2.1:50000: reservation conflict"]


def test_a_terminal_is_not_shown_what_a_peer_could_do_to_it(room: Room) -> None:
    tap = room.connect()
    ask(tap, LoginRequest(data=b"InitiatorName=\x1b[2Jiqn\0TargetName=a\0"))
    answer(tap, LoginResponse(status_class=2, status_detail=3))
    assert "\x1b" not in "".join(room.lines)
