"""Persistent reservations with APTPL: what was acknowledged survives a SIGKILL at any moment."""

from __future__ import annotations

from pathlib import Path
from random import Random
from threading import Timer

import attrs
import pytest

from tests.interop.restarts import Restarts
from tests.interop.writer import Writer
from trioscsi.pdu import DataIn
from trioscsi.scsi.reservations import transport_id
from trioscsi.scsi.reservations.persistent_order import PARAMETER_LIST

ROUNDS = 200
LONGEST = 0.06
"""Seconds from the first command of a round to its SIGKILL, at most."""
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, _, IGNORE, _ = range(8)


@attrs.frozen
class State:
    """What the initiator knows: its own key, those of others, and the type that it has reserved."""

    key: int = 0
    others: tuple[int, ...] = ()
    kind: int = 0


@attrs.frozen
class Step:
    """One command, and what it leads to."""

    action: int
    to: State
    new_key: int = 0
    kind: int = 0
    rest: bytes = b""


def step(state: State, random: Random) -> Step:
    """What to do next; each of them is performed."""
    key = random.getrandbits(64) or 1
    if not state.key:
        ports = [f"iqn.x:{random.getrandbits(32)},i,0x{n:012x}" for n in range(random.randrange(3))]
        rest = b"".join(map(transport_id.encode, ports))
        others = state.others + (key,) * len(ports)
        return Step(REGISTER, State(key, others), key, rest=rest)
    match random.randrange(8):
        case 0:
            return Step(CLEAR, State())
        case 1:
            return Step(IGNORE, attrs.evolve(state, key=0, kind=0))
        case 2 if state.others and state.others[0] != state.key:
            victim = state.others[0]
            others = tuple(key for key in state.others if key != victim)
            return Step(PREEMPT, attrs.evolve(state, others=others), victim)
        case 3 | 4 if not state.kind:
            kind = random.choice([1, 3, 5, 6])
            return Step(RESERVE, attrs.evolve(state, kind=kind), kind=kind)
        case 5 if state.kind:
            return Step(RELEASE, attrs.evolve(state, kind=0), kind=state.kind)
        case _:
            return Step(IGNORE, attrs.evolve(state, key=key), key)


class Registrant(Writer):
    """An initiator that registers and reserves."""

    def take(self, state: State, step: Step) -> None:
        """Give a command; it is acknowledged when this returns."""
        aptpl = step.action in (REGISTER, IGNORE)
        data = PARAMETER_LIST.encode(
            reservation_key=0 if step.action == IGNORE else state.key,
            service_action_reservation_key=step.new_key,
            aptpl=aptpl,
            spec_i_pt=bool(step.rest),
        )
        if step.rest:
            data += len(step.rest).to_bytes(4) + step.rest
        cdb = bytes((0x5F, step.action, step.kind, 0, 0)) + len(data).to_bytes(4) + b"\0"
        self.command(cdb, data)
        self.wait_for_good_status(1)

    def found(self) -> State:
        """What the target says, after a start, of those who are registered."""
        self.command(bytes(6))  # TEST UNIT READY takes the unit attention away
        self.receive()
        keys, others, kind = 0, [], 0
        status = self._read(3)
        while status:
            length = 24 + int.from_bytes(status[20:24])
            key, mine = int.from_bytes(status[:8]), b"test:writer" in status[24:length]
            if mine:
                keys, kind = key, status[13] & 0xF
            else:
                others.append(key)
            status = status[length:]
        return State(keys, tuple(others), kind)

    def _read(self, action: int) -> bytes:
        self.command(bytes((0x5E, action, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0)), reads=0xFFFF)
        data = b""
        while isinstance(pdu := self.receive(), DataIn):
            data += bytes(pdu.data)
            if pdu.has_status:
                return data[8:]
        raise AssertionError(pdu)


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    random = Random(4711)
    state = after = State()
    steps = done_in_flight = 0
    with Restarts(tmp_path, "memory:1MiB") as server:
        for _ in range(ROUNDS):
            with Registrant(server.start()) as initiator:
                found = initiator.found()
                assert found in (state, after)
                done_in_flight += found != state
                state = found
                timer = Timer(random.uniform(0, LONGEST), server.kill)
                timer.start()
                try:
                    while True:
                        next_step = step(state, random)
                        after = next_step.to
                        initiator.take(state, next_step)
                        state, steps = after, steps + 1
                except (ConnectionError, AssertionError):
                    if not server.killed:
                        raise
                timer.join()
    assert steps > ROUNDS // 4
    assert done_in_flight
