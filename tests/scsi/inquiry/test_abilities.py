from __future__ import annotations

import pytest

from trioscsi.scsi import AccessState, LogicalUnit, Nexus, ScsiTarget
from trioscsi.scsi.inquiry import abilities
from trioscsi.scsi.inquiry.abilities import EXTENDED_INQUIRY_PAGE, PORT_DESCRIPTOR
from trioscsi.scsi.inquiry.designation import DESIGNATOR

NAME = "iqn.2026-11.example:disk"


@pytest.mark.parametrize("write_cache", [False, True])
def test_the_extended_inquiry_data_say_what_is_so_and_no_more(
    nexus: Nexus, write_cache: bool
) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1, write_cache=write_cache)
    content = abilities.extended_inquiry(unit, nexus)
    assert len(content) == 60
    fields = EXTENDED_INQUIRY_PAGE.decode(bytes(4) + content)
    cache = {"v_sup"} if write_cache else set()
    assert {name for name, value in fields.items() if value} == {
        *("uask_sup", "headsup", "ordsup", "simpsup", "luiclr", "r_sup", "rtd_sup"),
        *cache,
    }


def test_all_mode_pages_are_shared(unit: LogicalUnit, nexus: Nexus) -> None:
    assert abilities.mode_page_policy(unit, nexus).hex() == "3fff0000"


def test_no_management_has_an_address(unit: LogicalUnit, nexus: Nexus) -> None:
    assert abilities.management_network_addresses(unit, nexus) == b""


def test_a_unit_can_be_discovered(unit: LogicalUnit, nexus: Nexus) -> None:
    assert abilities.feature_sets(unit, nexus).hex() == "000000000001"


def test_the_ports_are_those_of_all_groups_by_their_names(nexus: Nexus) -> None:
    unit = LogicalUnit(0, target_name=NAME, blocks=1)
    active = AccessState.ACTIVE_OPTIMIZED
    ScsiTarget(NAME, [unit], port_groups={1: active, 258: active})
    rest, ports = abilities.scsi_ports(unit, nexus), {}
    while rest:
        fields = PORT_DESCRIPTOR.decode(rest)
        assert fields["initiator_port_transport_id_length"] == 0
        end = 12 + fields["target_port_descriptors_length"]
        head, name = DESIGNATOR.decode(rest[12:]), rest[16:end]
        assert (head["association"], head["designator_type"], head["piv"]) == (1, 8, 1)
        assert head["designator_length"] == len(name)
        ports[fields["relative_port_identifier"]] = name.rstrip(b"\0").decode()
        rest = rest[end:]
    assert ports == {1: f"{NAME},t,0x0001", 258: f"{NAME},t,0x0102"}
