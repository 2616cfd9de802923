from __future__ import annotations

import errno

import pytest

from trioscsi.errors import (
    BackendError,
    BackendFault,
    CommandFailed,
    LoginFailure,
    OutOfSpace,
    PeerError,
    SessionLost,
    TrioscsiError,
    UndefinedTransition,
    UsageError,
    unwrapped,
    why_unreachable,
)
from trioscsi.pdu import RejectReason


@pytest.mark.parametrize(
    "kind",
    [
        PeerError,
        UsageError,
        BackendError,
        OutOfSpace,
        BackendFault,
        LoginFailure,
        SessionLost,
        CommandFailed,
        UndefinedTransition,
    ],
)
def test_every_error_has_the_same_root(kind):
    assert issubclass(kind, TrioscsiError)


def test_a_peer_error_says_what_where_and_what_goes_back():
    error = PeerError("a bad field", section="11.3", answer=RejectReason.INVALID_PDU_FIELD)
    assert str(error) == "a bad field (RFC 7143 section 11.3, answered INVALID_PDU_FIELD)"
    assert (error.reason, error.section) == ("a bad field", "11.3")
    assert error.answer is RejectReason.INVALID_PDU_FIELD
    assert (error.subject, error.stage) == ("", "")


def test_a_peer_error_without_an_answer_closes_the_connection():
    error = PeerError("a bad digest", section="7.8")
    assert error.answer is None
    assert str(error) == "a bad digest (RFC 7143 section 7.8)"


def test_a_usage_error_is_a_value_error():
    with pytest.raises(ValueError, match="no such thing"):
        raise UsageError("no such thing")


def test_an_undefined_transition_names_the_missing_row():
    error = UndefinedTransition("connection", "FREE", "login_received", "8.1")
    assert str(error) == "connection has no transition from FREE upon login_received (section 8.1)"
    assert (error.machine, error.state) == ("connection", "FREE")
    assert (error.cause, error.section) == ("login_received", "8.1")


def test_a_command_that_failed_tells_status_and_sense():
    assert str(CommandFailed(2, b"\x70")) == "status 0x02, sense data 70"
    assert str(CommandFailed(8, b"")) == "status 0x08, sense data none"


def test_a_login_that_failed_tells_the_status_of_the_target():
    assert LoginFailure("refused", 0x0201).status == 0x0201


def test_why_nobody_was_reached_is_told_once():
    refused = OSError(errno.ECONNREFUSED, "Error connecting to ('h', 1): Connection refused")
    unknown = OSError(errno.EHOSTUNREACH, "No route to host")
    several = OSError("all attempts to connect to h:1 failed")
    several.__cause__ = ExceptionGroup("", [refused, refused, unknown])
    alone = OSError("all attempts to connect to h:1 failed")
    alone.__cause__ = refused
    assert why_unreachable(several) == "Connection refused, No route to host"
    assert why_unreachable(alone) == why_unreachable(refused) == "Connection refused"
    assert why_unreachable(OSError("odd")) == "odd"
    assert why_unreachable(OSError(-2, "Name or service not known")) == "Name or service not known"
    assert why_unreachable(TimeoutError()) == "no answer"
    assert why_unreachable(UnicodeError("label empty or too long")) == "no host has such a name"


def test_an_error_that_came_alone_through_nurseries_is_what_it_is() -> None:
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as raised, unwrapped():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [error])])
    assert raised.value is error


def test_errors_that_came_together_stay_together() -> None:
    group = ExceptionGroup("both", [ZeroDivisionError(), KeyError()])
    with pytest.raises(ExceptionGroup) as raised, unwrapped():
        raise group
    assert raised.value is group
