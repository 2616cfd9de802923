from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trioscsi.backends import (
    Abilities,
    Failing,
    FileDisk,
    MemoryDisk,
    NullDisk,
    PatternDisk,
    ReadOnly,
    Slow,
    Thin,
    open_disk,
)
from trioscsi.backends.url import SCHEMES, WRAPPERS, parse_ranges
from trioscsi.errors import BackendError, UsageError


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("url", "kind", "blocks"),
    [
        ("memory:1MiB", MemoryDisk, 2048),
        ("memory:1MiB?block_size=4096", MemoryDisk, 256),
        ("MEMORY:1MiB", MemoryDisk, 2048),
        ("null:1TiB", NullDisk, 2**31),
        ("pattern:1GiB", PatternDisk, 2**21),
        ("disk.img?size=1MiB", FileDisk, 2048),
        ("file:disk.img?size=1MiB", FileDisk, 2048),
        ("readonly+memory:1MiB", ReadOnly, 2048),
        ("slow+readonly+memory:1MiB", Slow, 2048),
        ("thin+memory:1TiB?pool=1GiB", Thin, 2**31),
        ("failing+memory:1MiB?read=7&after=1", Failing, 2048),
    ],
)
def test_a_url_makes_a_disk(url: str, kind: type, blocks: int) -> None:
    disk = open_disk(url)
    assert type(disk) is kind
    assert disk.blocks == blocks


@pytest.mark.parametrize(
    "url", ["memory:1MiB", "null:1MiB", "pattern:1MiB", "disk.img?size=1MiB", "slow+memory:1MiB"]
)
def test_physical_blocks_are_pages_or_as_the_url_or_the_caller_says(url: str) -> None:
    def physical(url: str, size: int | None = None) -> int | None:
        disk = open_disk(url, physical_block_size=size)
        found = Abilities.of(disk).physical_block_size
        trio.run(getattr(disk, "close", trio.lowlevel.checkpoint))
        return found

    assert physical(url) == 4096
    assert physical(url, 8192) == 8192
    option = "&" if "?" in url else "?"
    assert physical(f"{url}{option}physical_block_size=512", 8192) == 512
    with pytest.raises(UsageError, match="physical block size of 100 "):
        physical(f"{url}{option}physical_block_size=100")


@pytest.mark.parametrize(
    "url", ["file:{}?size=512", "file://{}?size=512", "file://localhost{}?size=512", "{}?size=512"]
)
def test_a_file_has_many_names(url: str, tmp_path: Path) -> None:
    open_disk(url.format(tmp_path / "disk.img"))
    assert (tmp_path / "disk.img").stat().st_size == 512


def test_a_file_url_can_say_any_name_and_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    open_disk("file:a%3Fb.img?size=512")
    open_disk("c%3Fd.img?size=512")
    open_disk("./e:f.img?size=512")
    assert {path.name for path in tmp_path.iterdir()} == {"a?b.img", "c%3Fd.img", "e:f.img"}


def test_the_block_size_is_that_of_the_url_or_of_the_caller() -> None:
    assert open_disk("memory:1MiB", block_size=4096).block_size == 4096
    assert open_disk("memory:1MiB?block_size=512", block_size=4096).block_size == 512


@pytest.mark.parametrize("prefix", ["", "readonly+"])
async def test_a_disk_can_be_protected_by_either_means(prefix: str) -> None:
    disk = open_disk(f"{prefix}memory:1MiB", read_only=not prefix)
    assert type(disk) is ReadOnly
    assert type(disk.disk) is MemoryDisk
    with pytest.raises(BackendError):
        await disk.write(0, bytes(512))


@pytest.mark.parametrize("url", ["readonly+file:disk.img", "file:disk.img?read_only=yes"])
async def test_a_protected_file_is_opened_for_reading_only(url: str) -> None:
    FileDisk("disk.img", size=512)
    first, second = open_disk(url), open_disk(url)
    assert getattr(first, "read_only", False)
    assert await second.read(0, 1) == bytes(512)


