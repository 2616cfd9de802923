"""A logical unit: a CDB in, a plan out (SAM-5). ``target`` holds all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import attrs

from trioscsi import lun
from trioscsi.errors import UsageError
from trioscsi.scsi.blocks.thresholds import Thresholds
from trioscsi.scsi.cdb import WIRE_LENGTH, whole
from trioscsi.scsi.cdrom.tray import Tray
from trioscsi.scsi.command import GUARDED, Concern
from trioscsi.scsi.complaints import out_of_range
from trioscsi.scsi.copy.operation import Operations
from trioscsi.scsi.copy.token import Tokens
from trioscsi.scsi.disk import DISK
from trioscsi.scsi.identifying import NAME as IDENTIFYING
from trioscsi.scsi.identifying import Identifying
from trioscsi.scsi.inquiry import identity, vpd
from trioscsi.scsi.logs.counters import Counters
from trioscsi.scsi.logs.page import Log
from trioscsi.scsi.modes.pages import DISK_PAGES
from trioscsi.scsi.modes.state import Modes
from trioscsi.scsi.plan import Failed, Refusal, Status
from trioscsi.scsi.ports import PortGroups
from trioscsi.scsi.power import PowerCondition, not_ready, wake
from trioscsi.scsi.removal import Removal
from trioscsi.scsi.reservations.state import Reservations
from trioscsi.scsi.sense import AdditionalSense
from trioscsi.scsi.timestamp import Timestamp
from trioscsi.scsi.upkeep import overhaul
from trioscsi.scsi.upkeep.buffers import Buffers
from trioscsi.scsi.upkeep.diagnostics import Diagnostics
from trioscsi.scsi.upkeep.history import History
from trioscsi.scsi.upkeep.self_test import SelfTests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from trioscsi.scsi.cdb import Bytes
    from trioscsi.scsi.command import CommandSet, Guard, Perform
    from trioscsi.scsi.modes.page import Key, ModePage
    from trioscsi.scsi.nexus import Nexus
    from trioscsi.scsi.plan import Plan
    from trioscsi.scsi.sense import Sense


_ESTABLISH = 3
"""UA_INTLCK_CTRL: a status that keeps commands from being performed is told of once more."""
_PREVIOUS = {
    Status.BUSY: AdditionalSense.PREVIOUS_BUSY_STATUS,
    Status.TASK_SET_FULL: AdditionalSense.PREVIOUS_TASK_SET_FULL_STATUS,
    Status.RESERVATION_CONFLICT: AdditionalSense.PREVIOUS_RESERVATION_CONFLICT_STATUS,
}


def _whole(attribute: attrs.Attribute[int], value: object) -> None:
    # A quotient is none, even if it is 8.0: somewhere it will be taken for bytes.
    if not isinstance(value, int):
        raise UsageError(f"{attribute.name} is a whole number, not {value!r}")


def _within(low: int, high: int) -> Callable[[object, attrs.Attribute[int], int], None]:
    def check(_unit: object, attribute: attrs.Attribute[int], value: int) -> None:
        _whole(attribute, value)
        if not low <= value <= high:
            raise UsageError(f"{attribute.name} is from {low} to {high}, not {value}")

    return check


def _power_of_two(_unit: object, attribute: attrs.Attribute[int], value: int) -> None:
    _whole(attribute, value)
    if not 512 <= value <= 65_536 or value.bit_count() != 1:
        raise UsageError(f"{attribute.name} is a power of two from 512 to 65536, not {value}")


def _protect(unit: LogicalUnit, _attribute: attrs.Attribute[bool], read_only: bool) -> bool:
    """Writes look at one attribute: it follows this one and the software write protection."""
    unit.write_protected = read_only or bool(unit.modes.swp)
    return read_only


def _ascii(limit: int) -> Callable[[object, attrs.Attribute[str], str], None]:
    def check(_unit: object, attribute: attrs.Attribute[str], value: str) -> None:
        if len(value) > limit or not value.isascii() or not value.isprintable():
            raise UsageError(f"{attribute.name} is {limit} printable ASCII characters at most")

    return check


class Keepsake(Protocol):
    """Something of a unit that outlives a restart."""

    def restore(self, data: bytes) -> None:
        """Be as when ``data`` was saved; raises ValueError if that cannot be read."""


class Announce(Protocol):
    """Lets the nexuses of a unit's target know."""

    def __call__(self, code: AdditionalSense, *, but_not_to: Nexus | None = None) -> None:
        """Establish a unit attention of the unit for all nexuses, or all but one."""


