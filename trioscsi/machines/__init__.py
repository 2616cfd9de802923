"""The state machines of iSCSI: no bytes, no clock, no await.

One module a machine, one transition a line, each under its label.  They are the target's machines;
those in ``initiator`` are the other side's.  ``MACHINES`` is all of them by name;
`trioscsi.machines.coupling` says which transition of one feeds which input of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trioscsi.machines import (
    chap,
    cleanup,
    connection,
    full_feature,
    login,
    logout,
    session,
    task,
    task_state,
    text,
    transfer,
)
from trioscsi.machines._automat import Effects, Machine, State, Transition, Watcher
from trioscsi.machines.initiator import chap as initiator_chap
from trioscsi.machines.initiator import connection as initiator_connection
from trioscsi.machines.initiator import escalation as initiator_escalation
from trioscsi.machines.initiator import gap as initiator_gap
from trioscsi.machines.initiator import login as initiator_login
from trioscsi.machines.initiator import recovery as initiator_recovery
from trioscsi.machines.initiator import session as initiator_session

__all__ = ["MACHINES", "Effects", "Machine", "State", "Transition", "Watcher"]

MACHINES: Mapping[str, Machine[Any]] = {
    module.machine.name: module.machine
    for module in (
        connection,
        cleanup,
        session,
        login,
        chap,
        text,
        full_feature,
        logout,
        task,
        task_state,
        transfer,
        initiator_connection,
        initiator_session,
        initiator_login,
        initiator_chap,
        initiator_recovery,
        initiator_escalation,
        initiator_gap,
    )
}