async def test_the_outermost_wrapper_is_written_first(autojump_clock: MockClock) -> None:
    disk = open_disk("slow+failing+memory:1MiB?write_ms=500&write=all")
    with pytest.raises(BackendError):
        await disk.write(0, bytes(512))
    assert trio.current_time() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "the name of the file is missing"),
        ("file:", "the name of the file is missing"),
        ("floppy:1MiB", "no scheme 'floppy', only file, memory, null, path, pattern"),
        ("fast+memory:1MiB", "no wrapper 'fast', only cdrom, failing, readonly, slow"),
        ("memory:", "is not a size"),
        ("memory:1MiB?size=2MiB", "no option size, only block_size"),
        (
            "slow+memory:1MiB?speed=9",
            "only block_size, flush_ms, physical_block_size, read_ms",
        ),
        ("memory:1MiB?block_size", "write options as"),
        ("memory:1MiB?block_size=big", "the option block_size is not possible"),
        ("memory:1MiB?block_size=100", "block size of 100"),
        ("disk.img?size=1MiB&size=2MiB", "an option is given twice"),
        ("slow+memory:1MiB?read_ms=-1", "the option read_ms is not possible: -1 ms"),
        ("slow+memory:1MiB?read_ms=nan", "the option read_ms is not possible: nan ms"),
        ("failing+memory:1MiB?write=x", "'x' are not LBAs"),
        ("failing+memory:1MiB?write=1,5-3", "'1,5-3' has a range that ends before it begins"),
        ("failing+memory:1MiB?after=-1", "the option after is not possible: -1 is less than none"),
        ("failing+memory:1MiB?flush=perhaps", "'perhaps' is neither yes nor no"),
        ("file://server/disk.img", "another host, 'server'"),
        ("disk.img", "there is no disk.img: give a size"),
        (
            "disk.img?sise=1MiB",
            "no option sise, only block_size, physical_block_size,",
        ),
    ],
)
def test_every_refusal_says_what_is_possible(url: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_disk(url)
    assert says in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_lbas_are_ranges_with_both_ends() -> None:
    assert parse_ranges("0-99,4711") == (range(100), range(4711, 4712))
    assert parse_ranges("all")[0].stop > 2**62


@given(
    st.sampled_from([*SCHEMES, *WRAPPERS, "slow+memory", ""]),
    st.text(st.characters(exclude_characters="/")),
)
def test_no_text_makes_it_fail_otherwise(word: str, rest: str) -> None:
    # Nothing is opened: neither a file that exists nor one that could be made.
    if word in ("file", "path", ""):
        rest = "missing/" + rest.replace("?", "")
    with suppress(UsageError, BackendError):
        open_disk(f"{word}:{rest}")


@pytest.mark.parametrize("url", ["{}", "file:{}", "readonly+file:{}", "cdrom+file:{}", "cdrom+{}"])
def test_an_image_of_a_disc_is_a_cd_rom(tmp_path: Path, url: str) -> None:
    if url == "cdrom+{}":
        url = "cdrom+path:{}"
    path = tmp_path / "Install.ISO"
    path.write_bytes(bytes(8192))
    able = Abilities.of(disk := open_disk(url.format(path), block_size=4096))
    assert (able.optical, able.read_only) == (True, True)
    assert (disk.block_size, disk.blocks) == (2048, 4)


def test_other_disks_become_cd_roms_when_they_are_told_to() -> None:
    able = Abilities.of(disk := open_disk("slow+cdrom+memory:1MiB?read_ms=0"))
    assert (able.optical, able.read_only, disk.block_size) == (True, True, 2048)
    assert not Abilities.of(open_disk("memory:1MiB")).optical


def test_a_cd_rom_has_blocks_of_its_own_size() -> None:
    with pytest.raises(UsageError, match="blocks of 2048 bytes, not 512"):
        open_disk("cdrom+memory:1MiB?block_size=512")
