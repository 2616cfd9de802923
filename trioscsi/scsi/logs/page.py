"""Log pages and their parameters (SPC-4 section 7.3): the machinery."""

from __future__ import annotations

import enum
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.layout import bits, layout, span
from trioscsi.scsi.logs.counters import Counters

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit
    from trioscsi.scsi.storage import Storage

PAGE_HEADER = layout(
    4,
    ds=bits(0, 7),
    spf=bits(0, 6),
    page_code=bits(0, 5, 0),
    subpage_code=span(1),
    page_length=span(2, 3),
)
PARAMETER_HEADER = layout(
    4,
    parameter_code=span(0, 1),
    du=bits(2, 7),
    tsd=bits(2, 5),
    format_and_linking=bits(2, 1, 0),
    parameter_length=span(3),
)


class PageControl(enum.IntEnum):
    """Which values of the parameters are meant (SPC-4 section 6.6)."""

    THRESHOLD = 0
    CUMULATIVE = 1
    DEFAULT_THRESHOLD = 2
    DEFAULT_CUMULATIVE = 3


class Format(enum.IntEnum):
    """What a parameter holds (SPC-4 section 7.3.2)."""

    COUNTER = 0b10
    """That goes on counting when another one has reached its end."""
    BINARY_LIST = 0b11


@attrs.frozen
class Parameter:
    """A log parameter: what it says of a unit, and of what that has counted.

    ``resettable``: LOG SELECT lets it count from zero again (SPC-4 says "reset only" of such; no
    parameter can be set to anything else). The threshold of a counter is the most that it can
    count to, and nothing is compared with it.
    """

    code: int
    content: Callable[[LogicalUnit, Counters], bytes]
    format: Format = Format.BINARY_LIST
    resettable: bool = False

    def value(self, unit: LogicalUnit, page: LogPage, control: PageControl) -> bytes:
        """The value of one kind, in bytes; a list has but one kind."""
        current = self.content(unit, unit.log.since(unit, page, self))
        if self.format is Format.BINARY_LIST or control is PageControl.CUMULATIVE:
            return current
        if control is PageControl.DEFAULT_CUMULATIVE:
            return bytes(len(current))
        return b"\xff" * len(current)


def counter(code: int, length: int, count: Callable[[LogicalUnit, Counters], int]) -> Parameter:
    """A parameter that counts up to the most that its ``length`` bytes hold."""
    most = (1 << 8 * length) - 1

    def content(unit: LogicalUnit, counters: Counters) -> bytes:
        return min(count(unit, counters), most).to_bytes(length, "big")

    return Parameter(code, content, Format.COUNTER, resettable=True)


@attrs.frozen
class LogPage:
    """A log page, and its parameters in the order of their codes.

    ``measure`` finds out on storage what the page says, and is then asked for it instead.
    ``needs``: whether a unit has the page; without it, every one has.
    """

    code: int
    name: str
    parameters: Callable[[LogicalUnit], Sequence[Parameter]]
    subpage: int = 0
    measure: Callable[[LogicalUnit, Storage], Awaitable[LogPage]] | None = None
    needs: Callable[[LogicalUnit], bool] | None = None

    def is_of(self, unit: LogicalUnit) -> bool:
        """Whether the unit has the page."""
        return self.needs is None or self.needs(unit)

    def encode(self, unit: LogicalUnit, control: PageControl, pointer: int = 0) -> bytes | None:
        """The page from the parameter ``pointer`` on; None if no parameter is that far."""
        wanted = [each for each in self.parameters(unit) if each.code >= pointer]
        if pointer and not wanted:
            return None
        content = b"".join(self._parameter(unit, each, control) for each in wanted)
        return header(unit, self.code, self.subpage, len(content)) + content

    def _parameter(self, unit: LogicalUnit, parameter: Parameter, control: PageControl) -> bytes:
        value = parameter.value(unit, self, control)
        head = PARAMETER_HEADER.encode(
            parameter_code=parameter.code,
            tsd=1,  # nothing is saved but when an initiator says so
            format_and_linking=parameter.format,
            parameter_length=len(value),
        )
        return head + value


def header(unit: LogicalUnit, code: int, subpage: int, length: int) -> bytes:
    """The first four bytes of a page."""
    return PAGE_HEADER.encode(
        ds=not unit.keeps_state,
        spf=subpage != 0,
        page_code=code,
        subpage_code=subpage,
        page_length=length,
    )


@attrs.define
class Log:
    """From where the parameters of one unit count: what LOG SELECT has set to zero.

    The keys are page, subpage and parameter code.
    """

    _starts: dict[tuple[int, int, int], Counters] = attrs.field(factory=dict)

    def since(self, unit: LogicalUnit, page: LogPage, parameter: Parameter) -> Counters:
        """What was counted since a parameter was zero."""
        start = self._starts.get((page.code, page.subpage, parameter.code))
        return unit.counters if start is None else unit.counters - start

    def reset(self, unit: LogicalUnit, page: LogPage, parameter: Parameter) -> None:
        """Let a parameter begin at zero."""
        self._starts[page.code, page.subpage, parameter.code] = attrs.evolve(unit.counters)

    def encode(self, unit: LogicalUnit, pages: Sequence[LogPage]) -> bytes:
        """What the parameters have reached, to be saved."""
        reached = [
            (page.code, page.subpage, each.code, *attrs.astuple(self.since(unit, page, each)))
            for page in pages
            for each in page.parameters(unit)
            if each.resettable
        ]
        return json.dumps(reached).encode()

    def restore(self, data: bytes) -> None:
        """Go on from what was saved; raises ValueError if it cannot be read."""
        reached = json.loads(data)
        try:
            self._starts = {
                (int(page), int(subpage), int(code)): Counters() - Counters(*map(int, counts))
                for page, subpage, code, *counts in reached
            }
        except TypeError as error:
            raise ValueError(f"these are no counters: {error}") from None
