"""What a target says when somebody looks at it: keys, units, pages, commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from trioscsi.errors import CommandFailed
from trioscsi.initiator import commands, pages
from trioscsi.initiator.client import Session
from trioscsi.initiator.connection import InitiatorConnection
from trioscsi.initiator.results import Found
from trioscsi.lun import decode as decode_lun
from trioscsi.text import KEYS, Key, Side
from trioscsi.text.key import Syntax

_SECRET = frozenset({"CHAP_R", "CHAP_C"})
"""Keys that a secret could be guessed from."""


@attrs.frozen
class KeyRow:
    """One key of the login: what each side said, and what came of it."""

    name: str
    initiator: str
    target: str
    result: str


@attrs.frozen
class Section:
    """A part of the report: rows of a name and a value."""

    title: str
    rows: list[pages.Field]


@attrs.define
class Report:
    """All that a target has said."""

    keys: list[KeyRow] = attrs.field(factory=list)
    sections: list[Section] = attrs.field(factory=list)


def keys(connection: InitiatorConnection) -> list[KeyRow]:
    """The keys of a login, in the order in which they came."""
    said: dict[str, dict[str, str]] = {}
    for each in connection.said:
        shown = "..." if each.name in _SECRET else _printable(each.value)
        said.setdefault(each.name, {})[each.side] = shown
    return [
        KeyRow(
            name,
            sides.get("initiator", ""),
            sides.get("target", ""),
            _result(connection, name),
        )
        for name, sides in said.items()
    ]


async def probe(session: Session) -> Report:
    """Ask a target for everything that it tells, of one unit; what it refuses is told too."""
    (connection,) = session.core.connections
    report = Report(keys(connection))
    if session.core.discovery:
        report.sections.append(Section("targets", _targets(await session.discover())))
        return report
    await _ask(report, "units", lambda: _units(session))
    await session.wait_ready()
    await _ask(report, "INQUIRY", lambda: _inquiry(session))
    codes: list[int] = []
    try:
        codes = pages.pages(await session.inquiry(0))
    except CommandFailed as error:
        report.sections.append(_refused("VPD pages", error))
    for code in dict.fromkeys(codes):
        title = f"VPD page {code:02X}h, {pages.page_name(code)}"
        await _ask(report, title, lambda code=code: _page(session, code))  # type: ignore[misc]
    await _ask(report, "capacity", lambda: _capacity(session))
    await _ask(report, "commands", lambda: _commands(session))
    return report


async def _ask(
    report: Report, title: str, question: Callable[[], Awaitable[list[pages.Field]]]
) -> None:
    try:
        report.sections.append(Section(title, await question()))
    except CommandFailed as error:
        report.sections.append(_refused(title, error))


def _refused(title: str, error: CommandFailed) -> Section:
    return Section(title, [("refused", pages.sense(error.sense))])


async def _units(session: Session) -> list[pages.Field]:
    fields = await session.report_luns()
    return [(f"LUN {decode_lun(field)}", f"{field:016x}") for field in fields]


async def _inquiry(session: Session) -> list[pages.Field]:
    return pages.standard(await session.inquiry())


async def _page(session: Session, code: int) -> list[pages.Field]:
    return pages.page(await session.inquiry(code))


async def _capacity(session: Session) -> list[pages.Field]:
    capacity = await session.read_capacity()
    size = capacity.blocks * capacity.block_size
    return [
        ("blocks", str(capacity.blocks)),
        ("block size", str(capacity.block_size)),
        ("bytes", str(size)),
    ]


async def _commands(session: Session) -> list[pages.Field]:
    cdb = commands.report_supported_operation_codes()
    data = (await session.command(cdb, expected_in=65_536)).check()
    named = (each.partition(" ") for each in pages.operation_codes(data))
    return [(code, name) for code, _, name in named]


def _targets(found: list[Found]) -> list[pages.Field]:
    return [(_printable(each.name), _printable(", ".join(each.addresses))) for each in found]


def _result(connection: InitiatorConnection, name: str) -> str:
    """What a key has come to, on each side if they differ; nothing if it sets no parameter."""
    key = KEYS.get(name)
    if key is None or key.parameter is None:
        return ""
    names = dict.fromkeys(key.parameter.format(sender=side.value) for side in Side)
    values = [getattr(connection.parameters, each) for each in names]
    return ", ".join(_value(key, value) for value in values)


def _value(key: Key, value: object) -> str:
    """A parameter as the key has it."""
    if not isinstance(value, bool):
        return str(value)
    yes, no = ("CRC32C", "None") if key.syntax is Syntax.DIGESTS else ("Yes", "No")
    return yes if value else no


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
