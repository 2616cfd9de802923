from __future__ import annotations

import io
from random import Random

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.conformance.memory import Memory
from trioscsi.capture import Trace, read_capture
from trioscsi.capture.reading import Packet
from trioscsi.conformance import Verdict
from trioscsi.conformance.bench.clock import QUIET
from trioscsi.conformance.bench.run import IQN, filled_disk
from trioscsi.conformance.bench.scenario import Drive
from trioscsi.conformance.drivers.driver import Where
from trioscsi.conformance.drivers.in_house import InHouse
from trioscsi.conformance.monitors import MONITORS
from trioscsi.conformance.recorded import RecordedJudge
from trioscsi.initiator.mutants import MUTANTS
from trioscsi.pdu import LoginRequest, encode
from trioscsi.server.target import Target


async def record(mutant: str | None) -> bytes:
    """A capture of an initiator that writes and reads."""
    memory = Memory()
    target = Target(
        IQN,
        filled_disk(),
        listen="127.0.0.1:0",
        trace=Trace(memory),
        header_digests=("CRC32C", "None"),
        first_burst_length=4096,
    )
    async with trio.open_nursery() as nursery:
        ((host, port),) = await nursery.start(target.serve)
        driver = InHouse(None if mutant is None else MUTANTS[mutant])
        offer = {"header_digests": ("CRC32C",)}
        where = Where(host=host, port=port, iqn=IQN, offer=offer)
        await driver.drive(Drive.WRITE, where)
        nursery.cancel_scope.cancel()
    return memory.data.getvalue()


def recorded(mutant: str | None = None) -> bytes:
    return trio.run(record, mutant, clock=MockClock(autojump_threshold=QUIET))


@pytest.fixture(scope="module")
def capture() -> bytes:
    return recorded()


def judged(data: bytes, *, leave_out: range = range(0)) -> tuple[RecordedJudge, dict[str, Verdict]]:
    judge = RecordedJudge()
    for number, packet in enumerate(read_capture(io.BytesIO(data))):
        if number not in leave_out:
            judge.hear(packet)
    return judge, {name: result.verdict for name, result in judge.end().items()}


def test_a_conversation_that_keeps_the_rules_passes(capture: bytes):
    judge, verdicts = judged(capture)
    assert verdicts["M-16"] is verdicts["M-36"] is verdicts["T-06"] is Verdict.PASS
    assert Verdict.FAIL not in verdicts.values()
    assert (judge.connections, judge.notes) == (1, [])


def test_a_rule_that_was_broken_is_found():
    _, verdicts = judged(recorded("data-sn"))
    assert verdicts["M-15"] is Verdict.FAIL


def blamed(packets: list[Packet]) -> set[str]:
    """The monitors that find fault with these packets."""
    judge = RecordedJudge()
    for packet in packets:
        judge.hear(packet)
    return {name for name, result in judge.end().items() if result.verdict is Verdict.FAIL}


@settings(max_examples=40)
@example(1, 0.1, 5)  # what was held back comes when the connection is over already
@example(30, 0.1, 5)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.1]), st.sampled_from([1, 5]))
def test_nobody_is_blamed_for_what_a_capture_lacks_or_has_in_another_order(
    capture: bytes, seed: int, lost: float, late: int
):
    random = Random(seed)
    packets = [each for each in read_capture(io.BytesIO(capture)) if random.random() >= lost]
    place = {id(each): n + late * random.random() for n, each in enumerate(packets)}
    assert not blamed(sorted(packets, key=lambda each: place[id(each)]))


ALONE = {monitor.id for monitor in MONITORS.values() if monitor.alone}


def test_of_a_capture_that_begins_in_the_middle_each_pdu_is_judged_by_itself(capture: bytes):
    judge, verdicts = judged(capture, leave_out=range(8))
    passed = {name for name, verdict in verdicts.items() if verdict is Verdict.PASS}
    assert {"M-02", "M-03", "M-10", "T-02", "T-03", "T-42"} <= passed <= ALONE
    assert set(verdicts.values()) == {Verdict.PASS, Verdict.NOT_EXERCISED}
    (note,) = judge.notes
    assert note.startswith("connection 1: it begins in the middle, before PDU 0; from there on")


def test_what_a_pdu_shows_by_itself_is_found_behind_what_is_missing():
    _, verdicts = judged(recorded("command-no-direction"), leave_out=range(8))
    assert verdicts["M-10"] is Verdict.FAIL


def test_where_packets_are_missing_judgment_ends(capture: bytes):
    packets = sum(1 for _ in read_capture(io.BytesIO(capture)))
    judge, verdicts = judged(capture, leave_out=range(packets // 2, packets // 2 + 2))
    assert Verdict.FAIL not in verdicts.values()
    assert verdicts["M-01"] is Verdict.PASS
    (note,) = judge.notes
    assert note.startswith("connection 1: it is judged up to PDU ")


def said_by_initiators(*streams: bytes) -> RecordedJudge:
    """A capture of connections, one after the other, on each of which an initiator says this."""
    memory = Memory()
    trace = Trace(memory)
    for port, data in enumerate(streams, 50_000):
        tap = trace.connect(("127.0.0.1", port), ("127.0.0.1", 3260), ("127.0.0.1", 3260))
        tap.received(data)
        tap.settle()
        tap.ended()
        tap.close()
    trace.close()
    return judged(memory.data.getvalue())[0]


@pytest.mark.parametrize("rest", [b"\x01", b"\x01\xc1" + bytes(20), b"\x01\xc1\0\0\5" + bytes(50)])
def test_a_connection_may_end_in_the_middle_of_a_header(rest: bytes):
    judge = said_by_initiators(b"".join(encode(LoginRequest())) + rest)
    assert judge.pdus == 1
    (note,) = judge.notes
    assert note.startswith("connection 1: it is judged up to PDU 1 only: a PDU is not whole")


def test_notes_and_proofs_call_a_connection_by_the_same_number():
    bad = b"".join(encode(LoginRequest(data=b"nonsense")))
    judge = said_by_initiators(b"GET / HTTP/1.0\r\n\r\n", bad + b"\x01")
    (finding,) = judge.end()["M-32"].findings
    assert finding.evidence.connection == 2
    assert judge.notes[0].startswith("connection 2: ")


def test_what_is_no_iscsi_has_no_pdus():
    judge = said_by_initiators(b"GET / HTTP/1.0\r\n\r\n")
    assert (judge.connections, judge.pdus) == (1, 0)
