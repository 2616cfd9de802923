"""Lines taken apart: what somebody asks for, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import attrs

from trioscsi.errors import ControlError
from trioscsi.teaching.live import Message
from trioscsi.teaching.live.message import TYPES

MOST_LINE = 65_536
"""Bytes of one request."""
_MOST_ITEMS = 1024
_MOST_ID = 64
"""Characters of an id."""
_NUMBERS = range(1, 2**53)
"""What JSON numbers carry without loss everywhere."""

Check: TypeAlias = Callable[[Any], str]
"""What an argument has to be, if it is not; else nothing."""


def _is_number(value: Any) -> bool:
    return type(value) is int and value in _NUMBERS


def number(value: Any) -> str:
    """A number of a connection or of a PDU."""
    return "" if _is_number(value) else "has to be a number from 1"


def numbers(value: Any) -> str:
    """A list of numbers."""
    if isinstance(value, list) and len(value) <= _MOST_ITEMS and all(map(_is_number, value)):
        return ""
    return f"has to be a list of at most {_MOST_ITEMS} numbers from 1"


def words(value: Any) -> str:
    """A list of words."""
    good = isinstance(value, list) and len(value) <= _MOST_ITEMS
    if good and all(isinstance(each, str) for each in value):
        return ""
    return f"has to be a list of at most {_MOST_ITEMS} strings"


def types(value: Any) -> str:
    """A list of types of messages."""
    wrong = words(value)
    if wrong:
        return wrong
    unknown = sorted(set(value) - TYPES)
    return f"names no type of message with {unknown[0][:_MOST_ID]!r}" if unknown else ""


@attrs.frozen
class Kind:
    """Something that can be asked for: its arguments, and those that must be there."""

    arguments: Mapping[str, Check]
    needed: Collection[str] = ()


@attrs.frozen
class Request:
    """One request, all of whose arguments are as they have to be."""

    id: str | int | None
    name: str
    arguments: Message


class BadRequest(ControlError):
    """A line that asks for nothing that there is; ``id`` is the one that it has, if it has one."""

    def __init__(self, reason: str, request_id: str | int | None = None) -> None:
        super().__init__(reason)
        self.id = request_id


def parse(line: bytes | bytearray, kinds: Mapping[str, Kind]) -> Request:
    """The request in a line; raises BadRequest."""
    try:
        said = json.loads(line)
    except RecursionError:
        raise BadRequest("this is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"this is no JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise BadRequest("this is no JSON: not UTF-8") from None
    except ValueError:
        raise BadRequest("this has a number of too many digits") from None
    if not isinstance(said, dict):
        raise BadRequest("a request is a JSON object")
    request_id = said.pop("id", None)
    if not _is_id(request_id):
        raise BadRequest(f"the id has to be a number or at most {_MOST_ID} characters")
    name = said.pop("request", None)
    if not isinstance(name, str) or name not in kinds:
        asked = f"{name[:_MOST_ID]!r} is no request" if isinstance(name, str) else "no request"
        raise BadRequest(f"{asked}: there are {', '.join(sorted(kinds))}", request_id)
    kind = kinds[name]
    for argument in kind.needed:
        if argument not in said:
            raise BadRequest(f"{name} needs {argument}", request_id)
    for argument, value in said.items():
        check = kind.arguments.get(argument)
        if check is None:
            raise BadRequest(f"{name} has no {argument[:_MOST_ID]!r}", request_id)
        wrong = check(value)
        if wrong:
            raise BadRequest(f"{argument} {wrong}", request_id)
    return Request(request_id, name, said)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= _MOST_ID
    return value is None or (type(value) is int and abs(value) < 2**53)
