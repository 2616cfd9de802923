"""Result functions and the syntax of values, as tables (RFC 7143 sections 6.1 and 6.2)."""

from __future__ import annotations

import enum
import operator
from typing import TYPE_CHECKING, Any

import attrs

from trioscsi.errors import PeerError
from trioscsi.text.codec import VALUE_LENGTH, decode_binary, decode_number
from trioscsi.text.key import Kind, SessionType, Syntax
from trioscsi.utf8 import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trioscsi.text.key import Key

REJECT = "Reject"
IRRELEVANT = "Irrelevant"
NOT_UNDERSTOOD = "NotUnderstood"
RESERVED = frozenset({REJECT, IRRELEVANT, NOT_UNDERSTOOD})
"""Constants that answer and are never proposed (section 6.2)."""


class Breach(enum.Enum):
    """What a peer may do wrong in a negotiation; each ends it, unless this side overlooks it."""

    SENT_TWICE = "A key comes twice in one negotiation."
    RESERVED = "A reserved constant is proposed."
    OUT_OF_STAGE = "A key comes in a stage where it has no place."
    INADMISSIBLE = "An answer or a declaration is none that the key, or the proposal, admits."
    NOT_UNDERSTOOD = "A key of RFC 3720 is answered with NotUnderstood."
    LOWER_CASE = "A boolean is written in another case."
    BURSTS = "FirstBurstLength comes out above MaxBurstLength."


@attrs.frozen
class Rule:
    """One result function: how to answer a proposal, and which answers to expect."""

    select: Callable[[Any, Any], Any]
    """What to answer, from the value proposed and our own; None: nothing suits both."""
    admits: Callable[[Any, Any], bool]
    """Whether a proposal may have this answer."""
    decided: Callable[[Any], bool]
    """Whether a proposal needs no answer, as it is the result anyway (section 6.2.2)."""


def _first_common(theirs: tuple[str, ...], ours: tuple[str, ...]) -> tuple[str, ...] | None:
    return next(((value,) for value in theirs if value in ours), None)


def _one_of(offered: tuple[str, ...], selected: tuple[str, ...]) -> bool:
    return len(selected) == 1 and selected[0] in offered


def _never(_: object) -> bool:
    return False


RULES: Mapping[Kind, Rule] = {
    Kind.LIST: Rule(_first_common, _one_of, _never),
    Kind.AND: Rule(operator.and_, operator.ge, operator.not_),
    Kind.OR: Rule(operator.or_, operator.le, operator.truth),
    Kind.MINIMUM: Rule(min, operator.ge, _never),
    Kind.MAXIMUM: Rule(max, operator.le, _never),
}


def parse(key: Key, value: str) -> Any:
    """The value of a key, in the type that its syntax stands for.

    Raises ``PeerError`` for a value that is malformed, too long or out of range.
    """
    return _PARSERS[key.syntax](key, value)


def write(value: bool | int | str | tuple[str, ...]) -> str:
    """A value as it is sent."""
    match value:
        case bool():
            return "Yes" if value else "No"
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def _inadmissible(key: Key, value: str) -> PeerError:
    return PeerError(f"{key.name} cannot be {value[:VALUE_LENGTH]!r}", section=key.section)


def _parse_boolean(key: Key, value: str) -> bool:
    if value not in ("Yes", "No"):
        raise _inadmissible(key, value)
    return value == "Yes"


def _parse_number(key: Key, value: str) -> int:
    number = decode_number(value)
    if not key.minimum <= number <= key.maximum:
        raise _inadmissible(key, value)
    return number


def _parse_tag(key: Key, value: str) -> int:
    if value.startswith(("0b", "0B")):
        return int.from_bytes(decode_binary(value, 2))
    return _parse_number(key, value)


def _parse_binary(key: Key, value: str) -> bytes:
    return decode_binary(value, key.maximum)


def _parse_list(key: Key, value: str) -> tuple[str, ...]:
    return tuple(_parse_string(key, item) for item in value.split(","))


def _parse_string(key: Key, value: str) -> str:
    if not fits(value, VALUE_LENGTH):
        raise _inadmissible(key, value)
    return value


def _parse_name(key: Key, value: str) -> str:
    if not value:
        raise _inadmissible(key, value)
    return _parse_string(key, value)


def _parse_session_type(key: Key, value: str) -> SessionType:
    try:
        return SessionType(value)
    except ValueError:
        raise _inadmissible(key, value) from None


# Ranges are missing: only obsolete keys have them, and those are answered unread.
_PARSERS: Mapping[Syntax, Callable[[Key, str], Any]] = {
    Syntax.BOOLEAN: _parse_boolean,
    Syntax.NUMBER: _parse_number,
    Syntax.TAG: _parse_tag,
    Syntax.BINARY: _parse_binary,
    Syntax.TEXT: _parse_string,
    Syntax.LIST: _parse_list,
    Syntax.DIGESTS: _parse_list,
    Syntax.LOCAL_NAME: _parse_string,
    Syntax.ADDRESS: _parse_name,
    Syntax.NAME: _parse_name,
    Syntax.SESSION_TYPE: _parse_session_type,
}
