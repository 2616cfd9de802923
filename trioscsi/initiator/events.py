"""What an initiator's connection tells the one who drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from trioscsi.initiator.connection import InitiatorConnection
    from trioscsi.initiator.requests import Request
    from trioscsi.pdu import AsyncMessage, LoginStatus, Reject


@attrs.define
class LoggedIn:
    """The connection is in full feature phase."""

    connection: InitiatorConnection


@attrs.define
class LoginFailed:
    """The login has come to nothing; ``status`` is the target's, None if it gave none."""

    connection: InitiatorConnection
    status: LoginStatus | int | None
    reason: str


@attrs.define
class Redirected:
    """The target has moved: log in anew at one of ``addresses`` (TargetAddress values)."""

    connection: InitiatorConnection
    addresses: tuple[str, ...]
    permanent: bool


@attrs.define
class Ended:
    """A request is over."""

    request: Request


@attrs.define
class Noticed:
    """An Asynchronous Message has come; what the protocol asks for is done already."""

    message: AsyncMessage


@attrs.define
class Refused:
    """A Reject has come, with the header of what the target refused."""

    reject: Reject


@attrs.define
class ConnectionLost:
    """A connection in full feature phase has ended without a logout."""

    connection: InitiatorConnection
    reason: str


@attrs.define
class ConnectionWanted:
    """No connection is left, but the session lives on at error recovery level 2.

    A new one is to take the place of this one (`InitiatorSession.reconnect`), after ``wait``
    seconds and within ``retain`` more.
    """

    connection: InitiatorConnection
    wait: int
    retain: int


@attrs.define
class SessionFailed:
    """No connection is left; log in anew after ``wait`` seconds, within ``retain`` more.

    At error recovery level 0 all commands have ended; the new login reinstates the session.
    """

    wait: int
    retain: int


@attrs.define
class SessionEnded:
    """The session was logged out, or nothing is left of it."""


Event = (
    LoggedIn
    | LoginFailed
    | Redirected
    | Ended
    | Noticed
    | Refused
    | ConnectionLost
    | ConnectionWanted
    | SessionFailed
    | SessionEnded
)
