"""iPXE boots from the target: the first sector of a disk, run by a machine without a disk."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.guest.conftest import free_port
from tests.interop.serving import NAME, Serving
from tests.interop.tools import tool

pytestmark = pytest.mark.guest

SECRET = "a-secret-of-some-length"
GREETING = b"booted from iSCSI"
EXIT = 0x10
"""What the boot sector says to the machine to end it; the machine ends with 2 * EXIT + 1."""


def boot_sector() -> bytes:
    """Sends the greeting to the first serial port, then ends the machine."""
    code = b"\xba\xf8\x03"  # mov dx, 3f8h
    for byte in GREETING:
        code += bytes((0xB0, byte, 0xEE))  # mov al, byte; out dx, al
    code += b"\xba\xf4\x00" + bytes((0xB0, EXIT, 0xEE))  # mov dx, f4h; mov al, EXIT; out dx, al
    code += b"\xf4\xeb\xfd"  # hlt; jump to it
    return code.ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(boot_sector())
    os.truncate(path, 64 << 20)  # a smaller one has no whole cylinder, as BIOSes count
    return path


def boot(folder: Path, port: int, *settings: str) -> bytes:
    """What the machine has sent to its serial port; it has to end as the boot sector says."""
    (folder / "tftp").mkdir()
    lines = ["#!ipxe", "set initiator-iqn iqn.2025-12.test:ipxe", *settings]
    lines.append(f"sanboot iscsi:10.0.2.2::{port}:0:{NAME}")
    (folder / "tftp" / "boot.ipxe").write_text("\n".join([*lines, ""]))
    serial = folder / "serial"
    command = [
        *(tool("qemu-system-x86_64"), "-M", "pc", "-accel", "tcg", "-m", "64M", "-no-reboot"),
        *("-display", "none", "-monitor", "none", "-serial", f"file:{serial}", "-boot", "n"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
        *("-device", "virtio-net-pci,netdev=net"),
        *("-netdev", f"user,id=net,tftp={folder / 'tftp'},bootfile=boot.ipxe"),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 2 * EXIT + 1, done.stderr.decode(errors="replace")
    return serial.read_bytes()


def test_ipxe_boots_a_disk(disk: Path, tmp_path: Path) -> None:
    port = free_port()
    with Serving(tmp_path / "log", str(disk), listen=[f"127.0.0.1:{port}"]):
        assert GREETING in boot(tmp_path, port)


def test_ipxe_proves_itself_and_boots(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIOSCSI_CHAP_SECRET", SECRET)
    port = free_port()
    options = ["--chap", "alice", str(disk)]
    with Serving(tmp_path / "log", *options, listen=[f"127.0.0.1:{port}"]):
        credentials = ("set username alice", f"set password {SECRET}")
        assert GREETING in boot(tmp_path, port, *credentials)
