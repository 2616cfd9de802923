"""The root of the guest: Debian's programs from this machine, their libraries, an init script."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from trioscsi.conformance.drivers.guest.programs import program, require
from trioscsi.errors import DriverError

PROGRAMS = (
    "bash",
    "iscsid",
    "iscsiadm",
    "mkfs.ext4",
    "e2fsck",
    "sg_persist",
    "sg_reset",
    "sg_inq",
    "sg_turs",
    "sg_vpd",
    "sg_opcodes",
    "sg_logs",
    "sg_unmap",
    "sg_write_same",
    "sg_get_lba_status",
    "sg_xcopy",
    "sg_sanitize",
    "sg_readcap",
    "sg_raw",
    "sg_luns",
    "sg_dd",
    "dmsetup",
    "blockdev",
    "dd",
    "timeout",
    "sha256sum",
    "setsid",
    "find",
    "kmod",
    "lsblk",
)
"""What is run in the guest; everything else is busybox."""

FILES = {
    "etc/iscsi/iscsid.conf": "node.startup = manual\niscsid.startup = /usr/bin/iscsid\n",
    "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.1993-08.org.debian:01:guest\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
}
MODULES = Path("/usr/lib/uml/modules")
SIZE = "192M"

INIT = """#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/lock/iscsi
mount -t tmpfs tmp /tmp
exec </dev/tty0 >/dev/tty0 2>&1
stty -echo -onlcr
echo 1 > /proc/sys/kernel/printk
hostname guest
ip link set lo up
ip link set vec0 up
ip address add 10.0.2.15/24 dev vec0
ip route add default via 10.0.2.2
modprobe iscsi_tcp
modprobe sd_mod
modprobe sg
iscsid
echo "guest: ready"
while read -r line; do
    eval "$line" </dev/null 2>&1
    echo "guest: status $?"
done
poweroff -f
"""


def build(folder: Path, more: Mapping[str, str] | None = None) -> Path:
    """An ext4 image with all of it, in ``folder``; raises DriverError if something is missing.

    ``more`` has texts by the names of files that are there besides, or instead.
    """
    require(["busybox", "mke2fs", *PROGRAMS])
    modules = _modules()
    tree = folder / "tree"
    for name in ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "mnt", "root", "var/lib/iscsi"):
        (tree / name).mkdir(parents=True)
    _copy(program("busybox"), tree / "bin" / "busybox")
    for name in PROGRAMS:
        path = program(name)
        _copy(path.resolve(), tree / "usr" / "bin" / name)
        for library in _libraries(path):
            _copy(library, tree / library.relative_to("/"))
    for name in ("modprobe", "lsmod"):
        (tree / "usr" / "bin" / name).symlink_to("kmod")
    shutil.copytree(modules, tree / "lib" / "modules" / modules.name)
    for name, text in {**FILES, **(more or {})}.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    init = tree / "init"
    init.write_text(INIT)
    init.chmod(0o755)
    image = folder / "root.img"
    command = ["-q", "-t", "ext4", "-d", str(tree), str(image), SIZE]
    made = subprocess.run(
        [program("mke2fs"), *command], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise DriverError(f"no image of a guest: {made.stderr.strip()}")
    return image


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, and what loads them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    words = (word for line in listed.splitlines() for word in line.split())
    return [Path(word) for word in words if word.startswith("/")]


def _modules() -> Path:
    """The modules of the kernel that is installed."""
    for folder in sorted(MODULES.glob("*")):
        return folder
    raise DriverError(f"{MODULES} is empty; on Debian: apt-get install user-mode-linux")
