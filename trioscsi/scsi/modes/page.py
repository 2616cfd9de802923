"""What a mode page is (SPC-4 section 7.5): its fields, their defaults, and what may be changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import attrs

from trioscsi.scsi.complaints import invalid_parameter
from trioscsi.scsi.layout import Field, Layout, bits, span
from trioscsi.scsi.plan import Refusal

if TYPE_CHECKING:
    from trioscsi.scsi.device import LogicalUnit

Key = tuple[int, int]
"""A page's code and its subpage code: zero for a page that is none of the subpages."""
Values = Mapping[str, int]

_FIRST = {"ps": bits(0, 7), "spf": bits(0, 6), "page_code": bits(0, 5, 0)}
_PAGE = {**_FIRST, "page_length": span(1)}
_SUBPAGE = {**_FIRST, "subpage_code": span(1), "page_length": span(2, 3)}


def _always(_unit: LogicalUnit) -> bool:
    return True


@attrs.frozen
class Setting:
    """A field of a page.

    ``default`` is its value until an initiator changes it, for one unit or for all. ``takes`` are
    the values that it may be given; with none it cannot be changed, nor can it in a unit for
    which ``where`` is false.
    """

    field: Field
    default: int | Callable[[LogicalUnit], int] = 0
    takes: Collection[int] = ()
    where: Callable[[LogicalUnit], bool] = _always

    def of(self, unit: LogicalUnit) -> int:
        """The default value in a unit."""
        return self.default if isinstance(self.default, int) else self.default(unit)

    def changeable(self, unit: LogicalUnit) -> bool:
        """Whether an initiator may change it."""
        return bool(self.takes) and self.where(unit)


def fixed(field: Field, default: int | Callable[[LogicalUnit], int]) -> Setting:
    """A field whose value is not zero, and not to be changed either."""
    return Setting(field, default)


def choice(
    field: Field,
    *takes: int,
    default: int | Callable[[LogicalUnit], int] = 0,
    where: Callable[[LogicalUnit], bool] = _always,
) -> Setting:
    """A field that an initiator may change to one of these values."""
    return Setting(field, default, takes, where)


def switch(
    field: Field,
    default: int | Callable[[LogicalUnit], int] = 0,
    where: Callable[[LogicalUnit], bool] = _always,
) -> Setting:
    """A bit that an initiator may set and clear."""
    return choice(field, 0, 1, default=default, where=where)


def number(field: Field, where: Callable[[LogicalUnit], bool] = _always) -> Setting:
    """A field that an initiator may give any value; zero until then."""
    return Setting(field, 0, range(1 << field.width), where)


@attrs.frozen
class ModePage:
    """A mode page."""

    key: Key
    name: str
    layout: Layout
    settings: Mapping[str, Setting]

    @property
    def header(self) -> int:
        """The bytes before the parameters; PAGE LENGTH does not count them."""
        return 4 if self.key[1] else 2

    def defaults(self, unit: LogicalUnit) -> dict[str, int]:
        """The value of each field until it is changed."""
        return {name: setting.of(unit) for name, setting in self.settings.items()}

    def changeable(self, unit: LogicalUnit) -> dict[str, int]:
        """All bits of the fields that can be changed."""
        return {
            name: (1 << setting.field.width) - 1
            for name, setting in self.settings.items()
            if setting.changeable(unit)
        }

    def encode(self, values: Values, *, saveable: bool) -> bytes:
        """The page's bytes, with these values in its fields."""
        code, subpage = self.key
        head = {"spf": 1, "subpage_code": subpage} if subpage else {}
        return self.layout.encode(
            ps=saveable,
            page_code=code,
            page_length=self.layout.length - self.header,
            **head,
            **values,
        )

    def change(
        self, unit: LogicalUnit, current: Values, page: bytes, offset: int
    ) -> dict[str, int]:
        """The values of the fields that can be changed, out of a page that an initiator sent.

        ``offset`` is where it begins in the parameter list. Raises Refusal for the first field
        that has neither a value it may be given nor its current one.
        """
        wanted = self.layout.decode(page)
        changes: dict[str, int] = {}
        wrong: list[tuple[int, int]] = []
        for name, setting in self.settings.items():
            if setting.changeable(unit):
                changes[name] = wanted[name]
                good = wanted[name] in setting.takes
            else:
                good = wanted[name] == current[name]
            if not good:
                wrong.append((setting.field.byte, setting.field.bit))
        stray = self.layout.stray(page)
        if stray is not None:
            wrong.append(stray)
        if wrong:
            byte, bit = min(wrong, key=lambda place: (place[0], -place[1]))
            raise Refusal(invalid_parameter(offset + byte, bit))
        return changes


def mode_page(code: int, name: str, length: int, /, **settings: Setting | Field) -> ModePage:
    """A page of ``length`` bytes; a setting that is no more than a field stays zero."""
    return _page((code, 0), name, length, _PAGE, settings)


def mode_subpage(
    code: int, subpage: int, name: str, length: int, /, **settings: Setting | Field
) -> ModePage:
    """The same in the format of subpages."""
    return _page((code, subpage), name, length, _SUBPAGE, settings)


def _page(
    key: Key,
    name: str,
    length: int,
    header: Mapping[str, Field],
    settings: Mapping[str, Setting | Field],
) -> ModePage:
    whole = {n: Setting(s) if isinstance(s, Field) else s for n, s in settings.items()}
    fields = {n: s.field for n, s in whole.items()}
    return ModePage(key, name, Layout(length, {**header, **fields}), whole)
