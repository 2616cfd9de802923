from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioscsi.backends.sizes import count_blocks, format_size, parse_size, physical_block
from trioscsi.errors import UsageError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("512", 512),
        ("512B", 512),
        ("100MiB", 100 * 2**20),
        ("100 MiB", 100 * 2**20),
        ("1g", 2**30),
        ("1T", 2**40),
        ("1GB", 10**9),
        ("4kB", 4000),
        ("1.5GiB", 3 * 2**29),
        ("7EiB", 7 * 2**60),
        (4096, 4096),
    ],
)
def test_a_size_is_a_number_and_a_unit(text: str | int, number: int) -> None:
    assert parse_size(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "big", "MiB", "1 X", "-1", "1e3", "0", 0, -512, "8EiB", "1.5", "0.0001k", "٣", "9" * 30],
)
def test_anything_else_is_refused(text: str | int) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@given(st.text())
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    with suppress(UsageError):
        assert parse_size(text) > 0


@given(st.integers(1, 2**63 - 1))
def test_a_size_that_is_written_can_be_read(number: int) -> None:
    assert parse_size(format_size(number)) == number


def test_a_size_is_one_that_the_offsets_of_a_file_can_say() -> None:
    assert parse_size("7.5EiB") == 15 * 2**59
    with pytest.raises(UsageError, match="8EiB is out of range: 1 byte at least, less than 8 EiB"):
        parse_size("8EiB")


def test_a_size_is_written_with_the_largest_unit_that_is_exact() -> None:
    assert [format_size(n) for n in (0, 513, 1536 * 2**20, 2**40)] == [
        "0 B",
        "513 B",
        "1536 MiB",
        "1 TiB",
    ]


def test_a_physical_block_is_a_page_or_what_is_asked_for() -> None:
    assert [physical_block(None, block_size) for block_size in (512, 4096)] == [4096, 4096]
    assert [physical_block(size, 512) for size in (512, 4096, 65_536)] == [512, 4096, 65_536]


@pytest.mark.parametrize("size", [0, 512, 5000, 131_072, -4096])
def test_a_physical_block_is_at_least_a_block_and_a_power_of_two(size: int) -> None:
    with pytest.raises(UsageError, match="take a power of two from 4096 to 65536"):
        physical_block(size, 4096)


def test_a_disk_is_a_whole_number_of_blocks() -> None:
    assert count_blocks(8192, 4096) == 2
    with pytest.raises(UsageError, match="the next one is 1024"):
        count_blocks(1023, 512)
    with pytest.raises(UsageError, match="block size of 500"):
        count_blocks(1000, 500)
