from __future__ import annotations

import pytest

from trioscsi.scsi import LogicalUnit
from trioscsi.scsi.inquiry import designation, identity
from trioscsi.scsi.inquiry.designation import DESIGNATOR, designator, designators, target_designator

NAME = "iqn.2026-11.example:disk"


def test_a_designator_has_its_kind_and_its_length_before_it() -> None:
    found = designator(designation.UNIT, designation.NAA, designation.BINARY, b"12345678")
    assert found == bytes.fromhex("01 03 00 08") + b"12345678"


def test_names_of_ports_and_targets_say_that_they_are_iscsi() -> None:
    for association in (designation.PORT, designation.DEVICE):
        head = DESIGNATOR.decode(designator(association, designation.SCSI_NAME, 3, b""))
        assert (head["piv"], head["protocol_identifier"]) == (1, 5)


def test_a_unit_is_named_by_its_naa_first(unit: LogicalUnit) -> None:
    naa, t10 = designators(unit)
    assert naa[4:] == identity.naa(NAME, 0)
    assert t10[4:].decode() == f"TRIOSCSIVIRTUAL DISK    {unit.serial}"


def test_a_target_has_its_iscsi_name(unit: LogicalUnit) -> None:
    assert target_designator(unit)[4:] == NAME.encode().ljust(28, b"\0")


@pytest.mark.parametrize("length", [1, 3, 4, 223, 400])
def test_a_scsi_name_ends_with_a_null_and_fills_whole_words(length: int) -> None:
    name = designation.scsi_name("n" * length)
    assert name.endswith(b"\0")
    assert len(name) % 4 == 0
    assert len(name) <= 252
