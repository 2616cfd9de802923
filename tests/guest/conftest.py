"""One guest for all tests here, and what they say to it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.interop.serving import NAME
from tests.interop.tools import tool
from trioscsi.conformance.drivers.guest.image import PROGRAMS, build
from trioscsi.conformance.drivers.guest.machine import HOST, Guest


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("linux.uml", "slirp4netns", "busybox", "mke2fs", *PROGRAMS):
        tool(name)
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def guest(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    with Guest(image, tmp_path_factory.mktemp("guest")) as guest:
        yield guest


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@attrs.define
class Initiator:
    """open-iscsi in the guest, and the target that it talks to."""

    guest: Guest
    port: int = attrs.field(factory=free_port)

    @property
    def portal(self) -> str:
        """As the guest sees it."""
        return f"{HOST}:{self.port}"

    @property
    def listen(self) -> str:
        """As this machine sees it."""
        return f"127.0.0.1:{self.port}"

    @property
    def advertise(self) -> tuple[str, str]:
        """The option that tells the target what the guest calls it."""
        return "--advertise", self.portal

    def discover(self) -> str:
        return self.guest.must(f"iscsiadm -m discovery -t sendtargets -p {self.portal}")

    def new_node(self, **settings: str) -> None:
        """A record of the target, without asking for it."""
        self.node(f"-o new -p {self.portal},1")
        for name, value in settings.items():
            self.set(name.replace("__", "."), value)

    def node(self, arguments: str) -> str:
        return self.guest.must(f"iscsiadm -m node -T {NAME} {arguments}")

    def set(self, name: str, value: str) -> None:
        self.node(f"-p {self.portal} -o update -n {name} -v {value}")

    def log_in(self) -> None:
        self.node(f"-p {self.portal} --login")

    def log_out(self) -> None:
        self.node(f"-p {self.portal} --logout")

    def disk(self, lun: int = 0) -> str:
        """The name of the disk, once it is there: ``sda``."""
        command = "for d in /sys/class/scsi_disk/*; do echo $d $(ls $d/device/block); done"

        def found() -> str | None:
            for line in self.guest.must(command).splitlines():
                address, _, name = line.rpartition("/")[2].partition(" ")
                if address.rpartition(":")[2] == str(lun) and name:
                    return name
            return None

        return wait_for(found)


def wait_for(found: Callable[[], str | None], seconds: float = 30) -> str:
    """What is found, as soon as it is."""
    until = time.monotonic() + seconds
    while True:
        result = found()
        if result is not None:
            return result
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.1)


@pytest.fixture
def initiator(guest: Guest) -> Iterator[Initiator]:
    initiator = Initiator(guest)
    yield initiator
    guest.run("umount /mnt; iscsiadm -m node -u; iscsiadm -m node -o delete", timeout=120)