def to_nobody(code: AdditionalSense, *, but_not_to: Nexus | None = None) -> None:
    """A unit that belongs to no target has nobody to tell."""


@attrs.define(eq=False, kw_only=True)
class LogicalUnit:
    """A disk of ``blocks`` logical blocks of ``block_size`` bytes.

    ``physical_block_size`` is what storage writes at once, ``maximum_transfer`` bounds the data of
    one command, and ``maximum_same`` what one WRITE SAME writes; all in bytes. ``write_cache`` says
    that a write may be lost until it is flushed, ``keeps_state`` that `Storage.save` is possible,
    ``registrations_by_name`` that registrations know initiators by their names alone.
    ``clock`` tells the time in seconds, from any start, ``time`` in seconds since 1970; ``random``
    gives so many bytes that nobody can guess. The NAA designator, and ``serial`` if it is not
    given, follow from the target name and the LUN. ``thin`` says that blocks need no storage before
    they are written, and that those which have none are zeroes; ``granularity`` are the bytes that
    storage gives back at once (0: not known), ``maximum_unmap`` and ``maximum_unmap_descriptors``
    bound one UNMAP, in bytes and in descriptors. ``overhaul_rate`` are the bytes a second that work
    on all blocks may write, of all units together (None: no bound). ``atomic`` says that storage
    can write all blocks of a command or none.

    Raises UsageError for what no disk can be.
    """

    number: int = attrs.field(kw_only=False, validator=_within(0, lun.MAXIMUM))
    target_name: str
    block_size: int = attrs.field(default=512, validator=_power_of_two)
    blocks: int = attrs.field(validator=_within(1, 2**64 - 1))
    read_only: bool = attrs.field(default=False, on_setattr=_protect)
    physical_block_size: int = attrs.field(
        default=attrs.Factory(lambda unit: unit.block_size, takes_self=True),
        validator=_power_of_two,
    )
    write_cache: bool = True
    thin: bool = False
    atomic: bool = False
    granularity: int = 0
    maximum_unmap: int = attrs.field(default=2**29, validator=_within(65_536, 2**41 - 1))
    maximum_unmap_descriptors: int = attrs.field(default=256, validator=_within(1, 4095))
    serial: str = attrs.field(
        default=attrs.Factory(
            lambda unit: identity.serial_number(unit.target_name, unit.number), takes_self=True
        ),
        validator=_ascii(200),
    )
    vendor: str = attrs.field(default="TRIOSCSI", validator=_ascii(8))
    product: str = attrs.field(
        default=attrs.Factory(lambda unit: unit.product_name, takes_self=True),
        validator=_ascii(16),
    )
    revision: str = attrs.field(default="1", validator=_ascii(4))
    maximum_transfer: int = attrs.field(default=16 * 2**20, validator=_within(65_536, 2**32))
    maximum_same: int = attrs.field(default=2**30, validator=_within(65_536, 2**63))
    overhaul_rate: int | None = None
    keeps_state: bool = False
    registrations_by_name: bool = False
    maximum_registrations: int = attrs.field(default=1024, validator=_within(1, 65_536))
    clock: Callable[[], float] = attrs.field(default=lambda: 0.0, repr=False)
    time: Callable[[], float] = attrs.field(default=lambda: 0.0, repr=False)
    random: Callable[[int], bytes] = attrs.field(default=bytes, repr=False)

    commands: ClassVar[CommandSet] = DISK
    mode_pages: ClassVar[Mapping[Key, ModePage]] = DISK_PAGES
    vpd_pages: ClassVar[Mapping[int, vpd.Page]] = vpd.PAGES
    product_name: ClassVar[str] = "VIRTUAL DISK"
    device_type: ClassVar[int] = vpd.DIRECT_ACCESS
    """The peripheral device type (SPC-4 section 6.6)."""
    removable: ClassVar[bool] = False
    """Whether its medium can be taken out."""
    command_standard: ClassVar[int] = 0x04C0
    """The version descriptor of the standard of its commands: SBC-3."""
    modes: Modes = attrs.field(init=False, repr=False)
    """The mode parameters."""
    write_protected: bool = attrs.field(init=False)
    """Whether writes are refused, as the disk is read-only or software said so (SWP)."""
    maximum_blocks: int = attrs.field(init=False)
    """The blocks of one command at most: a whole number of physical blocks."""
    fellows: Mapping[int, LogicalUnit] = attrs.field(init=False, repr=False)
    """All units of the target by LUN, this one too; it is the target that says."""
    copies: Operations = attrs.field(factory=Operations, init=False, repr=False)
    """What third-party copies this unit has been told to make."""
    tokens: Tokens = attrs.field(factory=Tokens, init=False, repr=False)
    """What was made to stand for blocks of this unit."""
    announce: Announce = attrs.field(default=to_nobody, init=False, repr=False)
    """Tells others what a command changed; it is the target that does."""
    port_groups: PortGroups = attrs.field(factory=PortGroups, init=False, repr=False)
    """The target port groups of the target."""
    counters: Counters = attrs.field(factory=Counters, init=False, repr=False)
    """What commands have done since the unit was made."""
    log: Log = attrs.field(factory=Log, init=False, repr=False)
    """What of that the log pages leave out."""
    history: History = attrs.field(factory=History, init=False, repr=False)
    """What storage failed."""
    buffers: Buffers = attrs.field(factory=Buffers, init=False, repr=False)
    diagnostics: Diagnostics = attrs.field(factory=Diagnostics, init=False, repr=False)
    self_tests: SelfTests = attrs.field(factory=SelfTests, init=False, repr=False)
    thresholds: Thresholds = attrs.field(init=False, repr=False)
    """How much room may be taken before initiators are told."""
    medium: overhaul.Medium = attrs.field(init=False, repr=False)
    """What is being done to all of it, or has failed."""
    removal: Removal = attrs.field(factory=Removal, init=False, repr=False)
    tray: Tray = attrs.field(factory=Tray, init=False, repr=False)
    """Where the medium is, if it can be taken out."""
    powered_on: float = attrs.field(init=False, repr=False)
    """When the unit was made, by its clock."""
    timestamp: Timestamp = attrs.field(init=False, repr=False)
    identifying: Identifying = attrs.field(factory=Identifying, init=False, repr=False)
    nexuses: Collection[Nexus] = attrs.field(default=(), init=False, repr=False)
    """Who talks to the target now; it is the target that says."""
    reservations: Reservations = attrs.field(init=False, repr=False)
    """Who may use the unit."""
    keepsakes: dict[str, Keepsake] = attrs.field(factory=dict, init=False, repr=False)
    """What a restart finds again, by the names under which it is saved."""
    _power: PowerCondition = attrs.field(default=PowerCondition.ACTIVE, init=False)
    _guards: dict[Concern, Guard] = attrs.field(factory=dict, init=False, repr=False)
    _run: list[Perform] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.physical_block_size < self.block_size:
            raise UsageError("physical_block_size is at least block_size")
        physical = self.maximum_transfer // self.physical_block_size
        self.maximum_blocks = physical * self.blocks_per_physical_block
        self.fellows = {self.number: self}
        self.powered_on = self.clock()
        self._run = self.commands.table
        self.keepsakes["log"] = self.log
        self.timestamp = Timestamp(self)
        self.keepsakes[IDENTIFYING] = self.identifying
        self.reservations = Reservations(self, self.registrations_by_name)
        self.keepsakes[self.reservations.name] = self.reservations
        self.medium = self.keepsakes[overhaul.KEEPSAKE] = overhaul.Medium(self)
        self.modes = self.keepsakes["modes"] = Modes(self, self.mode_pages)
        self.modes.watch(self._follow_modes)
        self.thresholds = Thresholds(self)

    def _follow_modes(self) -> None:
        self.write_protected = self.read_only or bool(self.modes.swp)

    def execute(self, cdb: Bytes, nexus: Nexus) -> Plan:
        """The plan for one command; it never raises, whatever the bytes."""
        try:
            if len(cdb) < WIRE_LENGTH:
                cdb = whole(cdb)
            opcode = cdb[0]
            if nexus.pending and opcode not in self.commands.exempt:
                attention = self._report(nexus)
                if attention is not None:
                    return Failed(attention)
            return self._run[opcode](self, cdb, nexus)
        except Refusal as refusal:
            return refusal.plan

    def _report(self, nexus: Nexus) -> Sense | None:
        """What a nexus has to hear of before anything else, and hears of again if the mode page
        says so (UA_INTLCK_CTRL), until REQUEST SENSE has asked for it.
        """
        first = nexus.first(self.number)
        stays = self.modes.ua_intlck_ctrl and first is not None and not first.deferred
        return first if stays else nexus.take(self.number)

    def refused(self, status: Status, nexus: Nexus) -> None:
        """A command got a status without sense data, which may be worth a unit attention."""
        previous = _PREVIOUS.get(status)
        if self.modes.ua_intlck_ctrl != _ESTABLISH or previous is None:
            return
        pending = nexus.pending.get(self.number, ())
        if not any(code in pending for code in _PREVIOUS.values()):
            nexus.establish(self.number, previous)

    def restore(self, name: str, data: bytes) -> None:
        """Take back what was saved before a restart; raises UsageError if it cannot be read."""
        keepsake = self.keepsakes.get(name)
        try:
            if keepsake is None:
                raise ValueError("nothing of this name is ever saved")
            keepsake.restore(data)
        except ValueError as error:
            raise UsageError(f"LUN {self.number}: the {name} that were saved: {error}") from None

    def lose(self, name: str) -> bool:
        """What was saved under this name is lost; False if the unit cannot go on without it."""
        if name != self.reservations.name:
            return False
        self.reservations.lose()
        return True

    def reset(self) -> None:
        """Be as after power on, but for what outlives that (SAM-5 section 6.3.3)."""
        self.stopped = False
        self.modes.reset()
        self.self_tests.abort()
        self.reservations.reset()
        for each in (self.history, self.buffers, self.diagnostics, self.removal, self.copies):
            each.reset()

    def forget(self, nexus: Nexus) -> None:
        """A nexus has ended: nothing is held for it any more (SAM-5 section 6.3.4)."""
        self.reservations.release(nexus)
        for each in (self.history, self.buffers, self.diagnostics, self.removal, self.copies):
            each.forget(nexus)

    def storage_failed(self, plan: Plan, sense: Sense) -> None:
        """Remember that storage failed a plan, and what its initiator was told."""
        self.counters.failed(plan)
        lba = getattr(plan, "lba", None)
        where = "" if lba is None else f" at block {lba}"
        error = f"{type(plan).__name__}{where}: {sense.describe()}"
        self.history.add(self.clock() - self.powered_on, error)

    @property
    def luns(self) -> Collection[int]:
        """All LUNs of the target."""
        return self.fellows.keys()

    @property
    def blocks_per_physical_block(self) -> int:
        """How many logical blocks storage writes at once."""
        return self.physical_block_size // self.block_size

    @property
    def maximum_same_blocks(self) -> int:
        """The blocks of one WRITE SAME at most: what every length of the command can say.

        Where it is more, libiscsi's suite wants WRITE to take as many in one command too.
        """
        return min(self.maximum_same // self.block_size, 0xFFFF)

    @property
    def maximum_atomic_blocks(self) -> int:
        """The blocks of one WRITE ATOMIC at most; 0 if there is none."""
        return min(0xFFFF, self.maximum_blocks) if self.atomic else 0

    @property
    def maximum_compared_blocks(self) -> int:
        """The blocks of one COMPARE AND WRITE at most, whose data are twice as many."""
        return min(0xFF, self.maximum_blocks // 2)

    @property
    def threshold_exponent(self) -> int:
        """Room is counted in sets of 2**this blocks: a MiB, or more if 32 bits need it."""
        megabyte = 2**20 // self.block_size
        return max(megabyte.bit_length() - 1, self.blocks.bit_length() - 32)

    @property
    def guards(self) -> Collection[Guard]:
        """What looks at each command before it is performed, in this order."""
        return self._guards.values()

    def guard(self, concern: Concern, guard: Guard | None) -> None:
        """Let ``guard`` look at each command from now on; None lets commands pass again.

        A unit without guards asks nothing of a command: that is the path of nearly all of them.
        """
        guards = {**self._guards, concern: guard}
        self._guards = {each: found for each in Concern if (found := guards.get(each)) is not None}
        self._run = GUARDED if self._guards else self.commands.table

    @property
    def stopped(self) -> bool:
        """Whether the unit waits for START STOP UNIT to start it (SBC-3 section 5.25)."""
        return self._power is PowerCondition.STOPPED

    @stopped.setter
    def stopped(self, stopped: bool) -> None:
        self.power = PowerCondition.STOPPED if stopped else PowerCondition.ACTIVE

    @property
    def power(self) -> PowerCondition:
        """The power condition (SPC-4 section 5.13)."""
        return self._power

    @power.setter
    def power(self, power: PowerCondition) -> None:
        self._power = power
        self.guard(Concern.STOPPED, not_ready if power is PowerCondition.STOPPED else None)
        self.guard(Concern.LOW_POWER, wake if power.low else None)

    def check_lba(self, lba: int, blocks: int) -> None:
        """Raise Refusal if the blocks, or the first of none, are not all on the medium."""
        if lba + (blocks or 1) > self.blocks:
            raise Refusal(out_of_range(max(lba, self.blocks)))
