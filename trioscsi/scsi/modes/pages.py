"""The mode pages of a disk (SPC-4 section 7.5; SBC-3 section 6; SBC-2 for those of geometry).

What can be changed is what something acts on; the comment beside it says what. All the rest
describes a disk that loses nothing, recovers nothing and has no mechanics. Every page is shared
by all I_T nexuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trioscsi.scsi.blocks.provisioning import is_thin
from trioscsi.scsi.layout import bits, span
from trioscsi.scsi.modes.page import (
    Key,
    ModePage,
    choice,
    fixed,
    mode_page,
    mode_subpage,
    number,
    switch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trioscsi.scsi.device import LogicalUnit

NO_REPORT, AS_ATTENTION, ON_REQUEST = 0, 2, 6
"""How informational exceptions are reported: not, by unit attention, to REQUEST SENSE (MRIE)."""

DECREASING, INCREASING = 0b000, 0b001
"""When a threshold is armed: while the resource decreases towards it, or increases."""
AVAILABLE, USED = 0x01, 0x02
"""The resources that thresholds are of, by the parameter codes of log page 0Ch."""

_SECTORS, _HEADS = 256, 128
_MOST_CYLINDERS = 0xFFFFFF


def geometry(unit: LogicalUnit) -> tuple[int, int, int]:
    """Cylinders, heads and sectors of a disk that has none.

    Solaris makes its label from them: none is zero, and together they are not more than there is.
    """
    heads = _HEADS if unit.blocks >= _HEADS * _SECTORS else 1
    sectors = min(unit.blocks, _SECTORS)
    return min(unit.blocks // (heads * sectors), _MOST_CYLINDERS), heads, sectors


def _has_cache(unit: LogicalUnit) -> bool:
    return unit.write_cache


READ_WRITE_ERROR_RECOVERY = mode_page(
    0x01,
    "Read-Write Error Recovery",
    12,
    awre=bits(2, 7),
    arre=bits(2, 6),
    tb=bits(2, 5),
    rc=bits(2, 4),
    eer=bits(2, 3),
    per=bits(2, 2),
    dte=bits(2, 1),
    dcr=bits(2, 0),
    read_retry_count=span(3),
    lbpere=bits(7, 7),
    write_retry_count=span(8),
    recovery_time_limit=span(10, 11),
)
DISCONNECT_RECONNECT = mode_page(
    0x02,
    "Disconnect-Reconnect",
    16,
    buffer_full_ratio=span(2),
    buffer_empty_ratio=span(3),
    bus_inactivity_limit=span(4, 5),
    disconnect_time_limit=span(6, 7),
    connect_time_limit=span(8, 9),
    maximum_burst_size=span(10, 11),  # no limits but those that each session negotiates
    emdp=bits(12, 7),
    fair_arbitration=bits(12, 6, 4),
    dimm=bits(12, 3),
    dtdc=bits(12, 2, 0),
    first_burst_size=span(14, 15),
)
# Obsolete since SBC-2 and SBC-3: only for initiators that ask for a geometry.
FORMAT_DEVICE = mode_page(
    0x03,
    "Format Device",
    24,
    tracks_per_zone=fixed(span(2, 3), lambda unit: geometry(unit)[1]),
    alternate_sectors_per_zone=span(4, 5),
    alternate_tracks_per_zone=span(6, 7),
    alternate_tracks_per_logical_unit=span(8, 9),
    sectors_per_track=fixed(span(10, 11), lambda unit: geometry(unit)[2]),
    data_bytes_per_physical_sector=fixed(span(12, 13), lambda unit: unit.block_size & 0xFFFF),
    interleave=fixed(span(14, 15), 1),
    track_skew_factor=span(16, 17),
    cylinder_skew_factor=span(18, 19),
    ssec=bits(20, 7),
    hsec=fixed(bits(20, 6), 1),
    rmb=bits(20, 5),
    surf=bits(20, 4),
)
RIGID_DISK_GEOMETRY = mode_page(
    0x04,
    "Rigid Disk Drive Geometry",
    24,
    number_of_cylinders=fixed(span(2, 4), lambda unit: geometry(unit)[0]),
    number_of_heads=fixed(span(5), lambda unit: geometry(unit)[1]),
    starting_cylinder_write_precompensation=span(6, 8),
    starting_cylinder_reduced_write_current=span(9, 11),
    device_step_rate=span(12, 13),
    landing_zone_cylinder=span(14, 16),
    rpl=bits(17, 1, 0),
    rotational_offset=span(18),
    medium_rotation_rate=span(20, 21),
)
VERIFY_ERROR_RECOVERY = mode_page(
    0x07,
    "Verify Error Recovery",
    12,
    eer=bits(2, 3),
    per=bits(2, 2),
    dte=bits(2, 1),
    dcr=bits(2, 0),
    verify_retry_count=span(3),
    verify_recovery_time_limit=span(10, 11),
)
CACHING = mode_page(
    0x08,
    "Caching",
    20,
    ic=bits(2, 7),
    abpf=bits(2, 6),
    cap=bits(2, 5),
    disc=bits(2, 4),
    size=bits(2, 3),
    # Off: whatever is written is durable before its command ends.
    wce=switch(bits(2, 2), default=lambda unit: int(unit.write_cache), where=_has_cache),
    mf=bits(2, 1),
    rcd=bits(2, 0),
    demand_read_retention_priority=bits(3, 7, 4),
    write_retention_priority=bits(3, 3, 0),
    disable_prefetch_transfer_length=span(4, 5),
    minimum_prefetch=span(6, 7),
    maximum_prefetch=span(8, 9),
    maximum_prefetch_ceiling=span(10, 11),
    fsw=bits(12, 7),
    lbcss=bits(12, 6),
    dra=bits(12, 5),
    nv_dis=bits(12, 0),
    number_of_cache_segments=span(13),
    cache_segment_size=span(14, 15),
)
CONTROL = mode_page(
    0x0A,
    "Control",
    12,
    tst=choice(bits(2, 7, 5), 0, 1),  # a task set for all nexuses, or one for each
    tmf_only=bits(2, 4),
    dpicz=bits(2, 3),
    d_sense=switch(bits(2, 2)),  # sense data in descriptor format
    gltsd=fixed(bits(2, 1), 1),  # log parameters are not saved
    rlec=bits(2, 0),
    queue_algorithm_modifier=fixed(bits(3, 7, 4), 1),  # reordered as storage answers
    nuar=bits(3, 3),
    qerr=choice(bits(3, 2, 1), 0, 1, 3),  # which commands a CHECK CONDITION aborts
    rac=bits(4, 6),
    ua_intlck_ctrl=choice(bits(4, 5, 4), 0, 2, 3),  # whether attentions are cleared when reported
    swp=switch(bits(4, 3)),  # writes are refused
    ato=bits(5, 7),
    tas=switch(bits(5, 6)),  # what others abort ends with TASK ABORTED status
    atmpe=bits(5, 5),
    rwwp=bits(5, 4),
    autoload_mode=bits(5, 2, 0),
    busy_timeout_period=fixed(span(8, 9), 0xFFFF),  # no task is busy for a time we could tell
    extended_self_test_completion_time=span(10, 11),
)
CONTROL_EXTENSION = mode_subpage(
    0x0A,
    0x01,
    "Control Extension",
    32,
    tcmos=fixed(bits(4, 2), 1),  # the clock of the machine is the device clock
    scsip=switch(bits(4, 1), default=1),  # whether SET TIMESTAMP is taken
    ialuae=fixed(bits(4, 0), 1),  # states change when we say so
    initial_command_priority=bits(5, 3, 0),
    maximum_sense_data_length=span(6),
)
POWER_CONDITION = mode_page(
    0x1A,
    "Power Condition",
    40,
    # There are no timers: only START STOP UNIT changes the power condition.
    pm_bg_precedence=bits(2, 7, 6),
    standby_y=bits(2, 0),
    idle_c=bits(3, 3),
    idle_b=bits(3, 2),
    idle_a=bits(3, 1),
    standby_z=bits(3, 0),
    idle_a_condition_timer=span(4, 7),
    standby_z_condition_timer=span(8, 11),
    idle_b_condition_timer=span(12, 15),
    idle_c_condition_timer=span(16, 19),
    standby_y_condition_timer=span(20, 23),
    ccf_idle=bits(39, 7, 6),
    ccf_standby=bits(39, 5, 4),
    ccf_stopped=bits(39, 3, 2),
)
INFORMATIONAL_EXCEPTIONS_CONTROL = mode_page(
    0x1C,
    "Informational Exceptions Control",
    12,
    perf=bits(2, 7),
    ebf=bits(2, 5),
    ewasc=bits(2, 4),
    dexcpt=switch(bits(2, 3)),  # no exception is reported, not even by a test
    test=switch(bits(2, 2)),  # reports a failure prediction that is none
    ebackerr=bits(2, 1),
    logerr=bits(2, 0),
    mrie=choice(bits(3, 3, 0), NO_REPORT, AS_ATTENTION, ON_REQUEST, default=ON_REQUEST),
    interval_timer=span(4, 7),
    report_count=span(8, 11),
)

LOGICAL_BLOCK_PROVISIONING = mode_subpage(
    0x1C,
    0x02,
    "Logical Block Provisioning",
    32,
    situa=bits(4, 0),
    # Two thresholds: of the room that is left, and of what the unit takes. All initiators are
    # told when one is reached.
    free_enabled=switch(bits(16, 7), where=is_thin),
    free_threshold_type=bits(16, 5, 3),
    free_threshold_arming=fixed(bits(16, 2, 0), DECREASING),
    free_threshold_resource=fixed(span(17), AVAILABLE),
    free_threshold_count=number(span(20, 23), where=is_thin),
    used_enabled=switch(bits(24, 7), where=is_thin),
    used_threshold_type=bits(24, 5, 3),
    used_threshold_arming=fixed(bits(24, 2, 0), INCREASING),
    used_threshold_resource=fixed(span(25), USED),
    used_threshold_count=number(span(28, 31), where=is_thin),
)

DISK_PAGES: Mapping[Key, ModePage] = {
    page.key: page
    for page in (
        READ_WRITE_ERROR_RECOVERY,
        DISCONNECT_RECONNECT,
        FORMAT_DEVICE,
        RIGID_DISK_GEOMETRY,
        VERIFY_ERROR_RECOVERY,
        CACHING,
        CONTROL,
        CONTROL_EXTENSION,
        POWER_CONDITION,
        INFORMATIONAL_EXCEPTIONS_CONTROL,
        LOGICAL_BLOCK_PROVISIONING,
    )
}
