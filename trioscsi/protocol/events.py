"""What a connection tells the server that drives it.

The protocol decides; the server does.  Commands go to a device server and come back through
`Writes.want` and `Answers.finish`: the service interface that SAM-5 calls Execute Command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from trioscsi.protocol.bursts import TransferFault
    from trioscsi.protocol.connection import TargetConnection
    from trioscsi.protocol.session import Session
    from trioscsi.protocol.tasks import Task


@attrs.define
class CommandArrived:
    """A SCSI command is to be executed; answer it with ``want`` or ``finish``."""

    task: Task


@attrs.define
class DataArrived:
    """All the data that was wanted for a task is in ``task.data``."""

    task: Task


@attrs.define
class TransferFailed:
    """The data of a task came in a way that the RFC forbids: finish it with the fault's sense."""

    task: Task
    fault: TransferFault


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
    CommandArrived
    | DataArrived
    | TransferFailed
    | TasksAborted
    | UnitReset
    | CommandsCleared
    | SessionBegan
    | SessionEnded
    | TasksCleared
)
