"""What is refused, and why: the answer, the rule behind it, and where in the request it was broken.

A refusal is a Login Response with a status class other than 0, a Reject, a Task Management Response
other than function complete, and a SCSI Response with a status that is none of success.  What is
news rather than a refusal, such as a unit attention, is none.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping

import attrs

from trioscsi.capture.secrets import SECRET_KEYS
from trioscsi.pdu import (
    CLASSES,
    LoginResponse,
    LoginStatus,
    Pdu,
    Reject,
    RejectReason,
    ScsiCommand,
    ScsiResponse,
    TaskManagementResponse,
    TaskResult,
)
from trioscsi.pdu.opcodes import OPCODE_BITS
from trioscsi.scsi import SenseKey, Status
from trioscsi.teaching import broken_rules, commands, header
from trioscsi.teaching.broken_rules import Rule
from trioscsi.teaching.fields import Explained, explain, places, title
from trioscsi.teaching.meanings import CODES
from trioscsi.teaching.negotiated import Line
from trioscsi.teaching.splitting import Cut
from trioscsi.teaching.summary import headline
from trioscsi.text import Side

_NEWS = frozenset({Status.GOOD, Status.CONDITION_MET})
_INFORMING = frozenset(
    {SenseKey.NO_SENSE, SenseKey.RECOVERED_ERROR, SenseKey.UNIT_ATTENTION, SenseKey.COMPLETED}
)
_OTHER = Rule("A target answers by codes that RFC 7143 knows.")
_IN_WORDS = {
    "T": ("transit",),
    "C": ("continue_",),
    "F": ("final",),
    "stage": ("csg", "nsg"),
    "tag": ("itt",),
    "LUN": ("lun",),
    "opcode": ("opcode",),
    "function": ("function",),
}
"""How reasons speak of fields, besides by their names."""


@attrs.frozen
class Refused:
    """One refusal."""

    answer: str
    """What went out, in a line; or that nothing did."""
    because: str
    section: str
    """Of RFC 7143."""
    rule: Rule
    code: enum.IntEnum | None = None
    """The status or reason that was answered."""
    request: Cut | None = None
    """What was refused, if it is known."""
    keys: Mapping[str, str] = attrs.field(factory=dict)
    """What the initiator has said in the login."""
    details: tuple[str, ...] = ()


def refusal(
    answer: Explained,
    cut: Cut,
    *,
    request: Cut | None = None,
    keys: Mapping[str, str] | None = None,
    because: str = "",
    section: str = "",
) -> Refused | None:
    """What a PDU of a target refuses, or None.

    ``request`` is what it answers, ``because`` and ``section`` are the target's own reason and
    where the rule stands, if they are known.
    """
    pdu = answer.pdu
    found: tuple[enum.IntEnum | None, Rule | None, str] | None = None
    details: tuple[str, ...] = ()
    match pdu:
        case LoginResponse() if pdu.status_class:
            status = pdu.status_class << 8 | pdu.status_detail
            found = _coded(LoginStatus, status, broken_rules.LOGIN)
        case Reject():
            found = _coded(RejectReason, pdu.reason, broken_rules.REJECT)
            request = Cut(cut.data, b"", 0) if cut.data else request
        case TaskManagementResponse() if pdu.response not in (
            TaskResult.COMPLETE,
            TaskResult.SUCCEEDED,
        ):
            found = _coded(TaskResult, pdu.response, broken_rules.TASKS)
        case ScsiResponse() if not pdu.response and pdu.status not in _NEWS:
            found, details = _of_command(pdu.status, cut.data[2:], request)
        case _:
            pass
    if found is None:
        return None
    code, rule, says = found
    return Refused(
        headline(answer, cut),
        because or says,
        section or answer.section,
        rule or _OTHER,
        code,
        request,
        keys or {},
        details,
    )


def _coded(
    codes: type[enum.IntEnum], number: int, rules: Mapping[enum.IntEnum, Rule]
) -> tuple[enum.IntEnum | None, Rule | None, str]:
    try:
        code = codes(number)
    except ValueError:
        return None, None, "a code that no RFC knows"
    says = CODES[codes.__name__][code.name]
    return code, rules.get(code), f"{says[0].lower()}{says[1:].rstrip('.')}"


def _of_command(
    status: int, sense: bytes, request: Cut | None
) -> tuple[tuple[enum.IntEnum | None, Rule | None, str] | None, tuple[str, ...]]:
    """How a command was refused: by its sense data, or by its status alone."""
    if status != Status.CHECK_CONDITION:
        known = status in set(Status)
        code = Status(status) if known else None
        says = code.name.lower().replace("_", " ") if code is not None else f"status {status:#04x}"
        return (code, broken_rules.STATUS.get(code) if code else None, says), ()
    told = dict(commands.explain_sense(sense))
    number = commands.sense_key(sense)
    key = SenseKey(number) if number in set(SenseKey) else None
    if key in _INFORMING:
        return None, ()
    says = told.get("additional sense code", "sense data").partition(" ")[2] or told["sense key"]
    cdb = request.header[32:48] if request is not None else b""
    pointed = commands.pointed_at(cdb, sense)
    details = [f"{name}: {value}" for name, value in told.items() if name != "format"]
    if pointed:
        details.append(f"in the CDB: {pointed}")
        details += commands.marked(cdb, sense)
    rule = broken_rules.SENSE.get(key) if key is not None else None
    return (key, rule, says.lower().replace("_", " ")), tuple(details)


# As lines.


def lines(refused: Refused, who: str, advice: str = "") -> Iterator[str]:
    """A refusal to read; ``advice`` is what can be done, where its rule does not say."""
    request = None
    if refused.request is not None:
        request = explain(refused.request.header, refused.request.data)
    what = f"{_what(request, refused.request)}: " if request is not None else ""
    yield f"refused: {who}: {what}{refused.because}"
    yield f"  answer  {refused.answer}"
    yield f"  rule    {refused.rule.says} (RFC 7143 section {refused.section})"
    if request is not None:
        yield from _broken_fields(refused, request)
    for name, value in _concerned(refused):
        *_, rule, _, section = Line(name, Side.INITIATOR, value).cells
        yield f"  key     {name}={value} ({rule}; RFC 7143 section {section or '6.2'})"
    for detail in refused.details:
        yield f"  sense   {detail}"
    if advised := refused.rule.advice or advice:
        yield f"  advice  {advised}"


def _what(request: Explained, cut: Cut | None) -> str:
    assert cut is not None, "it was explained"
    return headline(request, cut)


def _broken_fields(refused: Refused, request: Explained) -> Iterator[str]:
    """The fields of a request that a refusal is about, drawn, and with what they say."""
    assert refused.request is not None, "it was explained"
    for wrong in request.wrong:
        yield f"  wrong   {wrong}"
    cls = CLASSES.get(refused.request.header[0] & OPCODE_BITS)
    if cls is None:
        return
    names = _names(cls, refused, request)
    for part in request.parts:
        if part.name in names:
            yield f"  field   {part.title} = {part.value}: {part.meaning}"
    for drawn in header.marked(cls, names):
        yield f"          {drawn}"
    if isinstance(request.pdu, ScsiCommand) and "cdb" in names:
        cdb = commands.explain_cdb(request.pdu.cdb)
        said = ", ".join(f"{name} {value}" for name, value in cdb.fields)
        yield f"  cdb     {cdb.name}: {said}"


def _names(cls: type[Pdu], refused: Refused, request: Explained) -> set[str]:
    """Which fields it is about: those of the rule, and those that the reason speaks of."""
    known = {name for name, place in places(cls) if not place.ones}
    reasons = (refused.because, *request.wrong)
    spoken = {name for name in known if any(_speaks_of(each, title(name)) for each in reasons)}
    for word, names in _IN_WORDS.items():
        if _speaks_of(refused.because, word):
            spoken.update(names)
    return known & (spoken | set(refused.rule.fields))


def _speaks_of(reason: str, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", reason) is not None


def _concerned(refused: Refused) -> Iterator[tuple[str, str]]:
    """The keys of a login that it is about; what could give secrets away is not shown."""
    if not isinstance(refused.code, LoginStatus):
        return
    for name, value in refused.keys.items():
        if name in refused.rule.keys or _speaks_of(refused.because, name):
            hidden = name.encode() in SECRET_KEYS
            yield name, f"<{len(value)} characters>" if hidden else value
