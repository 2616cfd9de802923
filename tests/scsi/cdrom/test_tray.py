from __future__ import annotations

import pytest

from trioscsi.scsi import (
    AdditionalSense,
    CdRom,
    Done,
    Failed,
    Nexus,
    Plan,
    Read,
    Reply,
    ScsiTarget,
)
from trioscsi.scsi.cdrom.tray import NO_MEDIUM, REMOVAL_PREVENTED
from trioscsi.scsi.complaints import invalid_field

NAME = "iqn.2026-11.example:disk"
READY, EJECT, LOAD = "00", "1b 00 0000 02 00", "1b 00 0000 03 00"
PREVENT, ALLOW = "1e 00 0000 01 00", "1e 00 0000 00 00"
EVENT = "4a 01 0000 10 0000 0008 00"
CHANGED = AdditionalSense.NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED


@pytest.fixture
def target(nexus: Nexus) -> ScsiTarget:
    target = ScsiTarget(
        NAME, [CdRom(0, target_name=NAME, block_size=2048, blocks=1000, read_only=True)]
    )
    attach(target, nexus)
    return target


def attach(target: ScsiTarget, nexus: Nexus) -> Nexus:
    target.attach(nexus)
    nexus.pending.clear()
    return nexus


def ask(target: ScsiTarget, nexus: Nexus, cdb: str) -> Plan:
    return target.execute(0, bytes.fromhex(cdb).ljust(16, b"\0"), nexus)


def event(target: ScsiTarget, nexus: Nexus) -> str:
    plan = ask(target, nexus, EVENT)
    assert isinstance(plan, Reply)
    assert plan.data[:4] == bytes.fromhex("0004 04 10")
    return plan.data[4:].hex()


def test_without_its_medium_it_is_not_ready(target: ScsiTarget, nexus: Nexus) -> None:
    assert ask(target, nexus, EJECT) == ask(target, nexus, EJECT) == Done()
    for cdb in (READY, "25", "28 00 00000000 00 0001 00", "43", "51"):
        assert ask(target, nexus, cdb) == Failed(NO_MEDIUM)
    assert isinstance(ask(target, nexus, "12 00 00 0060 00"), Reply)
    assert ask(target, nexus, "03 00 0000 fc 00") == Reply(NO_MEDIUM.encode())


def test_a_medium_that_is_back_is_news_to_the_others(target: ScsiTarget, nexus: Nexus) -> None:
    other = attach(target, Nexus("other", "port"))
    ask(target, nexus, EJECT)
    assert ask(target, nexus, LOAD) == ask(target, nexus, LOAD) == Done()
    assert nexus.pending == {}
    assert other.pending == {0: [CHANGED]}
    assert ask(target, nexus, READY) == Done()
    assert ask(target, nexus, "28 00 00000000 00 0001 00") == Read(0, 1, fua=False)


def test_a_medium_whose_removal_is_prevented_stays(target: ScsiTarget, nexus: Nexus) -> None:
    other = attach(target, Nexus("other", "port"))
    assert ask(target, other, PREVENT) == Done()
    assert ask(target, nexus, EJECT) == Failed(REMOVAL_PREVENTED)
    assert ask(target, nexus, READY) == Done()
    target.detach(other)
    assert ask(target, nexus, EJECT) == Done()


@pytest.mark.parametrize("cdb", ["1b 00 0000 00 00", "1b 00 0000 01 00", "1b 00 0000 22 00"])
def test_a_disc_that_is_stopped_can_be_read(target: ScsiTarget, nexus: Nexus, cdb: str) -> None:
    assert ask(target, nexus, cdb) == Done()
    assert ask(target, nexus, READY) == Done()


def test_what_happened_to_the_medium_is_told_once(target: ScsiTarget, nexus: Nexus) -> None:
    other = attach(target, Nexus("other", "port"))
    assert event(target, nexus) == "00020000"
    ask(target, nexus, EJECT)
    assert [event(target, nexus), event(target, nexus)] == ["03010000", "00010000"]
    ask(target, nexus, LOAD)
    assert [event(target, nexus), event(target, nexus)] == ["02020000", "00020000"]
    assert [event(target, other), event(target, other)] == ["02020000", "00020000"]


def test_events_are_asked_for_and_only_those_of_the_medium(
    target: ScsiTarget, nexus: Nexus
) -> None:
    assert ask(target, nexus, "4a 00 0000 10 0000 0008 00") == Failed(invalid_field(1, 0))
    assert ask(target, nexus, "4a 01 0000 02 0000 0008 00") == Reply(bytes.fromhex("0000 80 10"))
    assert ask(target, nexus, "4a 01 0000 10 0000 0002 00") == Reply(bytes.fromhex("0004"))


def test_asking_for_events_reports_no_attention(target: ScsiTarget) -> None:
    nexus = Nexus("new", "port")
    target.attach(nexus)
    assert isinstance(ask(target, nexus, EVENT), Reply)
    assert nexus.pending
