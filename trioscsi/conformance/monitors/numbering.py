"""Tags and sequence numbers of initiators (RFC 7143 sections 4.2.2 and 11.2.1.8)."""

from __future__ import annotations

from typing import Any

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.record import Session
from trioscsi.conformance.verdicts import Rule
from trioscsi.pdu import (
    NO_TASK,
    LogoutRequest,
    NopOut,
    Pdu,
    ScsiCommand,
    TaskManagementRequest,
    TextRequest,
)
from trioscsi.serial import less

MONITORS = Monitors()
watch = MONITORS.watch

UNIQUE_TAG = Rule("7143-11.2.1.8-1")
NOT_RESERVED_TAG = Rule("7143-11.2.1.8-2")
IMMEDIATE_KEEPS = Rule("7143-4.2.2.1-1")
ONE_MORE = Rule("7143-4.2.2.1-2")
INCREASING = Rule("7143-4.2.2.1-3")
RETRY_SAME = Rule("7143-7.2.1-1")
IN_WINDOW = Rule("7143-4.2.2.1-4")
EXP_STAT_SN = Rule("7143-4.2.2.2-1")

_NUMBERED = (ScsiCommand, TaskManagementRequest, TextRequest, LogoutRequest, NopOut)


def _is_retry(session: Session, pdu: Any) -> bool:
    """Whether a request was sent before, with the same tag and CmdSN (section 7.2.1).

    No immediate one is sent again: that is for what a gap in CmdSN shows to be lost.
    """
    if (pdu.itt, pdu.cmd_sn) in session.retriable:
        return True
    earlier = session.tags.get(pdu.itt)
    return (
        earlier is not None
        and type(earlier.pdu) is type(pdu)
        and earlier.pdu.cmd_sn == pdu.cmd_sn
        and not (earlier.pdu.immediate or pdu.immediate)
    )


@watch(
    "M-06",
    "A task tag names one task of the session at a time, and never is the reserved one.",
    *_NUMBERED,
    founds=True,
)
def tags(scene: Scene, pdu: Any) -> Remarks:
    session = scene.session
    if session is None:
        return
    if not isinstance(pdu, NopOut):
        yield NOT_RESERVED_TAG.holds(pdu.itt != NO_TASK, "the reserved tag for a task")
    if pdu.itt == NO_TASK or _is_retry(session, pdu):
        return
    text = scene.connection.text
    if isinstance(pdu, TextRequest) and text is not None and pdu.itt == text.itt:
        return
    yield UNIQUE_TAG.holds(
        pdu.itt not in session.tags, f"tag {pdu.itt:#x} still names another task"
    )


@watch("M-07", "CmdSN counts the requests that are not immediate.", *_NUMBERED)
def command_order(scene: Scene, pdu: Any) -> Remarks:
    session = scene.session
    if session is None:
        return
    if pdu.immediate:
        # On another connection a request with the next number may be on its way.
        if not session.several:
            yield IMMEDIATE_KEEPS.holds(
                pdu.cmd_sn == session.cmd_sn,
                f"an immediate request with CmdSN {pdu.cmd_sn}, {session.cmd_sn} is current",
            )
    elif _is_retry(session, pdu):
        yield from _retry(session, pdu)
    elif any(pdu.cmd_sn == cmd_sn for _, cmd_sn in session.retriable):
        return  # it has the CmdSN of a request that was rejected (section 7.3)
    elif session.several:
        last = scene.connection.cmd_sn
        yield INCREASING.holds(
            last is None or less(last, pdu.cmd_sn), f"CmdSN {pdu.cmd_sn} after {last}"
        )
    else:
        yield ONE_MORE.holds(
            pdu.cmd_sn == session.cmd_sn, f"CmdSN {pdu.cmd_sn}, {session.cmd_sn} is the next"
        )


def _retry(session: Session, pdu: Any) -> Remarks:
    earlier = session.tags.get(pdu.itt)
    if isinstance(pdu, ScsiCommand) and earlier is not None:
        names = ("lun", "cdb", "read", "write", "attributes", "expected_data_transfer_length")
        same = isinstance(earlier.pdu, ScsiCommand) and all(
            getattr(pdu, name) == getattr(earlier.pdu, name) for name in names
        )
        yield RETRY_SAME.holds(same, "a command that is sent again differs from the first time")


@watch("M-08", "CmdSN stays within what the target has granted.", *_NUMBERED)
def window(scene: Scene, pdu: Any) -> Remarks:
    session = scene.session
    if session is None or pdu.immediate or session.max_cmd_sn is None:
        return
    yield IN_WINDOW.holds(
        not less(session.max_cmd_sn, pdu.cmd_sn),
        f"CmdSN {pdu.cmd_sn}, MaxCmdSN was never more than {session.max_cmd_sn}",
    )


@watch("M-09", "ExpStatSN acknowledges what has come, and never takes it back.", Pdu)
def acknowledged(scene: Scene, pdu: Any) -> Remarks:
    connection = scene.connection
    following = connection.stat_sn
    # What the first Login Request says is about no status of this connection (section 11.12.9).
    if following is None or connection.jumped or not hasattr(pdu, "exp_stat_sn"):
        return
    yield EXP_STAT_SN.holds(
        not less(following, pdu.exp_stat_sn),
        f"ExpStatSN {pdu.exp_stat_sn}, the next status is {following}",
    )
    before = connection.exp_stat_sn
    if before is not None:
        yield EXP_STAT_SN.holds(
            not less(pdu.exp_stat_sn, before), f"ExpStatSN {pdu.exp_stat_sn} after {before}"
        )
