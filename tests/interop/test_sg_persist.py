"""sg_persist, what Linux's cluster software looks at reservations with.

Each run of it is a session of its own with an ISID of its own, as with open-iscsi after a restart:
the target has to know initiators by their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.generic import Generic
from tests.interop.serving import Serving, serving

CONFLICT = 24
"""The exit status of sg3_utils for RESERVATION CONFLICT."""
DATA_PROTECT = 7
"""That for the sense key of the name."""
TYPES = {
    1: "Write Exclusive",
    3: "Exclusive Access",
    5: "Write Exclusive, registrants only",
    6: "Exclusive Access, registrants only",
    7: "Write Exclusive, all registrants",
    8: "Exclusive Access, all registrants",
}
OTHER = "iqn.2026-11.example:other"

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


def start(state: Path) -> Iterator[Serving]:
    with serving(
        state.with_name("log"), "--registrations-by-name", "--state", str(state), "memory:10MiB"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def server(state: Path) -> Iterator[Serving]:
    yield from start(state)


def persist(generic: Generic, url: str) -> Ask:
    def ask(*options: str, status: int = 0) -> str:
        output = generic.run("sg_persist", "--no-inquiry", *options, url, status=status)
        assert status or not re.search(r"bad field|failed|not supported|unexpected", output), output
        return output

    return ask


@pytest.fixture
def ask(generic: Generic, server: Serving) -> Iterator[Ask]:
    """What sg_persist says of a unit for which nobody is registered."""
    ask = persist(generic, server.url)
    yield ask
    ask("--out", "--register-ignore", "--param-sark=f")
    ask("--out", "--clear", "--param-rk=f")


def test_the_capabilities(ask: Ask) -> None:
    output = ask("--in", "--report-capabilities")
    assert "Replace Lost Reservation Capable(RLR_C): 1" in output
    assert "Compatible Reservation Handling(CRH): 1" in output
    assert "Persist Through Power Loss Capable(PTPL_C): 1" in output
    assert "Type Mask Valid(TMV): 1" in output
    for name in TYPES.values():
        assert f"{name}: 1" in output


@pytest.mark.parametrize("kind", TYPES)
def test_to_register_reserve_and_release(ask: Ask, kind: int) -> None:
    ask("--out", "--register", "--param-sark=abc123")
    assert "1 registered reservation key follows:\n    0xabc123" in ask("--in", "--read-keys")
    assert "there is NO reservation held" in ask("--in", "--read-reservation")
    ask("--out", "--reserve", "--param-rk=abc123", f"--prout-type={kind}")
    output = ask("--in", "--read-reservation")
    assert f"Key=0x{0 if kind > 6 else 0xABC123:x}" in output
    assert f"scope: LU_SCOPE,  type: {TYPES[kind]}" in output
    output = ask("--in", "--read-full-status")
    assert "<< Reservation holder >>" in output
    assert re.search(r"iqn\.[^\n]+", output), output
    ask("--out", "--release", "--param-rk=abc123", f"--prout-type={kind}")
    assert "there is NO reservation held" in ask("--in", "--read-reservation")
    ask("--out", "--register", "--param-rk=abc123")
    assert "there are NO registered reservation keys" in ask("--in", "--read-keys")


def test_a_wrong_key_conflicts(ask: Ask) -> None:
    ask("--out", "--register", "--param-sark=1")
    ask("--out", "--register", "--param-rk=2", "--param-sark=3", status=CONFLICT)
    ask("--out", "--reserve", "--param-rk=2", "--prout-type=1", status=CONFLICT)


@pytest.mark.parametrize("command", ["--preempt", "--preempt-abort"])
def test_to_move_a_reservation_and_preempt_it(ask: Ask, command: str) -> None:
    ask("--out", "--register", "--param-sark=1")
    ask("--out", "--reserve", "--param-rk=1", "--prout-type=3")
    ask(
        "--out",
        "--register-move",
        "--param-rk=1",
        "--param-sark=2",
        "--prout-type=3",
        "--relative-target-port=1",
        f"--transport-id={OTHER},i,0x1",
    )
    output = ask("--in", "--read-full-status")
    assert output.index("Key=0x2") < output.index("<< Reservation holder >>")
    assert OTHER in output
    ask("--out", command, "--param-rk=1", "--param-sark=2", "--prout-type=1")
    assert "Key=0x1" in ask("--in", "--read-reservation")
    assert OTHER not in ask("--in", "--read-full-status")


def test_to_register_others(ask: Ask) -> None:
    ask("--out", "--register", "--param-sark=1", "--param-alltgpt", f"--transport-id={OTHER}")
    assert "2 registered reservation keys follow" in ask("--in", "--read-keys")
    assert OTHER in ask("--in", "--read-full-status")


def test_what_is_to_survive_a_loss_of_power(generic: Generic, tmp_path: Path) -> None:
    for server in start(tmp_path / "state"):
        ask = persist(generic, server.url)
        ask("--out", "--register", "--param-sark=abc", "--param-aptpl")
        ask("--out", "--reserve", "--param-rk=abc", "--prout-type=6")
        before = ask("--in", "--read-full-status")
    for server in start(tmp_path / "state"):
        ask = persist(generic, server.url)
        assert "Persist Through Power Loss Active(PTPL_A): 1" in ask("--in", "-c")
        after = ask("--in", "--read-full-status")
        assert after.partition("\n")[2] == before.partition("\n")[2]
        assert "0xabc" in after


def test_to_replace_what_was_lost(generic: Generic, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for server in start(state):
        persist(generic, server.url)("--out", "--register", "--param-sark=abc", "--param-aptpl")
    (kept,) = (path for path in state.iterdir() if path.suffix != ".lock")
    kept.write_bytes(b"damage")
    for server in start(state):
        ask = persist(generic, server.url)
        refused = ask("--in", "--read-keys", "--verbose", status=DATA_PROTECT)
        assert "Persistent reservation information lost" in refused
        ask("--out", "--replace-lost", "--param-sark=1", "--prout-type=3", "--param-aptpl")
        assert "Key=0x1" in ask("--in", "--read-reservation")
    for server in start(state):
        assert "Key=0x1" in persist(generic, server.url)("--in", "--read-reservation")
    assert b"damage" in {path.read_bytes() for path in state.iterdir()}
