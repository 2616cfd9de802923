"""Other people's programs, and the Debian packages that they are in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from trioscsi.errors import DriverError

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_PACKAGES = {
    "linux.uml": "user-mode-linux",
    "slirp4netns": "slirp4netns",
    "busybox": "busybox-static",
    "iscsid": "open-iscsi",
    "iscsiadm": "open-iscsi",
    "mke2fs": "e2fsprogs",
    "mkfs.ext4": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "kmod": "kmod",
    "dmsetup": "dmsetup",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
}


def program(name: str) -> Path:
    """Where a program is; raises DriverError with the package to install if it is nowhere."""
    require([name])
    return Path(shutil.which(name, path=_PATH) or name)


def require(names: Iterable[str]) -> None:
    """Raises DriverError, with all packages to install, if programs are not there."""
    missing = [name for name in names if shutil.which(name, path=_PATH) is None]
    if missing:
        packages = sorted({package(name) for name in missing})
        raise DriverError(
            f"{', '.join(missing)} not found; on Debian: apt-get install {' '.join(packages)}"
        )


def package(name: str) -> str:
    """The Debian package of a program."""
    if name.startswith("sg_"):
        return "sg3-utils"
    if name.startswith("iscsi-"):
        return "libiscsi-bin"
    return _PACKAGES.get(name, name)
