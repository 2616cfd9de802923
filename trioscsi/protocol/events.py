"""What a connection tells the server that drives it.

The protocol decides; the server does.  Commands go to a device server and come back through
`Writes.want` and `Answers.finish`: the service interface that SAM-5 calls Execute Command.

A `Task` among the events says that it is the device server's turn with it: the command has arrived,
or the data that was wanted for it is in ``task.data``, or came in a way that the RFC forbids
(``task.incoming.fault``), which is the end of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from trioscsi.protocol.tasks import Task

if TYPE_CHECKING:
    from trioscsi.protocol.connection import TargetConnection
    from trioscsi.protocol.session import Session


@attrs.define
class TasksAborted:
    """These tasks have ended, whoever has them; let go of each with ``release`` when it is safe."""

    tasks: list[Task]


@attrs.define
class UnitReset:
    """A logical unit (or all, for None) is reset: its state and unit attentions follow SAM-5.

    ``session`` asked for it.
    """

    lun: int | None
    session: Session


@attrs.define
class CommandsCleared:
    """Another session ended commands of this one at a unit, and no status tells it so."""

    session: Session
    lun: int


@attrs.define
class SessionBegan:
    """A session entered full feature phase for the first time, by this connection."""

    session: Session
    connection: TargetConnection


@attrs.define
class SessionEnded:
    """A session is gone, and with it its I_T nexus (RFC 7143 section 6.3.5).

    ``cause`` is what its machine heard.
    """

    session: Session
    cause: str


@attrs.define
class TasksCleared:
    """The iSCSI protocol ended commands of a nexus that lives on (section 11.14.5)."""

    session: Session


Event = (
    Task | TasksAborted | UnitReset | CommandsCleared | SessionBegan | SessionEnded | TasksCleared
)
