from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scsi.hosts import Host, House
from trioscsi.scsi import LogicalUnit, Nexus, Plan

NAME = "iqn.2026-11.example:disk"


@pytest.fixture
def nexus() -> Nexus:
    return Nexus("iqn.2026-11.example:host,i,0x400001370000", f"{NAME},t,0x0001")


@pytest.fixture
def unit() -> LogicalUnit:
    return LogicalUnit(0, target_name=NAME, block_size=512, blocks=1000, atomic=True)


@pytest.fixture
def ask(unit: LogicalUnit, nexus: Nexus) -> Callable[[str], Plan]:
    """The plan of ``unit`` for a CDB in hexadecimal, filled up to 16 bytes as on the wire."""

    def execute(cdb: str) -> Plan:
        return unit.execute(bytes.fromhex(cdb).ljust(16, b"\0"), nexus)

    return execute


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def a(house: House) -> Host:
    return house.host("a")


@pytest.fixture
def b(house: House) -> Host:
    return house.host("b")


@pytest.fixture
def c(house: House) -> Host:
    return house.host("c")
