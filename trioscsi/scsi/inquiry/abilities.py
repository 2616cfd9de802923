"""What a unit says of itself beside its names and its blocks (SPC-4 section 7.8; SPC-5).

These are the VPD pages 85h to 88h and 92h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.inquiry import identity
from trioscsi.scsi.inquiry.designation import PORT, SCSI_NAME, UTF8, designator, scsi_name
from trioscsi.scsi.layout import bits, layout, span

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus

# Offsets are those of the standards, whose tables start with the four bytes of the header.
EXTENDED_INQUIRY_PAGE = layout(
    64,
    activate_microcode=bits(4, 7, 6),
    spt=bits(4, 5, 3),
    grd_chk=bits(4, 2),
    app_chk=bits(4, 1),
    ref_chk=bits(4, 0),
    uask_sup=bits(5, 5),
    group_sup=bits(5, 4),
    prior_sup=bits(5, 3),
    headsup=bits(5, 2),
    ordsup=bits(5, 1),
    simpsup=bits(5, 0),
    wu_sup=bits(6, 3),
    crd_sup=bits(6, 2),
    nv_sup=bits(6, 1),
    v_sup=bits(6, 0),
    p_i_i_sup=bits(7, 4),
    luiclr=bits(7, 0),
    r_sup=bits(8, 4),
    rtd_sup=bits(8, 3),
    hssrelef=bits(8, 1),
    cbcs=bits(8, 0),
    multi_i_t_nexus_microcode_download=bits(9, 3, 0),
    extended_self_test_completion_minutes=span(10, 11),
    poa_sup=bits(12, 7),
    hra_sup=bits(12, 6),
    vsa_sup=bits(12, 5),
    maximum_supported_sense_data_length=span(13),
)
MODE_PAGE_POLICY = layout(
    4,
    policy_page_code=bits(0, 5, 0),
    policy_subpage_code=span(1),
    mlus=bits(2, 7),
    mode_page_policy=bits(2, 1, 0),
)
# Of a port that only initiates there is none: the length of its name is zero.
PORT_DESCRIPTOR = layout(
    12,
    relative_port_identifier=span(2, 3),
    initiator_port_transport_id_length=span(6, 7),
    target_port_descriptors_length=span(10, 11),
)

_HEADER = 4
_ALL_PAGES, _ALL_SUBPAGES = 0x3F, 0xFF
_SHARED = 0b00
_DISCOVERY_2016 = 0x0001
"""The feature set of SPC-5: a unit can be found and asked what it is."""


def management_network_addresses(_unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """Management Network Addresses: a disk is not managed over the network."""
    return b""


def extended_inquiry(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """Extended INQUIRY Data: task attributes are honoured, there is no protection information.

    Whoever has read the list of LUNs needs no attention about it, at any of them (LUICLR).
    """
    page = EXTENDED_INQUIRY_PAGE.encode(
        uask_sup=1,
        headsup=1,
        ordsup=1,
        simpsup=1,
        v_sup=unit.write_cache,
        luiclr=1,
        r_sup=1,
        rtd_sup=1,
    )
    return page[_HEADER:]


def mode_page_policy(_unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """Mode Page Policy: one set of values for all."""
    return MODE_PAGE_POLICY.encode(
        policy_page_code=_ALL_PAGES, policy_subpage_code=_ALL_SUBPAGES, mode_page_policy=_SHARED
    )


def scsi_ports(unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """SCSI Ports: all of the target's, whichever the initiator came through."""
    return b"".join(
        _port(unit.target_name, number) for group in unit.port_groups for number in group.ports
    )


def _port(target_name: str, number: int) -> bytes:
    name = scsi_name(identity.target_port(target_name, number))
    descriptors = designator(PORT, SCSI_NAME, UTF8, name)
    head = PORT_DESCRIPTOR.encode(
        relative_port_identifier=number, target_port_descriptors_length=len(descriptors)
    )
    return head + descriptors


def feature_sets(_unit: LogicalUnit, _nexus: Nexus) -> bytes:
    """SCSI Feature Sets, of which only that is claimed which asks for nothing else."""
    return bytes(4) + _DISCOVERY_2016.to_bytes(2, "big")
