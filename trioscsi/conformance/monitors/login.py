"""How an initiator logs in (RFC 7143 sections 4.2.4, 6.3, 11.12 and 11.13)."""

from __future__ import annotations

from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.record import Connection, Phase, Record
from trioscsi.conformance.stream import Closed, Undecipherable
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.pdu import NO_TASK, LoginRequest, Malformed, Pdu, TextRequest, UnknownPdu
from trioscsi.text import Stage

MONITORS = Monitors()
watch = MONITORS.watch

LOGIN_FIRST = Rule("7143-4.2.4-1")
ONLY_LOGIN = Rule("7143-4.2.4-2")
ONE_LOGIN = Rule("7143-4.2.4-8")
ONE_OUTSTANDING = Rule("7143-6.3-1")
SAME_THROUGHOUT = Rule("7143-11.12.4.1-1")
SAME_TSIH = Rule("7143-11.12.6-1")
SAME_CID = Rule("7143-11.12.7-1")
SAME_TAG = Rule("7143-6.3-2")
VERSION = Rule("7143-11.12.4-1")
CONTINUES = Rule("7143-6.2-1")
STAGES = Rule("7143-11.12.3-1")
PART_ASKED = Rule("7143-6.2-2")
EMPTY_FOR_A_REASON = Rule("7143-6.2-12", Level.SHOULD)
CLOSED_AFTER_REFUSAL = Rule("7143-11.13.5-1")
ISID_TYPE = Rule("7143-11.12.5-1")
GIVEN_TSIH = Rule("7143-11.12.6-2")

_RESERVED_TYPE = 3
"""The value of the T field of an ISID that stands for nothing (section 11.12.5)."""
_STAGES = frozenset(Stage)
_ANY = (Pdu, UnknownPdu, Malformed, Undecipherable)


@watch(
    "M-01",
    "The first PDU on a connection is a Login Request, and no other comes in a login.",
    *_ANY,
)
def login_first(scene: Scene, thing: object) -> Remarks:
    phase = scene.connection.phase
    name = type(thing).__name__
    if phase is Phase.START:
        yield LOGIN_FIRST.holds(isinstance(thing, LoginRequest), f"the first PDU is a {name}")
    elif phase is Phase.LOGIN:
        yield ONLY_LOGIN.holds(isinstance(thing, LoginRequest), f"a {name} during the login")


@watch(
    "M-28",
    "A text that goes on ends no stage and no negotiation, and an empty one is there for a reason.",
    LoginRequest,
    TextRequest,
)
def continues(scene: Scene, pdu: LoginRequest | TextRequest) -> Remarks:
    ends = pdu.transit if isinstance(pdu, LoginRequest) else pdu.final
    if pdu.continue_:
        yield CONTINUES.holds(not ends, "C and T" if isinstance(pdu, LoginRequest) else "C and F")
    if isinstance(pdu, LoginRequest):
        stages = {pdu.csg, pdu.nsg} if pdu.transit else {pdu.csg}
        yield STAGES.holds(stages <= _STAGES, f"stage {max(stages)}")
    if scene.connection.asked_for_part:
        yield PART_ASKED.holds(not pdu.data, "text, and the target's is not over")
    elif not pdu.data:
        yield EMPTY_FOR_A_REASON.holds(_has_reason(scene.connection, pdu), "no text, for no reason")


def _has_reason(connection: Connection, pdu: LoginRequest | TextRequest) -> bool:
    """Whether a request without text asks for the next stage, or moves or resets an exchange."""
    if isinstance(pdu, LoginRequest):
        return pdu.transit
    under_way = pdu.ttt != NO_TASK or connection.text is not None
    return under_way or connection.asked_to_negotiate


@watch("M-29", "All requests of a login say the same of who logs in to what.", LoginRequest)
def same_throughout(scene: Scene, pdu: LoginRequest) -> Remarks:
    first = scene.connection.first_login
    yield ONE_LOGIN.holds(not scene.connection.logged_in, "a login where one has ended before")
    if scene.connection.phase is Phase.LOGIN:
        yield ONE_OUTSTANDING.holds(
            not scene.connection.unanswered, "a second request before the first was answered"
        )
    yield VERSION.holds(not pdu.version_min, f"version {pdu.version_min} is the lowest")
    if first is None:
        return
    versions = (pdu.version_max, pdu.version_min)
    yield SAME_THROUGHOUT.holds(
        versions == (first.version_max, first.version_min), "the versions have changed"
    )
    yield SAME_TSIH.holds(pdu.tsih == first.tsih, "the TSIH has changed")
    yield SAME_CID.holds(pdu.cid == first.cid, "the CID has changed")
    yield SAME_TAG.holds(pdu.itt == first.itt, "the task tag has changed")
    yield SAME_TAG.holds(pdu.isid == first.isid, "the ISID has changed")


@watch(
    "M-39",
    "A connection whose login was refused is closed, and nothing is sent on it.",
    Pdu,
    Closed,
    unfinished=lambda record: _refused(record),
)
def closed_after_refusal(scene: Scene, thing: Pdu | Closed) -> Remarks:
    if scene.connection.phase is Phase.REFUSED:
        yield CLOSED_AFTER_REFUSAL.holds(
            isinstance(thing, Closed), f"a {type(thing).__name__} after the login was refused"
        )


def _refused(record: Record) -> bool:
    return any(c.phase is Phase.REFUSED for c in record.connections.values())


@watch("M-40", "ISID and TSIH are used as the names of port and session.", LoginRequest)
def port_and_session(scene: Scene, pdu: LoginRequest) -> Remarks:
    if scene.connection.first_login is not None:
        return
    yield ISID_TYPE.holds(pdu.isid[0] >> 6 != _RESERVED_TYPE, "the type of the ISID is reserved")
    session = scene.record.sessions.get(pdu.tsih)
    if pdu.tsih and session is not None:
        yield GIVEN_TSIH.holds(
            session.isid == pdu.isid, f"TSIH {pdu.tsih} was given to another ISID"
        )
