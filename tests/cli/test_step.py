from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.teaching.conversation import OWN, PEER
from trioscsi.cli.keys import ENTER
from trioscsi.cli.step import PROMPT, Step, Stepper
from trioscsi.machines import MACHINES
from trioscsi.pdu import LoginRequest, LoginResponse, NopOut, encode
from trioscsi.server.stepping import Gate, Turnstile


@attrs.define
class Class:
    """Who watches, and which keys they press."""

    keys: list[str | None] = attrs.field(factory=list)
    lines: list[str] = attrs.field(factory=list)
    stopped: int = 0
    stepper: Stepper = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.stepper = Stepper(self.lines.append, self._next_key, self._stop)

    async def _next_key(self) -> str | None:
        await trio.lowlevel.checkpoint()
        if not self.keys:
            await trio.sleep_forever()
        return self.keys.pop(0)

    def _stop(self) -> None:
        self.stopped += 1

    def connect(self) -> Step:
        return self.stepper.connect(PEER, OWN, OWN)

    @property
    def prompts(self) -> int:
        return self.lines.count(PROMPT)

    def arrows(self, arrow: str) -> list[str]:
        return [line for line in self.lines if line.startswith(f"  {arrow}")]


def watching(*keys: str | None) -> Class:
    return Class(list(keys))


def log_in(step: Step, *keys: str) -> None:
    text = "\0".join(["InitiatorName=iqn.a:b", *keys, ""]).encode()
    step.received(*encode(LoginRequest(transit=True, csg=1, nsg=3, data=text)))


def answer(step: Step) -> None:
    said = encode(LoginResponse(transit=True, csg=1, nsg=3, data=b"HeaderDigest=None\0"))
    step.sent(said, sum(map(len, said)))


def pings(tags: Iterable[int]) -> bytes:
    return b"".join(b"".join(encode(NopOut(itt=itt))) for itt in tags)


def test_it_is_a_gate_of_a_server() -> None:
    gate: Gate = watching().stepper
    turnstile: Turnstile = gate.connect(PEER, OWN, OWN)
    assert not turnstile.holds()


async def test_a_pdu_is_shown_with_its_fields_and_the_states_that_it_comes_to() -> None:
    room = watching(ENTER)
    step = room.connect()
    step.moved(MACHINES["connection"].transitions[0])
    log_in(step)
    assert step.holds()
    assert room.arrows("-->") == []
    await step.wait()
    assert not step.holds()
    shown = "\n".join(room.lines)
    assert "  -->  Login Request, stage 1 to 3" in shown
    assert "       Login Request (RFC 7143 section 11.12)" in shown
    assert "InitiatorName  iqn.a:b  declared, no answer  13.5" in shown
    assert "connection: S3 XPT_UP. The transport is up" in shown
    assert "session: Q1 FREE. " in shown
    assert room.lines[-1] == PROMPT


async def test_what_follows_is_told_and_changes_the_states() -> None:
    room = watching(ENTER, ENTER)
    step = room.connect()
    log_in(step)
    await step.wait()
    for label in ("T4", "T5"):
        (row, *_) = (row for row in MACHINES["connection"].transitions if row.label == label)
        step.moved(row)
    answer(step)
    assert room.arrows("<--")[0].startswith("  <--  Login Response, SUCCESS")
    step.received(pings([7]))
    await step.wait()
    assert any("connection: S5 LOGGED_IN. Full feature phase" in line for line in room.lines)


async def test_pdus_that_came_together_are_shown_one_by_one() -> None:
    room = watching(*[ENTER] * 4)
    step = room.connect()
    log_in(step)
    await step.wait()
    answer(step)
    step.received(pings([1, 2, 3]))
    for shown in range(2, 5):
        assert step.holds()
        await step.wait()
        assert room.prompts == len(room.arrows("-->")) == shown


async def test_other_keys_ask_again() -> None:
    room = watching("x", "?", ENTER)
    step = room.connect()
    log_in(step)
    await step.wait()
    assert room.prompts == 3


@pytest.mark.parametrize(("key", "stops"), [("c", 0), ("q", 1), (None, 0)])
async def test_after_some_keys_nothing_waits_any_more(key: str | None, stops: int) -> None:
    room = watching(key)
    step = room.connect()
    log_in(step)
    await step.wait()
    answer(step)
    step.received(pings([1, 2]))
    assert not step.holds()
    assert len(room.arrows("-->")) == 3
    assert room.prompts == 1
    assert room.stopped == stops
    assert ("no more keys will come: going on without waiting" in room.lines) is (key is None)


async def test_others_are_told_that_they_have_to_wait_and_take_their_turn(
    nursery: trio.Nursery,
) -> None:
    room = watching()
    first = room.connect()
    log_in(first)
    nursery.start_soon(first.wait)
    await trio.testing.wait_all_tasks_blocked()
    second = room.connect()
    assert room.lines[-1] == (
        "(2) another connection, from 192.0.2.1:50000: its PDUs have to wait for their turn"
    )
    log_in(second)
    nursery.start_soon(second.wait)
    await trio.testing.wait_all_tasks_blocked()
    assert len(room.arrows("-->")) == 1
    assert room.prompts == 1
    nursery.cancel_scope.cancel()


async def test_the_next_one_has_its_turn_when_a_connection_goes_while_it_waits() -> None:
    room = watching()
    first, second = room.connect(), room.connect()
    log_in(first)
    log_in(second)
    with trio.move_on_after(0.01):
        await first.wait()
    room.keys.append(ENTER)
    with trio.fail_after(5):
        await second.wait()
    assert [line[:11] for line in room.arrows("-->")] == ["  -->  Logi", "  -->  (2) "]


async def test_secrets_are_not_shown() -> None:
    room = watching(ENTER)
    step = room.connect()
    log_in(step, "CHAP_R=0x1234567890abcdef")
    await step.wait()
    shown = "\n".join(room.lines)
    assert "1234567890abcdef" not in shown
    assert "CHAP_R" in shown


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_are_too_odd_to_be_stepped_through(pieces: list[bytes]) -> None:
    async def step_through() -> None:
        room = watching(*[ENTER] * 100)
        step = room.connect()
        for piece in pieces:
            step.received(piece)
            while step.holds():
                await step.wait()

    trio.run(step_through)
