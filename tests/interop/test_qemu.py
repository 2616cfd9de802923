"""QEMU's block layer: whole file systems, patterns, two clients at once."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from random import Random

import pytest

from tests.interop.serving import Serving, serving
from tests.interop.tools import run, tool

SIZE = 256 << 20


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext4 file system with real files in it, and with holes."""
    folder = tmp_path_factory.mktemp("image")
    tree = folder / "tree"
    unwanted = shutil.ignore_patterns("*-packages", "__pycache__", "test", "tests", "config-*")
    shutil.copytree(sysconfig.get_path("stdlib"), tree, ignore=unwanted, symlinks=True)
    (tree / "random").write_bytes(Random(4711).randbytes(20 << 20))
    image = folder / "image"
    run("mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(image), f"{SIZE >> 10}k")
    shutil.rmtree(tree)
    return image


@pytest.mark.parametrize("block_size", [512, 4096])
@pytest.mark.parametrize("disk", ["memory:{size}", "file:{folder}/disk?size={size}"])
def test_a_file_system_comes_back_as_it_went(
    image: Path, tmp_path: Path, disk: str, block_size: int
) -> None:
    url = disk.format(size=SIZE, folder=tmp_path)
    back = tmp_path / "back"
    with serving(tmp_path / "log", url, "--block-size", str(block_size)) as server:
        convert = ("qemu-img", "convert", "-f", "raw", "-O", "raw")
        run(*convert, "-n", "--target-is-zero", str(image), server.url)
        run(*convert, server.url, str(back))
    run("cmp", str(image), str(back))
    run("e2fsck", "-fn", str(back))
    back.unlink()


def check(output: str, *, wrote: int, read: int) -> None:
    """Whether qemu-io did all that it was told, and found what it expected."""
    assert "Pattern verification failed" not in output
    assert (output.count("wrote "), output.count("read ")) == (wrote, read), output


def arguments(url: str, commands: list[str]) -> list[str]:
    return ["-f", "raw", *(word for command in commands for word in ("-c", command)), url]


@pytest.mark.parametrize("unit", [0, 1], ids=["512", "4096"])
def test_patterns_of_many_sizes_come_back(server: Serving, unit: int) -> None:
    # Each region ends before the next begins.
    regions = list(enumerate(["4k", "8k", "64k", "256k", "1M", "4M", "16M"]))
    writes = [f"write -P {n + 1} {4 * n}M {size}" for n, size in regions]
    reads = [f"read -P {n + 1} {4 * n}M {size}" for n, size in regions]
    output = run("qemu-io", *arguments(server.unit(unit), [*writes, "flush", *reads]))
    check(output, wrote=len(regions), read=len(regions))


def test_requests_that_overlap_in_time_are_all_done(server: Serving) -> None:
    writes = [f"aio_write -P {n + 1} {n * 256}k 256k" for n in range(64)]
    reads = [f"aio_read -P {n + 1} {n * 256}k 256k" for n in range(64)]
    commands = [*writes, "aio_flush", *reads, "aio_flush"]
    check(run("qemu-io", *arguments(server.url, commands)), wrote=64, read=64)


def test_two_clients_at_once_do_not_disturb_one_another(server: Serving) -> None:
    clients = []
    for place, pattern in ((0, 0xA5), (32, 0x5A)):
        commands = [
            f"{verb} -P {pattern} {place + offset}M 2M"
            for offset in range(0, 32, 2)
            for verb in ("write", "read")
        ]
        clients.append(
            subprocess.Popen(
                [tool("qemu-io"), *arguments(server.url, commands)],
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for client in clients:
        output, _ = client.communicate(timeout=60)
        assert client.returncode == 0, output
        check(output, wrote=16, read=16)
    both = ["read -P 0xa5 0 32M", "read -P 0x5a 32M 32M"]
    check(run("qemu-io", *arguments(server.url, both)), wrote=0, read=2)


def test_an_image_of_a_disc_is_read_as_a_cd_rom(tmp_path: Path) -> None:
    image, back = tmp_path / "install.iso", tmp_path / "back"
    image.write_bytes(Random(11).randbytes(6 << 20))
    with serving(tmp_path / "log", str(image)) as server:
        assert "virtual size: 6 MiB" in run("qemu-img", "info", server.url)
        run("qemu-img", "convert", "-f", "raw", "-O", "raw", server.url, str(back))
    run("cmp", str(image), str(back))


def test_a_full_pool_is_no_space_and_discarding_makes_room(tmp_path: Path) -> None:
    with serving(tmp_path / "log", "thin+memory:1TiB?pool=8MiB") as server:
        commands = [
            "write 0 4M",
            "write 512G 8M",
            "discard 0 4M",
            "write 512G 8M",
            "read -P 0 0 4M",
        ]
        output = run("qemu-io", *arguments(server.url, commands), status=1)
    assert "write failed: No space left on device" in output
    check(output, wrote=2, read=1)
