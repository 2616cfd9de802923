"""sg3_utils that change blocks, or tell what has become of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.generic import Generic
from tests.interop.serving import Serving, serving

Run = Callable[..., str]
KINDS = {
    "memory-512": ("memory:100MiB", 512),
    "memory-4096": ("memory:100MiB?block_size=4096", 4096),
    "file-512": ("{folder}/512.img?size=100MiB", 512),
    "file-4096": ("{folder}/4096.img?size=100MiB&block_size=4096", 4096),
}
ILLEGAL_REQUEST, MISCOMPARE = 5, 14
"""The exit statuses of sg3_utils that stand for these sense keys."""


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A disk of each kind."""
    folder = tmp_path_factory.mktemp("blocks")
    arguments = [disk.format(folder=folder) for disk, _ in KINDS.values()]
    with serving(folder / "log", *arguments) as server:
        yield server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def size(kind: str) -> int:
    """The block size of the disk."""
    return KINDS[kind][1]


@pytest.fixture
def run(generic: Generic, disks: Serving, kind: str) -> Run:
    """What a program says of the disk, which has no block that is stored."""
    url = disks.unit([*KINDS].index(kind))

    def run(*command: str, status: int = 0) -> str:
        return generic.run(*command, url, status=status)

    run("sg_sanitize", "--quick", "--wait", "--block")
    return run


@pytest.fixture
def block(tmp_path: Path, size: int) -> Path:
    """A file with what fills a block."""
    path = tmp_path / "block"
    path.write_bytes(b"b" * size)
    return path


def mapped(run: Run) -> list[tuple[int, int]]:
    """The blocks that are stored, and how many follow each other."""
    output = run("sg_get_lba_status", "--lba=0", "--maxlen=1024")
    assert "Command completed due to meeting capacity of medium" in output
    found = re.findall(r"^\[\d+\] LBA: 0x(\w+)  blocks: +(\d+)  (\w+)", output, re.MULTILINE)
    return [(int(lba, 16), int(count)) for lba, count, state in found if state == "mapped"]


def holds(run: Run, size: int, lba: int, fill: bytes, tmp_path: Path) -> bool:
    """Whether a block is full of this byte."""
    path = tmp_path / "expected"
    path.write_bytes(fill * size)
    verify = run("sg_verify", f"--in={path}", f"--ndo={size}", f"--lba={lba}", "--count=1")
    return verify.strip() == ""


@pytest.mark.parametrize("length", ["--10", "--16"])
def test_blocks_are_written_the_same_and_given_back(
    run: Run, size: int, block: Path, tmp_path: Path, length: str
) -> None:
    run("sg_write_same", length, f"--in={block}", "--lba=64", "--num=128", f"--xferlen={size}")
    assert mapped(run) == [(64, 128)]
    assert holds(run, size, 191, b"b", tmp_path)
    run("sg_unmap", "--force", "--lba=80", "--num=16")
    assert mapped(run) == [(64, 16), (96, 96)]
    run("sg_write_same", length, "--unmap", "--lba=96", "--num=32", f"--xferlen={size}")
    assert mapped(run) == [(64, 16), (128, 64)]
    for lba in (80, 96):
        assert holds(run, size, lba, b"\0", tmp_path)


def test_blocks_need_no_data_to_be_zeroes(run: Run, size: int, block: Path, tmp_path: Path) -> None:
    run("sg_write_same", f"--in={block}", "--lba=8", "--num=8", f"--xferlen={size}")
    run("sg_write_same", "--16", "--ndob", "--lba=8", "--num=4")
    assert holds(run, size, 11, b"\0", tmp_path)
    assert holds(run, size, 12, b"b", tmp_path)


def test_no_number_of_blocks_does_not_stand_for_all(run: Run, size: int, block: Path) -> None:
    arguments = "--lba=0", "--num=0", f"--in={block}", f"--xferlen={size}"
    output = run("sg_write_same", *arguments, status=ILLEGAL_REQUEST)
    assert "Illegal request" in output
    assert mapped(run) == []
    assert "Write same non-zero (WSNZ): 1" in run("sg_vpd", "--page=bl")


def test_blocks_are_compared_and_written(run: Run, size: int, tmp_path: Path) -> None:
    halves = tmp_path / "halves"
    halves.write_bytes(bytes(size) + b"n" * size)
    arguments = f"--in={halves}", "--lba=100", "--num=1", f"--xferlen={2 * size}"
    run("sg_compare_and_write", *arguments)
    assert holds(run, size, 100, b"n", tmp_path)
    again = run("sg_compare_and_write", *arguments, status=MISCOMPARE)
    assert "Miscompare at byte offset: 0" in again


@pytest.mark.parametrize(
    "command",
    [
        ["sg_write_verify"],
        ["sg_write_verify", "--16", "--bytchk=1"],
        ["sg_write_x", "--normal"],
        ["sg_write_x", "--or"],
        ["sg_write_x", "--atomic=0"],
    ],
    ids=" ".join,
)
def test_blocks_are_written_in_all_ways(
    run: Run, size: int, block: Path, tmp_path: Path, command: list[str]
) -> None:
    length = [f"--ilen={size}"] if command[0] == "sg_write_verify" else []
    run(*command, f"--in={block}", *length, "--lba=200", "--num=1")
    assert holds(run, size, 200, b"b", tmp_path)


def test_sanitizing_leaves_nothing(run: Run, size: int, block: Path, tmp_path: Path) -> None:
    write = "sg_write_same", f"--in={block}", "--lba=64", "--num=8", f"--xferlen={size}"
    sanitize = "sg_sanitize", "--quick", "--wait"
    pattern = tmp_path / "pattern"
    pattern.write_bytes(b"p" * size)
    for way in ("--block", "--crypto"):
        run(*write)
        run(*sanitize, way)
        assert mapped(run) == []
    run(*sanitize, "--overwrite", f"--pattern={pattern}")
    assert mapped(run) == [(0, (100 << 20) // size)]
    assert holds(run, size, 64, b"p", tmp_path)
    run(*sanitize, "--fail")


@pytest.mark.parametrize("options", [["--wait"], ["--wait", "--ip-def"], []], ids=str)
def test_formatting_leaves_nothing_either(
    run: Run, size: int, block: Path, options: list[str]
) -> None:
    run("sg_write_same", f"--in={block}", "--lba=64", "--num=8", f"--xferlen={size}")
    output = run("sg_format", "--format", "--quick", "--early", *options)
    assert f"Block size={size} " in output
    # Without --wait it is answered before it is done; and the first to ask is told of it.
    assert any("with 0 errors" in run("sg_turs", "--number=2") for _ in range(1000))
    assert mapped(run) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["sg_reassign", "--address=5"], ""),
        (["sg_reassign", "--grown"], "Elements in grown defect list: 0"),
        (["sg_referrals"], "port group 1 state (active/optimized)"),
        (["sg_bg_ctl", "--ctl=0"], ""),
        (["sg_read_buffer", "--mode=desc"], ""),
        (["sg_read_buffer", "--mode=err_hist"], ""),
    ],
    ids=str,
)
def test_what_else_can_be_asked_of_a_medium(run: Run, command: list[str], says: str) -> None:
    assert says in run(*command)
