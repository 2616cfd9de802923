"""The words in which monitors are written.

::

    @watch("M-10", "A command has W or F, and a direction if there are data.", ScsiCommand)
    def write_or_final(scene: Scene, pdu: ScsiCommand) -> Remarks:
        yield W_OR_F.holds(pdu.write or pdu.final, "neither W nor F is set")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import attrs

from trioscsi.conformance.record import Connection, Record, Session
from trioscsi.conformance.stream import Seen
from trioscsi.conformance.verdicts import Remark
from trioscsi.text import Parameters, Side

Remarks: TypeAlias = Iterator[Remark]


@attrs.frozen
class Scene:
    """One PDU, and what was known before it."""

    record: Record
    connection: Connection
    seen: Seen

    @property
    def session(self) -> Session | None:
        return self.connection.session

    @property
    def parameters(self) -> Parameters:
        return self.connection.parameters


@attrs.frozen
class Monitor:
    """One rule, or a few that belong together, watched on every PDU."""

    id: str
    says: str
    """What is asked of the side that is judged, in a sentence."""
    hears: tuple[type, ...]
    """The classes of what it looks at."""
    check: Callable[[Scene, Any], Remarks]
    sender: Side | None = Side.INITIATOR
    """Whose PDUs it looks at; None: those of both."""
    alone: bool = False
    """Whether it looks at one PDU by itself, so that nothing before it has to be known."""
    founds: bool = False
    """Whether the record relies on it: after a breach, what the target owes to the commands of the
    session is not certain any more."""
    relies: bool = False
    """Whether it relies on the record in that way; it does not look at what comes once more."""
    unfinished: Callable[[Record], bool] | None = None
    """Whether something was still to come, at the end."""


class Monitors(list[Monitor]):
    """The monitors of one module."""

    def watch(
        self,
        id: str,  # noqa: A002 - as the catalogue of monitors calls it
        says: str,
        *hears: type,
        **details: Any,
    ) -> Callable[[Callable[[Scene, Any], Remarks]], Callable[[Scene, Any], Remarks]]:
        """Make a monitor of a function."""

        def add(check: Callable[[Scene, Any], Remarks]) -> Callable[[Scene, Any], Remarks]:
            self.append(Monitor(id, says, hears, check, **details))
            return check

        return add
