"""What every PDU looks like, whoever sends it (RFC 7143 sections 11.1, 11.2 and 13.1)."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.stream import Closed, Undecipherable
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import (
    BHS_LENGTH,
    CLASSES,
    BadDigest,
    LogoutResponse,
    Malformed,
    Pdu,
    ReadyToTransfer,
    ScsiCommand,
    TaskManagementResponse,
    UnknownPdu,
    from_initiator,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.text import Side

MONITORS = Monitors()
watch = MONITORS.watch

RESERVED_ZERO = Rule("7143-11-1")
OWN_OPCODES = Rule("7143-11.2.1.2-1")
KNOWN_OPCODES = Rule("7143-11.2.1.2-2")
WITHIN_MAXIMUM = Rule("7143-11.7.1-1")
PADDED = Rule("7143-11.2-1")
PADDED_WITH_ZERO = Rule("7143-11.2-2", Level.SHOULD)
DIGESTS = Rule("7143-13.1-1")
NO_STRAY_DATA = Rule("7143-11.2.1.6-1")
NO_STRAY_AHS = Rule("7143-11.2.1.5-1")
NO_AHS_IN_RESPONSES = Rule("7143-11.2.1.5-2")
BARE_R2T = Rule("7143-11.8.1-1")
BARE_FUNCTION = Rule("7143-11.6.2-1")
BARE_LOGOUT = Rule("7143-11.15.2-1")
AHS_FORM = Rule("7143-11.2.2-1")
LONG_CDB_ONLY = Rule("7143-11.2.2.3-1")
READ_LENGTH_PRESENT = Rule("7143-11.3.4-1")
TMF_LENGTHS = Rule("7143-11.5.2-1")
LOGOUT_LENGTHS = Rule("7143-11.14.2-1")

_VENDOR: Mapping[Side, range] = {Side.INITIATOR: range(0x1C, 0x1F), Side.TARGET: range(0x3C, 0x3F)}
"""Opcodes for vendors' use (section 11.2.1.2)."""
_AHS_LENGTH = 4
_ANY = (Pdu, UnknownPdu, Malformed)


def _bits(cls: type[Pdu]) -> tuple[int, int]:
    """The bits of a basic header segment that mean something, and those that are always 1."""
    claimed = OPCODE_BITS << (BHS_LENGTH - 1) * 8 | 0xFFFFFFFF << (BHS_LENGTH - 8) * 8
    ones = 0
    for field in cls.fields:
        place = field.place
        mask = ((1 << place.width) - 1) << BHS_LENGTH * 8 - place.first - place.width
        claimed |= mask
        ones |= mask if place.ones else 0
    return claimed, ones


_CLAIMED = {cls: _bits(cls) for cls in CLASSES.values()}


def _reserved(scene: Scene, pdu: Pdu) -> Remarks:
    header = scene.seen.header[:BHS_LENGTH]
    bits = int.from_bytes(header)
    claimed, ones = _CLAIMED[type(pdu)]
    yield RESERVED_ZERO.holds(
        not bits & ~claimed,
        f"reserved bits are set: {(bits & ~claimed).to_bytes(BHS_LENGTH).hex(' ', 4)}",
    )
    yield RESERVED_ZERO.holds(bits & ones == ones, "a bit that is always 1 is 0")


def _opcode(scene: Scene, thing: Pdu | UnknownPdu | Malformed) -> Remarks:
    opcode = scene.seen.header[0] & OPCODE_BITS
    sender = scene.seen.sender
    own = from_initiator(opcode) is (sender is Side.INITIATOR)
    yield OWN_OPCODES.holds(own, f"opcode {opcode:#04x} is one of the other side")
    if own:
        known = opcode in CLASSES or opcode in _VENDOR[sender]
        yield KNOWN_OPCODES.holds(known, f"opcode {opcode:#04x} is assigned to nothing")


def _length(scene: Scene, thing: Pdu | UnknownPdu | Malformed) -> Remarks:
    length = int.from_bytes(scene.seen.header[5:8])
    allowed = scene.connection.segments[scene.seen.sender]
    yield WITHIN_MAXIMUM.holds(
        length <= allowed, f"a data segment of {length} bytes, {allowed} were allowed"
    )


def _padding(scene: Scene, thing: Pdu | UnknownPdu | Malformed | Closed) -> Remarks:
    if isinstance(thing, Closed):
        if thing.missing:
            yield PADDED.holds(False, f"{thing.missing} bytes of padding are missing at the end")
    elif scene.seen.padding:
        yield PADDED.holds(True)
        zero = not any(scene.seen.padding)
        yield PADDED_WITH_ZERO.holds(zero, f"padding of {scene.seen.padding.hex(' ')}")


def _digest(scene: Scene, thing: Pdu | UnknownPdu | Malformed | Undecipherable) -> Remarks:
    if isinstance(thing, Undecipherable):
        yield DIGESTS.holds(False, "the header digest is wrong")
    elif scene.parameters.header_digest or scene.parameters.data_digest:
        whole = not isinstance(scene.seen.thing, BadDigest)
        yield DIGESTS.holds(whole, "the data digest is wrong")


