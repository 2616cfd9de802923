from __future__ import annotations

import pytest

from trioscsi import BackendError, MemoryDisk, UsageError
from trioscsi.scsi import LogicalUnit
from trioscsi.server.stock import Stock
from trioscsi.server.storage import Unit

NAME = "iqn.2026-11.example:disk"


class Watched(MemoryDisk):
    """Tells what became of it."""

    def __init__(self) -> None:
        super().__init__("1MiB")
        self.fate: list[str] = []

    async def close(self) -> None:
        self.fate.append("closed")
        await super().close()

    def abandon(self) -> None:
        self.fate.append("abandoned")


def unit(number: int) -> Unit:
    return Unit(LogicalUnit(number, target_name=NAME, blocks=2048), Watched())


@pytest.fixture
def stock() -> Stock:
    return Stock(NAME, [unit(0), unit(300)])


def test_units_are_found_by_their_numbers_and_by_all_fields_that_address_them(stock: Stock) -> None:
    first, second = stock
    assert (stock.unit(0), stock.unit(300)) == (first, second)
    assert stock.unit_of(second.logical) is second
    assert {id(each) for each in stock.by_field.values()} == {id(first), id(second)}
    for each in stock:
        assert all(stock.by_field[field] is each for field in each.fields)


def test_a_number_without_a_unit_is_an_error_of_who_asks(stock: Stock) -> None:
    with pytest.raises(UsageError, match=f"{NAME} has no LUN 1"):
        stock.unit(1)


def test_a_unit_that_comes_is_found_by_the_target_too(stock: Stock) -> None:
    new = unit(1)
    stock.add(new)
    assert stock.unit(1) is new
    assert stock.by_field[1 << 48] is new
    assert stock.target.units[1] is new.logical


def test_a_number_is_free_when_no_command_uses_its_unit_any_more(stock: Stock) -> None:
    gone = stock.withdraw(0)
    assert not gone.present
    with pytest.raises(UsageError, match="has no LUN 0"):
        stock.unit(0)
    assert stock.by_field[0] is gone
    with pytest.raises(UsageError, match=r"LUN 0 of .* is in use"):
        stock.add(unit(0))
    stock.forget(gone)
    with pytest.raises(BackendError, match="LUN 0 was taken away"):
        stock.unit_of(gone.logical)
    assert 0 not in stock.by_field
    assert gone not in list(stock)
    stock.add(unit(0))
    assert stock.unit(0) is not gone


def test_units_may_go_while_others_look_at_all_of_them(stock: Stock) -> None:
    for each in stock:
        stock.forget(each)
    assert list(stock) == []


async def test_disks_are_closed_and_given_up(stock: Stock) -> None:
    disks = [each.backend for each in stock]
    stock.abandon()
    await stock.close()
    assert [disk.fate for disk in disks if isinstance(disk, Watched)] == [
        ["abandoned", "closed"],
        ["abandoned", "closed"],
    ]
