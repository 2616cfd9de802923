"""What is watched on every PDU: M-01 to M-44 judge initiators, T-01 and following judge targets.

A monitor is a function that looks at one PDU and at what was known before it; each remark that it
makes names the requirement that was put to the test.
"""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.monitors import (
    data,
    keys,
    login,
    numbering,
    requests,
    shape,
    target,
    transfer,
)
from trioscsi.conformance.monitors.monitor import Monitor, Scene

MONITORS: Mapping[str, Monitor] = {
    monitor.id: monitor
    for monitor in sorted(
        (
            monitor
            for module in (login, shape, numbering, data, requests, keys, target, transfer)
            for monitor in module.MONITORS
        ),
        key=lambda monitor: monitor.id,
    )
}

__all__ = ["MONITORS", "Monitor", "Scene"]
