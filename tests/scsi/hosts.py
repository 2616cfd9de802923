"""Initiators that share a unit: what each is answered, with no server between them."""

from __future__ import annotations

from typing import Any

import attrs

from tests.scsi.store import Blocks
from trioscsi.scsi import AdditionalSense, Done, LogicalUnit, Nexus, Outcome, ScsiTarget
from trioscsi.scsi.reservations.persistent_order import MOVE_PARAMETER_LIST, PARAMETER_LIST
from trioscsi.scsi.reservations.registrations import Registrant, Registrations

NAME = "iqn.2026-11.example:disk"
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT, IGNORE, MOVE, REPLACE = range(9)


@attrs.define(eq=False)
class Host:
    """One initiator port, and its way to the unit."""

    house: House
    nexus: Nexus

    def do(self, cdb: str | bytes, data: bytes = b"") -> Outcome:
        """How a command ends, given in hexadecimal or as it is."""
        raw = bytes.fromhex(cdb) if isinstance(cdb, str) else cdb
        plan = self.house.unit.execute(raw.ljust(16, b"\0"), self.nexus)
        return self.house.blocks.perform(plan, data)

    def order(
        self,
        action: int,
        key: int = 0,
        new_key: int = 0,
        *,
        type: int = 0,  # noqa: A002 - as the standard calls it
        scope: int = 0,
        rest: bytes = b"",
        length: int | None = None,
        **fields: Any,
    ) -> Outcome:
        """How PERSISTENT RESERVE OUT ends."""
        layout = MOVE_PARAMETER_LIST if action == MOVE else PARAMETER_LIST
        data = rest and (len(rest).to_bytes(4, "big") + rest if layout is PARAMETER_LIST else rest)
        if action == MOVE:
            fields.setdefault("transportid_length", len(rest))
            fields.setdefault("relative_target_port_identifier", 1)
        elif rest:
            fields.setdefault("spec_i_pt", 1)
        data = (
            layout.encode(reservation_key=key, service_action_reservation_key=new_key, **fields)
            + data
        )
        sent = len(data) if length is None else length
        cdb = bytes((0x5F, action, scope << 4 | type, 0, 0)) + sent.to_bytes(4, "big") + bytes(1)
        return self.do(cdb, data)

    @property
    def who(self) -> Registrant:
        return self.house.unit.reservations.registrant(self.nexus)

    def heard(self) -> list[AdditionalSense]:
        """What this host has not been told yet; it hears all of it now."""
        return self.nexus.pending.pop(self.house.unit.number, [])


@attrs.define(eq=False)
class House:
    """A target with one unit, and hosts that are there from the beginning."""

    settings: dict[str, Any] = attrs.field(factory=dict)
    target: ScsiTarget = attrs.field(init=False)
    unit: LogicalUnit = attrs.field(init=False)
    blocks: Blocks = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.unit = LogicalUnit(0, target_name=NAME, blocks=100, **self.settings)
        self.target = ScsiTarget(NAME, [self.unit])
        self.blocks = Blocks(self.unit)

    def host(self, name: str, isid: int = 1, port: int = 1) -> Host:
        """One that has just come, and has heard of the power on."""
        initiator = f"iqn.2026-11.example:{name},i,0x{isid:012x}"
        nexus = Nexus(initiator, f"{NAME},t,0x{port:04x}", port, port)
        self.target.attach(nexus)
        nexus.pending.clear()
        return Host(self, nexus)

    @property
    def now(self) -> Registrations:
        return self.unit.reservations.persistent


def registered(*hosts: Host) -> None:
    """They are registered with 1, 2, ..."""
    for key, host in enumerate(hosts, 1):
        assert host.order(IGNORE, 0, key) == Done()
