"""The initiator ports of this process, each named by its ISID (RFC 7143 sections 4.4.3, 10.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trioscsi.initiator.rules import Rule, Rules

_RANDOM_FORMAT = b"\x80"
"""The T field of an ISID that is random (section 11.12.5)."""
_PORTS = 2**16
_ALL = Rules()


class Ports:
    """Gives each session a port that no other session with its target has.

    It is the first that is free, so that a target sees again the port that it knows: reservations
    and the like belong to it.  ``random`` gives so many bytes.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._node = random(3)
        self._taken: dict[tuple[str, str | None], set[int]] = {}

    @contextmanager
    def one(self, name: str, target: str | None, rules: Rules = _ALL) -> Iterator[bytes]:
        """The ISID of a port that is taken until the end; target None: for discovery."""
        taken = self._taken.setdefault((name, target), set())
        free = (number for number in range(_PORTS) if number not in taken)
        number = next(free, 0) if rules.keep(Rule.DIFFERENT_PORTS) else 0
        node = self._node if rules.keep(Rule.SAME_PORT) else self._random(3)
        taken.add(number)
        try:
            yield _RANDOM_FORMAT + node + number.to_bytes(2)
        finally:
            taken.discard(number)
            if not taken:
                self._taken.pop((name, target), None)