def _ahs(scene: Scene, thing: Pdu | Malformed) -> Remarks:
    if len(scene.seen.header) == BHS_LENGTH:
        if isinstance(thing, ScsiCommand) and thing.read and thing.write:
            yield READ_LENGTH_PRESENT.holds(
                False, "a bidirectional command without its read length"
            )
        return
    cls = CLASSES.get(scene.seen.header[0] & OPCODE_BITS)
    yield NO_STRAY_AHS.holds(cls is ScsiCommand, "an additional header segment has no place here")
    if cls is ScsiCommand:
        broken = thing.error if isinstance(thing, Malformed) else None
        short = broken is not None and broken.section == LONG_CDB_ONLY.section
        rule = LONG_CDB_ONLY if short else AHS_FORM
        yield rule.holds(broken is None, "" if broken is None else broken.reason)
    if isinstance(thing, ScsiCommand):
        length = thing.bidirectional_read_length
        yield READ_LENGTH_PRESENT.holds(
            (length is not None) is (thing.read and thing.write),
            "a bidirectional read length belongs to bidirectional commands, and to all of them",
        )


@watch("M-02", "Reserved bits are 0.", Pdu, alone=True)
def reserved_of_initiator(scene: Scene, pdu: Pdu) -> Remarks:
    yield from _reserved(scene, pdu)


@watch("T-02", "Reserved bits are 0.", Pdu, sender=Side.TARGET, alone=True)
def reserved_of_target(scene: Scene, pdu: Pdu) -> Remarks:
    yield from _reserved(scene, pdu)


@watch("M-03", "An initiator uses the opcodes of initiators.", *_ANY, alone=True)
def opcode_of_initiator(scene: Scene, thing: Pdu | UnknownPdu | Malformed) -> Remarks:
    yield from _opcode(scene, thing)


@watch("T-03", "A target uses the opcodes of targets.", *_ANY, sender=Side.TARGET, alone=True)
def opcode_of_target(scene: Scene, thing: Pdu | UnknownPdu | Malformed) -> Remarks:
    yield from _opcode(scene, thing)


@watch("M-04", "No data segment is longer than the target has declared.", *_ANY)
def length_of_initiator(scene: Scene, thing: Pdu | UnknownPdu | Malformed) -> Remarks:
    yield from _length(scene, thing)


@watch("T-04", "No data segment is longer than the initiator declared.", *_ANY, sender=Side.TARGET)
def length_of_target(scene: Scene, thing: Pdu | UnknownPdu | Malformed) -> Remarks:
    yield from _length(scene, thing)


@watch("M-05", "Segments are padded to whole words, with zeroes.", *_ANY, Closed)
def padding_of_initiator(scene: Scene, thing: Pdu | UnknownPdu | Malformed | Closed) -> Remarks:
    yield from _padding(scene, thing)


@watch(
    "T-05", "Segments are padded to whole words, with zeroes.", *_ANY, Closed, sender=Side.TARGET
)
def padding_of_target(scene: Scene, thing: Pdu | UnknownPdu | Malformed | Closed) -> Remarks:
    yield from _padding(scene, thing)


@watch("M-36", "The digests that were agreed are right.", *_ANY, Undecipherable)
def digest_of_initiator(
    scene: Scene, thing: Pdu | UnknownPdu | Malformed | Undecipherable
) -> Remarks:
    yield from _digest(scene, thing)


@watch("T-36", "The digests that were agreed are right.", *_ANY, Undecipherable, sender=Side.TARGET)
def digest_of_target(scene: Scene, thing: Pdu | UnknownPdu | Malformed | Undecipherable) -> Remarks:
    yield from _digest(scene, thing)


@watch(
    "M-42",
    "Additional header segments are there when needed, and well-formed.",
    Pdu,
    Malformed,
    alone=True,
)
def ahs(scene: Scene, thing: Pdu | Malformed) -> Remarks:
    yield from _ahs(scene, thing)


@watch(
    "T-42",
    "No PDU of a target has additional header segments or stray data.",
    Pdu,
    Malformed,
    sender=Side.TARGET,
    alone=True,
)
def target_lengths(scene: Scene, thing: Pdu | Malformed) -> Remarks:
    bare = scene.seen.header[_AHS_LENGTH] == 0
    yield NO_AHS_IN_RESPONSES.holds(bare, "additional header segments")
    for cls, rule in (
        (ReadyToTransfer, BARE_R2T),
        (TaskManagementResponse, BARE_FUNCTION),
        (LogoutResponse, BARE_LOGOUT),
    ):
        alone = without_segments(scene, cls)
        if alone is not None:
            yield rule.holds(alone, "segments beside the header")
    if bare:
        stray = isinstance(thing, Malformed)
        yield NO_STRAY_DATA.holds(not stray, "a data segment has no place here")


def without_segments(scene: Scene, cls: type[Pdu]) -> bool | None:
    """Whether a PDU of this class has no segment but its header; None: it is of another class."""
    header = scene.seen.header
    if CLASSES.get(header[0] & OPCODE_BITS) is not cls:
        return None
    return not any(header[_AHS_LENGTH : _AHS_LENGTH + 4])
