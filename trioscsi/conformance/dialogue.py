"""What two sides say to each other in keys, as a listener understands it (RFC 7143 section 6.2)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import attrs

from trioscsi.errors import PeerError
from trioscsi.text import KEYS, Key, Pair, Parameters, Side, Stage, parse
from trioscsi.text.key import Kind
from trioscsi.text.parameters import result
from trioscsi.text.rules import RESERVED, RULES

KEYS_KEPT = 1024
"""Keys of one dialogue that are remembered; a peer that sends more is not followed any further."""


class Role(enum.Enum):
    """What a key is where it stands."""

    DECLARATION = "its sender says something of itself"
    PROPOSAL = "its sender waits for an answer"
    ANSWER = "it answers a proposal or a declaration of the other side"
    REPEAT = "it was settled, declared or proposed before"
    REPORT = "it belongs to the answer to SendTargets, which is no negotiation"


@attrs.frozen
class Said:
    """One key as it was sent; ``value`` is as on the wire."""

    name: str
    value: str
    role: Role
    stage: Stage
    key: Key | None
    """None: no RFC knows this key."""
    parsed: Any = None
    fault: PeerError | None = None
    """Why the value is none that the key can have."""
    proposed: Any = None
    """What an answer answers; None: that could not be read."""


@attrs.define
class Dialogue:
    """The keys of one login, or of one text negotiation.

    ``base`` are the values in force before.
    """

    base: Parameters = attrs.field(factory=Parameters)
    _proposed: dict[str, tuple[Side, Any]] = attrs.field(factory=dict, init=False)
    _settled: set[str] = attrs.field(factory=set, init=False)
    _declared: set[tuple[Side, str]] = attrs.field(factory=set, init=False)
    _results: dict[str, Any] = attrs.field(factory=dict, init=False)

    def hear(self, side: Side, pairs: Iterable[Pair], stage: Stage) -> list[Said]:
        """What each key of one text is; it counts from here on."""
        return [
            self._hear(side, name, value, stage)
            for name, value in pairs
            if len(self._settled) + len(self._declared) + len(self._proposed) < KEYS_KEPT
        ]

    @property
    def so_far(self) -> Parameters:
        """The values as far as they are settled."""
        return attrs.evolve(self.base, **self._results)

    def settle(self) -> Parameters:
        """The values at the end: a proposal that decides the result needs no answer."""
        for name, (_, value) in self._proposed.items():
            key = KEYS.get(name)
            if key is not None and value is not None and RULES[key.kind].decided(value):
                self._results |= result(key, value)
        found = self.so_far
        # Whoever answers both lengths answers for their rule as well (sections 6.2 and 13.14).
        return found if self._results.keys() >= _BURSTS else found.constrained()

    def _hear(self, side: Side, name: str, value: str, stage: Stage) -> Said:
        key = KEYS.get(name)
        role = self._role(side, name, value, stage, key)
        parsed, fault = None, None
        if key is not None and value not in RESERVED and key.kind is not Kind.OBSOLETE:
            try:
                parsed = parse(key, value)
            except PeerError as error:
                fault = error
        proposed = self._proposed.pop(name)[1] if self._answers(side, name) else None
        said = Said(name, value, role, stage, key, parsed, fault, proposed)
        self._note(side, said)
        return said

    def _answers(self, side: Side, name: str) -> bool:
        return name in self._proposed and self._proposed[name][0] is side.other

    def _role(self, side: Side, name: str, value: str, stage: Stage, key: Key | None) -> Role:
        if self._answers(side, name):
            return Role.ANSWER
        if value in RESERVED and (side.other, name) in self._declared:
            return Role.ANSWER
        if stage is Stage.FULL_FEATURE and side is Side.TARGET and name in _REPORTED:
            return Role.REPORT
        if (side, name) in self._declared:
            return Role.DECLARATION if key is not None and key.repeatable else Role.REPEAT
        if name in self._settled or name in self._proposed:
            return Role.REPEAT
        if key is None or key.kind in RULES or key.kind is Kind.OBSOLETE:
            return Role.PROPOSAL
        return Role.DECLARATION

    def _note(self, side: Side, said: Said) -> None:
        key, parsed = said.key, said.parsed
        match said.role:
            case Role.PROPOSAL:
                self._proposed[said.name] = (side, parsed)
            case Role.DECLARATION:
                self._declared.add((side, said.name))
                if key is not None and key.kind is Kind.DECLARATION and parsed is not None:
                    self._results |= _declared(key, parsed, side)
            case Role.ANSWER:
                self._settled.add(said.name)
                if key is not None and key.kind in RULES and _counts(said):
                    self._results |= result(key, parsed)
                elif key is not None and said.fault is not None and _is_one(said.proposed):
                    # Nothing says what becomes of it: its receiver may go by what it has said.
                    self._results |= result(key, said.proposed)
            case _:
                pass


def _declared(key: Key, value: Any, side: Side) -> dict[str, Any]:
    # Addresses come in any number, and no rule depends on them.
    return {} if key.repeatable else result(key, value, side)


def _is_one(value: Any) -> bool:
    """Whether a proposal is a value of its own, and no list to choose from."""
    return value is not None and not isinstance(value, tuple)


def _counts(said: Said) -> bool:
    """Whether an answer is a result: out of a list that is one value that was in it (6.2.1)."""
    if not isinstance(said.parsed, tuple):
        return said.parsed is not None
    return len(said.parsed) == 1 and (said.proposed is None or said.parsed[0] in said.proposed)


_BURSTS = frozenset({"first_burst_length", "max_burst_length"})
_REPORTED = frozenset({"TargetName", "TargetAddress"})
