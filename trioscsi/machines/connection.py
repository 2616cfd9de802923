"""A connection, as the target sees it (RFC 7143 sections 8.1.1, 8.1.2 and 8.1.4).

S2 belongs to initiators alone, and so do T1, T2 and T14.
"""

from __future__ import annotations

import enum
from typing import Protocol

from trioscsi.machines._automat import Effects, Rows, Running


class Effect(enum.Enum):
    """What a connection has to do after a transition."""

    START_LOGIN_TIMER = "Give the initiator a bounded time to log in."
    STOP_LOGIN_TIMER = "The login is over, one way or the other."
    ENTER_FULL_FEATURE = "From here on SCSI may be spoken."
    ANSWER_LOGOUT = "End what the Logout Request names, then answer it."
    ASK_FOR_LOGOUT = "Send the Async Message that asks for a logout."
    START_CLEANUP = "Keep what a recovery could need until the connection times out."
    CLOSE = "Close the transport connection."


class Inputs(Running, Protocol):
    """All that can happen to a connection."""

    def transport_connected(self) -> Effects:
        """A valid transport connection was accepted."""

    def transport_lost(self) -> Effects:
        """The transport was disconnected, was reset, or timed out."""

    def wrong_first_pdu(self) -> Effects:
        """The first PDU is no Login Request (section 4.2.4)."""

    def login_requested(self) -> Effects:
        """The first Login Request arrived."""

    def login_accepted(self) -> Effects:
        """The Login Request that ends the login was accepted."""

    def login_refused(self) -> Effects:
        """A Login Request was answered with a status class other than 0."""

    def login_timed_out(self) -> Effects:
        """The login did not end in time."""

    def logout_received(self) -> Effects:
        """A Logout Request arrived on this connection."""

    def logout_succeeded(self) -> Effects:
        """The logout was carried out and the Logout Response says so."""

    def logout_failed(self) -> Effects:
        """The logout could not be carried out and the Logout Response says so."""

    def decommissioned(self) -> Effects:
        """The target wants this connection to be logged out."""

    def dropped(self) -> Effects:
        """The target gives the connection up: a timeout of its own, or an emergency."""

    def session_logout_received_elsewhere(self) -> Effects:
        """Another connection of the session received a Logout Request for the session."""

    def session_logout_answered_elsewhere(self) -> Effects:
        """Another connection of the session answered a Logout Request for the session."""

    def reinstated(self) -> Effects:
        """A new login has taken the place of this connection, or of its session."""

    def reinstatement_failed(self) -> Effects:
        """A new login that was to take the place of this connection has failed."""


rows = Rows(
    "connection",
    Inputs,
    section="8.1",
    sentence="One TCP connection, from the moment it is accepted until nothing of it is left.",
)
FREE = rows.state("FREE", "S1", "No transport connection exists, or all of it is cleaned up.")
XPT_UP = rows.state("XPT_UP", "S3", "The transport is up; the first Login Request must come.")
IN_LOGIN = rows.state("IN_LOGIN", "S4", "The login is being negotiated.")
LOGGED_IN = rows.state("LOGGED_IN", "S5", "Full feature phase: commands and data flow.")
IN_LOGOUT = rows.state("IN_LOGOUT", "S6", "A Logout Request is being carried out.")
LOGOUT_REQUESTED = rows.state("LOGOUT_REQUESTED", "S7", "The initiator was asked to log out.")
CLEANUP_WAIT = rows.state("CLEANUP_WAIT", "S8", "The transport is gone; cleanup has not begun.")

I, E, rfc = Inputs, Effect, rows.rfc

rfc("T3", FREE.upon(I.transport_connected).to(XPT_UP), E.START_LOGIN_TIMER)

rfc("T4", XPT_UP.upon(I.login_requested).to(IN_LOGIN))
rfc("T6", XPT_UP.upon(I.login_timed_out).to(FREE), E.CLOSE)
rfc("T6", XPT_UP.upon(I.transport_lost).to(FREE), E.STOP_LOGIN_TIMER, E.CLOSE)
rfc("T6", XPT_UP.upon(I.wrong_first_pdu).to(FREE), E.STOP_LOGIN_TIMER, E.CLOSE)
rfc("T6", XPT_UP.upon(I.dropped).to(FREE), E.STOP_LOGIN_TIMER, E.CLOSE)

rfc("T5", IN_LOGIN.upon(I.login_accepted).to(LOGGED_IN), E.STOP_LOGIN_TIMER, E.ENTER_FULL_FEATURE)
rfc("T7", IN_LOGIN.upon(I.login_refused).to(FREE), E.STOP_LOGIN_TIMER, E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.login_timed_out).to(FREE), E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.transport_lost).to(FREE), E.STOP_LOGIN_TIMER, E.CLOSE)
rfc("T7", IN_LOGIN.upon(I.dropped).to(FREE), E.STOP_LOGIN_TIMER, E.CLOSE)
rfc(
    "T7",
    IN_LOGIN.upon(I.session_logout_received_elsewhere).to(FREE),
    E.STOP_LOGIN_TIMER,
    E.CLOSE,
)

rfc("T8", LOGGED_IN.upon(I.session_logout_answered_elsewhere).to(FREE), E.CLOSE)
rfc("T8", LOGGED_IN.upon(I.reinstated).to(FREE), E.CLOSE)
rfc("T9", LOGGED_IN.upon(I.logout_received).to(IN_LOGOUT), E.ANSWER_LOGOUT)
rfc("T11", LOGGED_IN.upon(I.decommissioned).to(LOGOUT_REQUESTED), E.ASK_FOR_LOGOUT)
rfc("T15", LOGGED_IN.upon(I.transport_lost).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T15", LOGGED_IN.upon(I.reinstatement_failed).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T15", LOGGED_IN.upon(I.dropped).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)

rfc("T13", IN_LOGOUT.upon(I.logout_succeeded).to(FREE), E.CLOSE)
rfc("T13", IN_LOGOUT.upon(I.session_logout_answered_elsewhere).to(FREE), E.CLOSE)
rfc("T13", IN_LOGOUT.upon(I.reinstated).to(FREE), E.CLOSE)
rfc("T17", IN_LOGOUT.upon(I.logout_failed).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.transport_lost).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.reinstatement_failed).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T17", IN_LOGOUT.upon(I.dropped).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)

rfc("T10", LOGOUT_REQUESTED.upon(I.logout_received).to(IN_LOGOUT), E.ANSWER_LOGOUT)
rfc("T12", LOGOUT_REQUESTED.upon(I.decommissioned).to(LOGOUT_REQUESTED), E.ASK_FOR_LOGOUT)
rfc("T16", LOGOUT_REQUESTED.upon(I.transport_lost).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T16", LOGOUT_REQUESTED.upon(I.reinstatement_failed).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T16", LOGOUT_REQUESTED.upon(I.dropped).to(CLEANUP_WAIT), E.CLOSE, E.START_CLEANUP)
rfc("T18", LOGOUT_REQUESTED.upon(I.session_logout_answered_elsewhere).to(FREE), E.CLOSE)
rfc("T18", LOGOUT_REQUESTED.upon(I.reinstated).to(FREE), E.CLOSE)

machine = rows.build()
