"""A connection, as the initiator sees it (RFC 7143 sections 8.1.1 to 8.1.3).

S3 belongs to targets alone, and so do T3 and T6.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a connection has to do after a transition."""

    CONNECT = "Open the transport connection."
    START_LOGIN = "Send the first Login Request."
    ENTER_FULL_FEATURE = "From here on SCSI may be spoken."
    PREPARE_LOGOUT = "Send no new commands, and log out as soon as possible."
    SEND_LOGOUT = "Send the Logout Request."
    START_CLEANUP = "Keep what a recovery could need until the connection times out."
    CLOSE = "Close the transport connection."


class Inputs(Running, Protocol):
    """All that can happen to a connection."""

    def connect_requested(self) -> Effects:
        """Somebody wants a connection to the target."""

    def connect_timed_out(self) -> Effects:
        """The transport connection did not come up in time."""

    def transport_connected(self) -> Effects:
        """The transport connection is up."""

    def transport_lost(self) -> Effects:
        """The transport was disconnected, was reset, or timed out."""

    def login_accepted(self) -> Effects:
        """The final Login Response has status class 0."""

    def login_refused(self) -> Effects:
        """The final Login Response has another status class."""

    def login_timed_out(self) -> Effects:
        """The login did not end in time."""

    def given_up(self) -> Effects:
        """The initiator gives the connection up: the target was silent or broke the protocol."""

    def logout_wanted(self) -> Effects:
        """The initiator is ready to log out."""

    def logout_asked_for(self) -> Effects:
        """An Async Message asks for a logout."""

    def logout_succeeded(self) -> Effects:
        """The Logout Response says that the logout was carried out."""

    def logout_failed(self) -> Effects:
        """The Logout Response says that the logout could not be carried out."""

    def logout_timed_out(self) -> Effects:
        """No Logout Response came in time."""

    def drop_announced(self) -> Effects:
        """An Async Message says that the target drops this connection, or all of them."""

    def session_logout_succeeded_elsewhere(self) -> Effects:
        """The session was closed by a logout on another of its connections."""


rows = Rows(
    "initiator.connection",
    Inputs,
    section="8.1",
    sentence="One TCP connection, from the wish to have it until nothing of it is left.",
)
FREE = rows.state("FREE", "S1", "No transport connection exists, or all of it is cleaned up.")
XPT_WAIT = rows.state("XPT_WAIT", "S2", "The transport connection was asked for.")
IN_LOGIN = rows.state("IN_LOGIN", "S4", "The login is being negotiated.")
LOGGED_IN = rows.state("LOGGED_IN", "S5", "Full feature phase: commands and data flow.")
IN_LOGOUT = rows.state("IN_LOGOUT", "S6", "The Logout Response must come.")
LOGOUT_REQUESTED = rows.state("LOGOUT_REQUESTED", "S7", "The target has asked for a logout.")
CLEANUP_WAIT = rows.state("CLEANUP_WAIT", "S8", "The transport is gone; cleanup has not begun.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("T1", FREE.upon(I.connect_requested).to(XPT_WAIT), E.CONNECT)

rfc("T4", XPT_WAIT.upon(I.transport_connected).to(IN_LOGIN), E.START_LOGIN)
rfc("T2", XPT_WAIT.upon(I.connect_timed_out).to(FREE), E.CLOSE)
rfc("T2", XPT_WAIT.upon(I.transport_lost).to(FREE), E.CLOSE)
rfc("T2", XPT_WAIT.upon(I.session_logout_succeeded_elsewhere).to(FREE), E.CLOSE)

rfc("T5", IN_LOGIN.upon(I.login_accepted).to(LOGGED_IN), E.ENTER_FULL_FEATURE)
rfc("T7", IN_LOGIN.upon(I.login_refused).to(FREE), E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.login_timed_out).to(FREE), E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.transport_lost).to(FREE), E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.given_up).to(FREE), E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.session_logout_succeeded_elsewhere).to(FREE), E.CLOSE)

rfc("T8", LOGGED_IN.upon(I.session_logout_succeeded_elsewhere).to(FREE), E.CLOSE)
rfc("T9", LOGGED_IN.upon(I.logout_wanted).to(IN_LOGOUT), E.SEND_LOGOUT)
rfc("T11", LOGGED_IN.upon(I.logout_asked_for).to(LOGOUT_REQUESTED), E.PREPARE_LOGOUT)
rfc("T15", LOGGED_IN.upon(I.transport_lost).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T15", LOGGED_IN.upon(I.given_up).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T15", LOGGED_IN.upon(I.drop_announced).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)

rfc("T13", IN_LOGOUT.upon(I.logout_succeeded).to(FREE), E.CLOSE)
rfc("T13", IN_LOGOUT.upon(I.session_logout_succeeded_elsewhere).to(FREE), E.CLOSE)
rfc("T14", IN_LOGOUT.upon(I.logout_asked_for).to(IN_LOGOUT))
rfc("T17", IN_LOGOUT.upon(I.logout_failed).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.logout_timed_out).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.transport_lost).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.given_up).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.drop_announced).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)

rfc("T10", LOGOUT_REQUESTED.upon(I.logout_wanted).to(IN_LOGOUT), E.SEND_LOGOUT)
rfc("T12", LOGOUT_REQUESTED.upon(I.logout_asked_for).to(LOGOUT_REQUESTED))
rfc("T16", LOGOUT_REQUESTED.upon(I.transport_lost).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T16", LOGOUT_REQUESTED.upon(I.given_up).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T16", LOGOUT_REQUESTED.upon(I.drop_announced).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T18", LOGOUT_REQUESTED.upon(I.session_logout_succeeded_elsewhere).to(FREE), E.CLOSE)

machine = rows.build()
