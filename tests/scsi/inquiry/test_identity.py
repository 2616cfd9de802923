from __future__ import annotations

from trioscsi.scsi.inquiry import identity

NAME = "iqn.2026-11.example:disk"


def test_a_name_is_the_same_after_every_restart() -> None:
    assert identity.naa(NAME, 0).hex() == "3d1662baf59d72ad"
    assert identity.serial_number(NAME, 0) == "d1662baf59d72ad"


def test_targets_and_luns_tell_units_apart() -> None:
    names = {identity.naa(name, lun) for name in (NAME, NAME + "2") for lun in range(100)}
    assert len(names) == 200


def test_the_designator_is_locally_assigned() -> None:
    assert {identity.naa(NAME, lun)[0] >> 4 for lun in range(100)} == {3}


def test_a_port_is_called_by_its_portal_group() -> None:
    assert identity.target_port(NAME, 258) == f"{NAME},t,0x0102"
