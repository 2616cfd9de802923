"""What is said in keys, by either side (RFC 7143 chapters 6, 12 and 13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trioscsi.conformance.dialogue import Role, Said
from trioscsi.conformance.monitors.monitor import Monitors, Remarks, Scene
from trioscsi.conformance.verdicts import Level, Rule
from trioscsi.errors import UsageError
from trioscsi.pdu import (
    NO_TASK,
    LoginRequest,
    LoginResponse,
    LogoutReason,
    LogoutRequest,
    NopOut,
    Pdu,
    TextRequest,
    TextResponse,
)
from trioscsi.protocol import normalise
from trioscsi.text import Side
from trioscsi.text.key import Kind, Syntax
from trioscsi.text.rules import IRRELEVANT, NOT_UNDERSTOOD, REJECT, RESERVED, RULES

MONITORS = Monitors()
watch = MONITORS.watch

ONE_TEXT = Rule("7143-6.2-3")
SAME_TAG = Rule("7143-11.10.3-1")
SAME_I = Rule("7143-11.10.3-2")
TTT_COPIED = Rule("7143-11.11.4-1")
ONCE = Rule("7143-6.3-3")
STAGES = Rule("7143-6.3-4")
SENDERS = Rule("7143-6.3-5")
WELL_FORMED = Rule("7143-6.1-1")
VALUES = Rule("7143-6.2.2-1")
CONSTANTS = Rule("7143-6.2-4")
UNDERSTOOD = Rule("7143-6.2-5")
ADMITTED = Rule("7143-6.2.2-2")
ONE_OF_LIST = Rule("7143-6.2.1-1")
UNKNOWN_ANSWERED = Rule("7143-6.2-6")
DISCOVERY_ONLY = Rule("7143-4.3-1")
NAME_FORM = Rule("7143-4.2.7-1")
INITIATOR_NAME = Rule("7143-6.3-6")
TARGET_NAME = Rule("7143-6.3-7")
MARKERS = Rule("7143-13.25-1", Level.NOTE)

_TEXTS = (LoginRequest, TextRequest, LoginResponse, TextResponse)
_MARKERS = frozenset({"IFMarker", "OFMarker", "IFMarkInt", "OFMarkInt"})
_NAMES = frozenset({Syntax.NAME})
_Check = Callable[[Scene, Any], Remarks]


def _of_both(number: str, says: str) -> Callable[[_Check], _Check]:
    """Watch the keys of initiators as M-number, those of targets as T-number."""

    def add(check: _Check) -> _Check:
        watch(f"M-{number}", says, LoginRequest, TextRequest)(check)
        return watch(
            f"T-{number}", says, LoginResponse, TextResponse, sender=Side.TARGET, relies=True
        )(check)

    return add


@watch("M-27", "A connection has one text negotiation, under one tag.", TextRequest)
def one_negotiation(scene: Scene, pdu: TextRequest) -> Remarks:
    connection = scene.connection
    yield ONE_TEXT.holds(
        not connection.unanswered, "a second Text Request before the first was answered"
    )
    first = connection.text
    if first is None or pdu.ttt == NO_TASK:
        return
    yield SAME_TAG.holds(pdu.itt == first.itt, "another task tag within a negotiation")
    yield SAME_I.holds(pdu.immediate == first.immediate, "another I bit within a negotiation")
    yield TTT_COPIED.holds(
        pdu.ttt == connection.text_ttt and pdu.lun == connection.text_lun,
        "Target Transfer Tag and LUN are not those of the response",
    )


@_of_both("30", "No key is sent twice in one negotiation.")
def once(scene: Scene, pdu: Pdu) -> Remarks:
    for said in scene.connection.said:
        if said.role is not Role.REPORT:
            yield ONCE.holds(said.role is not Role.REPEAT, f"{said.name} is sent twice")


@_of_both("31", "Keys are sent by their side, in their stage.")
def in_its_stage(scene: Scene, pdu: Pdu) -> Remarks:
    for said in scene.connection.said:
        key = said.key
        if key is None or said.role in (Role.REPORT, Role.ANSWER):
            continue
        stage = said.stage.name
        yield STAGES.holds(said.stage in key.stages, f"{said.name} in stage {stage}")
        yield SENDERS.holds(
            scene.seen.sender in key.senders, f"{said.name} is not a key of this side"
        )


@_of_both("32", "Text is well-formed, and so are the values in it.")
def well_formed(scene: Scene, pdu: Any) -> Remarks:
    fault = scene.connection.text_fault
    if pdu.data:
        yield WELL_FORMED.holds(fault is None, fault.reason if fault is not None else "")
    for said in scene.connection.said:
        if said.key is not None and said.role is not Role.REPORT:
            yield VALUES.holds(said.fault is None, f"{said.name}={said.value}")


@_of_both("33", "The constants that answer are used for that alone.")
def constants(scene: Scene, pdu: Pdu) -> Remarks:
    for said in scene.connection.said:
        if said.role in (Role.PROPOSAL, Role.DECLARATION):
            exchanged = said.key is not None and said.key.kind is Kind.EXCHANGE
            yield CONSTANTS.holds(
                exchanged or said.value not in RESERVED, f"{said.name} proposed as {said.value}"
            )
        elif said.role is Role.ANSWER and said.value == NOT_UNDERSTOOD:
            # Keys that are younger than many peers are an exception (section 6.2).
            younger = said.key is None or said.key.newer
            yield UNDERSTOOD.holds(younger, f"{said.name} is not understood")


@_of_both("34", "Answers obey the functions of their keys.")
def answers(scene: Scene, pdu: Pdu) -> Remarks:
    for said in scene.connection.said:
        if said.role is Role.ANSWER:
            yield from _answer(said)


def _answer(said: Said) -> Remarks:
    key = said.key
    if key is None:
        yield UNKNOWN_ANSWERED.holds(
            said.value in (NOT_UNDERSTOOD, REJECT, IRRELEVANT),
            f"{said.name}={said.value}, and no RFC has such a key",
        )
    elif said.parsed is not None and said.proposed is not None and key.kind in RULES:
        rule = ONE_OF_LIST if key.kind is Kind.LIST else ADMITTED
        yield rule.holds(
            RULES[key.kind].admits(said.proposed, said.parsed),
            f"{said.name}={said.value} is no answer to what was proposed",
        )


@watch("M-35", "A Discovery session asks for targets and logs out, no more.", Pdu)
def discovery(scene: Scene, pdu: Pdu) -> Remarks:
    session = scene.session
    if session is None or not session.discovery:
        return
    match pdu:
        case TextRequest():
            others = [said.name for said in scene.connection.said if said.name != "SendTargets"]
            yield DISCOVERY_ONLY.holds(not others, f"{', '.join(others)} in a Discovery session")
        case LogoutRequest():
            yield DISCOVERY_ONLY.holds(
                pdu.reason == LogoutReason.CLOSE_SESSION, "a logout of less than the session"
            )
        case NopOut() if pdu.itt == NO_TASK:
            pass
        case _:
            yield DISCOVERY_ONLY.holds(False, f"a {type(pdu).__name__} in a Discovery session")


@watch(
    "M-41", "Names are iSCSI names in their normal form, and the login brings them.", LoginRequest
)
def names(scene: Scene, pdu: LoginRequest) -> Remarks:
    if scene.connection.text_fault is not None:
        return  # its keys cannot be read: that is a matter for M-32
    said = scene.connection.said
    for one in said:
        if one.key is not None and one.key.syntax in _NAMES and one.value not in RESERVED:
            yield NAME_FORM.holds(_is_normal(one.value), f"{one.name}={one.value}")
    if scene.connection.first_login is None and not pdu.continue_:
        given = {one.name: one.value for one in said}
        yield INITIATOR_NAME.holds("InitiatorName" in given, "no InitiatorName")
        if given.get("SessionType") != "Discovery":
            yield TARGET_NAME.holds("TargetName" in given, "no TargetName")


def _is_normal(name: str) -> bool:
    try:
        return normalise(name) == name
    except UsageError:
        return False


@watch("M-43", "Markers are a thing of the past.", LoginRequest)
def markers(scene: Scene, pdu: LoginRequest) -> Remarks:
    for said in scene.connection.said:
        if said.name in _MARKERS and said.role is Role.PROPOSAL:
            yield MARKERS.holds(False, f"{said.name}={said.value} is proposed")
