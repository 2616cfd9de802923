"""All errors, by whose fault it is.

::

    TrioscsiError
    ├── PeerError             the other side broke the protocol; carries the answer it gets
    │   └── DamagedHeader     a header digest shows that the stream is lost
    ├── UsageError            our caller passed something impossible (also a ValueError)
    ├── BackendError          storage failed; becomes sense data
    │   ├── OutOfSpace        thinly provisioned storage is full
    │   └── BackendFault      a backend has raised what no backend may raise
    ├── PortalError           an address cannot be listened at
    ├── ControlError          a control socket cannot be reached, or refuses a request
    ├── CaptureError          a packet capture cannot be written, or is none
    ├── DriverError           an initiator of the bench cannot be started, or is gone
    ├── NameServiceError      an iSNS server refused, or said what nobody understands
    ├── LoginFailure          a target has refused our initiator, or cannot be reached
    ├── SessionLost           our initiator gets no answer any more
    ├── CommandFailed         a target has answered a command with another status than GOOD
    ├── ShortTransfer         a target has moved less data than a command was to move
    └── UndefinedTransition   an input that a state machine has no row for

Anything else that escapes is a bug: it is logged with the one conversation it belongs to.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar


class TrioscsiError(Exception):
    """The root of every error that this package raises on purpose."""


class PeerError(TrioscsiError):
    """The peer broke a rule.

    ``reason`` says which, in one plain phrase; ``section`` is the section of RFC 7143 that holds
    the rule; ``answer`` is what goes on the wire (a login status, a Reject reason), or None when
    the only answer is to close the connection.  ``subject`` is the key or PDU that it is about,
    and ``stage`` what the connection was doing, where that is known.
    """

    def __init__(
        self,
        reason: str,
        *,
        section: str,
        answer: enum.IntEnum | None = None,
        subject: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.section = section
        self.answer = answer
        self.subject = subject
        self.stage = ""

    def __str__(self) -> str:
        answer = "" if self.answer is None else f", answered {self.answer.name}"
        return f"{self.reason} (RFC 7143 section {self.section}{answer})"


class DamagedHeader(PeerError):
    """A header does not match its digest: where the next PDU begins is not known any more."""


class UsageError(TrioscsiError, ValueError):
    """Our own caller asked for something that cannot be."""


class BackendError(TrioscsiError):
    """Storage could not do what it was asked; the initiator sees MEDIUM or HARDWARE ERROR.

    ``lba`` is the first block that failed, if the backend can tell.
    """

    def __init__(self, *args: object, lba: int | None = None) -> None:
        super().__init__(*args)
        self.lba = lba


class OutOfSpace(BackendError):
    """Storage has promised more blocks than it has room for; the initiator sees DATA PROTECT."""


class BackendFault(BackendError):
    """A mistake in a backend has come up; the initiator sees HARDWARE ERROR."""


class PortalError(TrioscsiError):
    """The address of a portal is not ours, is taken, or is unknown."""


class ControlError(TrioscsiError):
    """A control socket cannot be reached, or what was asked of it cannot be done."""


class CaptureError(TrioscsiError):
    """A packet capture cannot be written, or cannot be understood."""


class DriverError(TrioscsiError):
    """An initiator that the bench drives cannot be started, or does not answer any more."""


class NameServiceError(TrioscsiError):
    """A name server refused a request, or broke the protocol (RFC 4171)."""


class LoginFailure(TrioscsiError):
    """A login came to nothing; ``status`` is what the target said, None if it said nothing."""

    def __init__(self, reason: str, status: int | None) -> None:
        super().__init__(reason)
        self.status = status


class SessionLost(TrioscsiError):
    """No answer can come: the connection is gone, or the target has ended the request."""


class CommandFailed(TrioscsiError):
    """A SCSI command has ended with another status than GOOD, perhaps with sense data."""

    def __init__(self, status: int, sense: bytes) -> None:
        super().__init__(f"status {status:#04x}, sense data {sense.hex() or 'none'}")
        self.status = status
        self.sense = sense


class ShortTransfer(TrioscsiError):
    """A command has ended well, and moved fewer bytes than it was to move."""

    def __init__(self, expected: int, moved: int) -> None:
        super().__init__(f"{moved} of {expected} bytes were transferred")
        self.expected = expected
        self.moved = moved


class UndefinedTransition(TrioscsiError):
    """A machine was fed an input that its table does not list; its state is unchanged."""

    def __init__(self, machine: str, state: str, cause: str, section: str) -> None:
        super().__init__(
            f"{machine} has no transition from {state} upon {cause} (section {section})"
        )
        self.machine = machine
        self.state = state
        self.cause = cause
        self.section = section


E = TypeVar("E", bound=BaseException)


def leaves(group: BaseExceptionGroup[E]) -> Iterator[E]:
    """The errors themselves, out of however many nurseries they passed through."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let an error that came alone through nurseries be what it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from None


def why_unreachable(error: Exception) -> str:
    """Why a transport connection was not made: trio says only that all attempts have failed."""
    cause = error.__cause__ or error
    errors = leaves(cause) if isinstance(cause, BaseExceptionGroup) else [cause]
    return ", ".join(dict.fromkeys(filter(None, map(_said, errors)))) or "no answer"


def _said(error: BaseException) -> str:
    """What the system calls an error, without the address that trio adds to it."""
    if isinstance(error, UnicodeError):
        # Of a part that is empty, or too long, or has what no name has: nobody could be asked.
        return "no host has such a name"
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    # Numbers of the resolver are negative, and their words not the system's.
    return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
