"""The tray of a CD-ROM: START STOP UNIT and GET EVENT STATUS NOTIFICATION (MMC-6 section 6)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from trioscsi.scsi.cdb import Cdb, cdb_layout
from trioscsi.scsi.command import Access, Command, Concern, decoded
from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.plan import Done, Failed, Reply
from trioscsi.scsi.power import START_STOP_UNIT
from trioscsi.scsi.sense import AdditionalSense, Sense, SenseKey

if TYPE_CHECKING:
    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan

REMOVAL_PREVENTED = Sense(SenseKey.ILLEGAL_REQUEST, AdditionalSense.MEDIUM_REMOVAL_PREVENTED)
NO_MEDIUM = Sense(SenseKey.NOT_READY, AdditionalSense.MEDIUM_NOT_PRESENT_TRAY_OPEN)


class MediaEvent(enum.IntEnum):
    """What has happened to the medium (MMC-6 table of media event codes)."""

    NO_CHANGE = 0x0
    NEW_MEDIA = 0x2
    MEDIA_REMOVAL = 0x3


@attrs.define
class Tray:
    """Whether the tray is open, and which nexuses have not asked what happened to the medium."""

    open: bool = False
    _events: WeakKeyDictionary[Nexus, MediaEvent] = attrs.field(factory=WeakKeyDictionary)
    _latest: MediaEvent = MediaEvent.NO_CHANGE

    def move(self, *, out: bool) -> None:
        """The tray opens, or closes."""
        self.open = out
        self._latest = MediaEvent.MEDIA_REMOVAL if out else MediaEvent.NEW_MEDIA
        self._events.clear()

    def event(self, nexus: Nexus) -> MediaEvent:
        """The latest event, once for each nexus."""
        told = self._events.get(nexus, MediaEvent.NO_CHANGE)
        self._events[nexus] = self._latest
        return MediaEvent.NO_CHANGE if told is self._latest else self._latest


@decoded
def start_stop_unit(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """START STOP UNIT; a disc that stands still turns again for whoever reads it."""
    if not cdb["power_condition"] and cdb["loej"]:
        return load(unit, nexus) if cdb["start"] else eject(unit)
    return Done()


def eject(unit: LogicalUnit) -> Plan:
    """Open the tray, unless somebody prevents it."""
    if unit.tray.open:
        return Done()
    if unit.removal.prevented:
        return Failed(REMOVAL_PREVENTED)
    unit.tray.move(out=True)
    unit.guard(Concern.MEDIUM, _no_medium)
    return Done()


def load(unit: LogicalUnit, nexus: Nexus) -> Plan:
    """Close the tray; the disc in it is the one that was there, but the others cannot know."""
    if unit.tray.open:
        unit.tray.move(out=False)
        unit.guard(Concern.MEDIUM, None)
        changed = AdditionalSense.NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED
        unit.announce(changed, but_not_to=nexus)
    return Done()


def _no_medium(_unit: LogicalUnit, command: Command, _cdb: Bytes, _nexus: Nexus) -> Plan | None:
    return Failed(NO_MEDIUM) if command.medium else None


EVENT_HEADER = layout(
    4,
    event_data_length=span(0, 1),
    nea=bits(2, 7),
    notification_class=bits(2, 2, 0),
    supported_event_classes=span(3),
)
MEDIA_EVENT = layout(4, event_code=bits(0, 3, 0), media_present=bits(1, 1), tray_open=bits(1, 0))
_MEDIA_CLASS = 4


@decoded
def get_event_status_notification(unit: LogicalUnit, cdb: Cdb, nexus: Nexus) -> Plan:
    """GET EVENT STATUS NOTIFICATION; only of the medium, and only for those who ask again."""
    if not cdb["polled"]:
        raise cdb.refusal("polled")
    supported = 1 << _MEDIA_CLASS
    if cdb["notification_class_request"] & supported:
        event = MEDIA_EVENT.encode(
            event_code=unit.tray.event(nexus),
            media_present=not unit.tray.open,
            tray_open=unit.tray.open,
        )
        data = EVENT_HEADER.encode(
            event_data_length=len(event),
            notification_class=_MEDIA_CLASS,
            supported_event_classes=supported,
        )
    else:
        event = b""
        data = EVENT_HEADER.encode(nea=1, supported_event_classes=supported)
    return Reply((data + event)[: cdb["allocation_length"]])


COMMANDS = (
    Command(
        0x1B,
        "START STOP UNIT",
        START_STOP_UNIT,
        start_stop_unit,
        access=Access.READ,
    ),
    Command(
        0x4A,
        "GET EVENT STATUS NOTIFICATION",
        cdb_layout(
            10,
            polled=bits(1, 0),
            notification_class_request=span(4),
            allocation_length=span(7, 8),
        ),
        get_event_status_notification,
        attention=False,
        access=Access.ALWAYS,
    ),
)
