"""Linux and open-iscsi as initiator: what an administrator does, over a real kernel."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.conftest import Initiator, wait_for
from tests.interop.serving import NAME, Serving, serving
from trioscsi.conformance.drivers.guest.machine import Guest

pytestmark = pytest.mark.guest

SECRET, OTHER = "a-secret-of-some-length", "another-secret-of-some-length"
AUTHORIZATION = 24
"""The status of iscsiadm for a login that was refused for who it is."""

USE = (
    "mount /dev/{disk} /mnt",
    "dd if=/dev/urandom of=/mnt/file bs=64k count=160 2>/dev/null",
    "sha256sum /mnt/file > /tmp/sum && sync && umount /mnt",
    "echo 3 > /proc/sys/vm/drop_caches && mount /dev/{disk} /mnt",
    "sha256sum -c /tmp/sum && umount /mnt",
    "e2fsck -fn /dev/{disk}",
)
"""A file is written, and read back from the disk."""


def use(guest: Guest, disk: str) -> None:
    guest.must(f"mkfs.ext4 -q -F /dev/{disk}", timeout=120)
    for command in USE:
        guest.must(command.format(disk=disk), timeout=120)


@pytest.fixture
def served(initiator: Initiator, tmp_path: Path) -> Iterator[Serving]:
    """A memory disk and a file."""
    disks = ["memory:64MiB", f"file:{tmp_path}/disk?size=64MiB"]
    with serving(
        tmp_path / "log", *initiator.advertise, *disks, listen=[initiator.listen]
    ) as server:
        yield server


def test_a_target_is_discovered_and_its_disks_are_used(
    initiator: Initiator, served: Serving
) -> None:
    assert initiator.discover() == f"{initiator.portal},1 {NAME}"
    initiator.log_in()
    for lun in (0, 1):
        use(initiator.guest, initiator.disk(lun))
    initiator.log_out()


@pytest.mark.parametrize(
    ("header", "data"), [("CRC32C", "CRC32C"), ("CRC32C", "None"), ("None", "CRC32C")]
)
def test_disks_are_used_with_digests(
    initiator: Initiator, served: Serving, header: str, data: str
) -> None:
    initiator.new_node()
    initiator.set("node.conn[0].iscsi.HeaderDigest", header)
    initiator.set("node.conn[0].iscsi.DataDigest", data)
    initiator.log_in()
    use(initiator.guest, initiator.disk())
    found = initiator.guest.must("iscsiadm -m session -P 2 | grep Digest")
    assert found.split() == ["HeaderDigest:", header, "DataDigest:", data]
    initiator.log_out()


@pytest.fixture
def guarded(initiator: Initiator, tmp_path: Path) -> Iterator[Serving]:
    secrets = tmp_path / "secrets"
    secrets.touch(mode=0o600)
    secrets.write_text(f"alice {SECRET}\ndisk {OTHER}\n")
    options = ["--chap-file", str(secrets), "--mutual-chap", "disk", "--discovery-chap"]
    with serving(
        tmp_path / "log",
        *initiator.advertise,
        *options,
        "memory:64MiB",
        listen=[initiator.listen],
    ) as server:
        yield server


def authenticate(initiator: Initiator, secret: str = SECRET, *, mutual: bool = False) -> None:
    initiator.set("node.session.auth.authmethod", "CHAP")
    initiator.set("node.session.auth.username", "alice")
    initiator.set("node.session.auth.password", secret)
    if mutual:
        initiator.set("node.session.auth.username_in", "disk")
        initiator.set("node.session.auth.password_in", OTHER)


@pytest.mark.parametrize("mutual", [False, True], ids=["one-way", "mutual"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA1", "SHA256", "SHA3-256"])
def test_chap_lets_in_who_knows_the_secret(
    initiator: Initiator, guarded: Serving, algorithm: str, mutual: bool
) -> None:
    initiator.new_node()
    authenticate(initiator, mutual=mutual)
    initiator.set("node.session.auth.chap_algs", algorithm)
    initiator.log_in()
    assert initiator.guest.must(f"blockdev --getsize64 /dev/{initiator.disk()}") == str(64 << 20)
    initiator.log_out()


@pytest.mark.parametrize("secret", ["a-wrong-secret-of-some-length", None])
def test_chap_keeps_out_who_does_not(
    initiator: Initiator, guarded: Serving, secret: str | None
) -> None:
    initiator.new_node()
    if secret is not None:
        authenticate(initiator, secret)
    done = initiator.guest.run(f"iscsiadm -m node -T {NAME} -p {initiator.portal} --login")
    assert done.status == AUTHORIZATION
    assert "AUTHENTICATION_FAILURE" in guarded.log.read_text()


def test_discovery_can_ask_for_a_proof_too(initiator: Initiator, guarded: Serving) -> None:
    record = f"iscsiadm -m discoverydb -t sendtargets -p {initiator.portal}"
    guest = initiator.guest
    guest.must(f"{record} -o new")
    assert guest.run(f"{record} --discover").status != 0
    for name, value in {"authmethod": "CHAP", "username": "alice", "password": SECRET}.items():
        guest.must(f"{record} -o update -n discovery.sendtargets.auth.{name} -v {value}")
    assert guest.must(f"{record} --discover") == f"{initiator.portal},1 {NAME}"
    guest.must(f"{record} -o delete")


def test_a_unit_is_reset(initiator: Initiator, served: Serving) -> None:
    initiator.new_node()
    initiator.log_in()
    disk = initiator.disk()
    initiator.guest.must(f"sg_reset -d /dev/{disk}")
    use(initiator.guest, disk)
    initiator.log_out()


def test_commands_that_take_too_long_are_aborted_and_the_disk_goes_on(
    initiator: Initiator, tmp_path: Path
) -> None:
    disks = ["memory:64MiB", "slow+memory:64MiB?write_ms=8000"]
    with serving(tmp_path / "log", "-v", *initiator.advertise, *disks, listen=[initiator.listen]):
        initiator.new_node()
        initiator.log_in()
        slow, fast, guest = initiator.disk(1), initiator.disk(0), initiator.guest
        guest.must(f"echo 2 > /sys/block/{slow}/device/timeout")
        guest.must("dmesg -c > /dev/null")
        write = f"dd if=/dev/zero of=/dev/{slow} bs=4k count=1 oflag=direct"
        guest.must(f"({write}; echo $? > /tmp/status) > /dev/null 2>&1 &")
        use(guest, fast)
        wait_for(lambda: guest.run("dmesg | grep -i -E 'abort|reset'").output or None, 60)
        assert guest.run(f"dd if=/dev/{slow} of=/dev/null bs=4k count=1 iflag=direct").status == 0
        initiator.log_out()


def test_a_server_that_is_killed_and_started_again_loses_nothing(
    initiator: Initiator, tmp_path: Path
) -> None:
    arguments = (tmp_path / "log", *initiator.advertise, f"file:{tmp_path}/disk?size=64MiB")
    guest = initiator.guest
    with Serving(*arguments, listen=[initiator.listen]) as server:
        initiator.new_node()
        initiator.log_in()
        disk = initiator.disk()
        guest.must("dd if=/dev/urandom of=/tmp/data bs=1M count=48 2> /dev/null")
        write = f"dd if=/tmp/data of=/dev/{disk} bs=64k oflag=direct conv=fsync"
        guest.must(f"rm -f /tmp/status; ({write}; echo $? > /tmp/status) > /tmp/said 2>&1 &")
        time.sleep(0.3)
        server.signal(signal.SIGKILL)
    with Serving(*arguments, listen=[initiator.listen]):
        status = wait_for(lambda: guest.run("cat /tmp/status 2> /dev/null").output or None, 90)
        assert status == "0", guest.must("cat /tmp/said; dmesg | tail")
        guest.must("echo 3 > /proc/sys/vm/drop_caches")
        guest.must(f"cmp -n {48 << 20} /tmp/data /dev/{disk}", timeout=90)
        initiator.log_out()


def test_two_paths_are_one_disk_and_one_of_them_is_enough(
    initiator: Initiator, tmp_path: Path
) -> None:
    guest, other = initiator.guest, Initiator(initiator.guest)
    one_path = Serving(tmp_path / "log", "memory:64MiB", listen=[initiator.listen, other.listen])
    with one_path:
        for path in (initiator, other):
            path.node(f"-o new -p {path.portal},1")
            path.log_in()
        names = wait_for(lambda: _two(guest.must("ls /sys/block | grep ^sd")))
        first, second = names.split()
        assert guest.must(f"sg_vpd -p di_lu -q /dev/{first}") == guest.must(
            f"sg_vpd -p di_lu -q /dev/{second}"
        )
        numbers = [guest.must(f"cat /sys/block/{name}/dev") for name in (first, second)]
        paths = " ".join(f"{number} 1000" for number in numbers)
        sectors = (64 << 20) // 512
        guest.must("modprobe dm-multipath; modprobe dm-round-robin || true")
        table = f"0 {sectors} multipath 0 0 1 1 round-robin 0 2 1 {paths}"
        guest.must(f"dmsetup create both --noudevsync --table '{table}' && dmsetup mknodes")
        guest.must("mkfs.ext4 -q -F /dev/mapper/both", timeout=120)
        guest.must("mount /dev/mapper/both /mnt")
        guest.must("dd if=/dev/urandom of=/mnt/file bs=64k count=100 2> /dev/null && sync")
        guest.must("sha256sum /mnt/file > /tmp/sum")
        other.log_out()
        guest.must("dd if=/dev/urandom of=/mnt/more bs=64k count=100 2> /dev/null && sync", 120)
        guest.must("umount /mnt && mount /dev/mapper/both /mnt && sha256sum -c /tmp/sum", 120)
        guest.must("umount /mnt && dmsetup remove --noudevsync both")
        initiator.log_out()


def _two(listed: str) -> str | None:
    names = listed.split()
    return " ".join(names) if len(names) == 2 else None


def test_a_disk_is_reserved_for_one_path(initiator: Initiator, tmp_path: Path) -> None:
    guest, other = initiator.guest, Initiator(initiator.guest)
    with Serving(tmp_path / "log", "memory:64MiB", listen=[initiator.listen, other.listen]):
        for path in (initiator, other):
            path.node(f"-o new -p {path.portal},1")
            path.log_in()
        first, second = wait_for(lambda: _two(guest.must("ls /sys/block | grep ^sd"))).split()
        persist = "sg_persist --no-inquiry"
        for key, name in (("0xa", first), ("0xb", second)):
            guest.must(f"{persist} --out --register --param-sark={key} /dev/{name}")
        keys = guest.must(f"{persist} --in --read-keys /dev/{first}")
        assert "0xa" in keys
        assert "0xb" in keys
        guest.must(f"{persist} --out --reserve --param-rk=0xa --prout-type=1 /dev/{first}")
        write = "dd if=/dev/zero of=/dev/{} bs=4k count=1 oflag=direct"
        assert guest.run(write.format(first)).status == 0
        assert guest.run(write.format(second)).status != 0
        guest.must(
            f"{persist} --out --preempt --prout-type=1 --param-rk=0xb --param-sark=0xa"
            f" /dev/{second}"
        )
        assert guest.run(write.format(second)).status == 0
        # The first call is told that somebody has preempted it.
        guest.run(f"sg_turs -n 2 /dev/{first}")
        assert "0xb" in guest.must(f"{persist} --in --read-reservation /dev/{first}")
        guest.must(f"{persist} --out --clear --param-rk=0xb /dev/{second}")
        for path in (initiator, other):
            path.log_out()


def test_units_come_change_their_size_and_go_while_the_guest_is_logged_in(
    initiator: Initiator,
) -> None:
    guest = initiator.guest
    script = Path(__file__).with_name("served.py")
    command = [sys.executable, script, str(initiator.port), NAME, initiator.portal]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def say(line: str) -> None:
            server.stdin.write(f"{line}\n")
            assert server.stdout.readline() == "done\n"

        assert server.stdout.readline() == "done\n"
        initiator.discover()
        initiator.log_in()
        use(guest, initiator.disk(0))
        say("add 3 16MiB")
        guest.must("iscsiadm -m session --rescan")
        disk = initiator.disk(3)
        use(guest, disk)
        say("resize 3 48MiB")
        # The next command is told that the capacity has changed; then it is read again.
        guest.run(f"sg_turs -n 2 /dev/{disk}; echo 1 > /sys/block/{disk}/device/rescan")
        assert guest.must(f"blockdev --getsize64 /dev/{disk}") == str(48 << 20)
        use(guest, disk)
        say("remove 3")
        read = f"dd if=/dev/{disk} of=/dev/null bs=4k count=1 iflag=direct"
        assert guest.run(read).status != 0
        guest.must(f"echo 1 > /sys/block/{disk}/device/delete")
        use(guest, initiator.disk(0))
        initiator.log_out()
        server.stdin.close()
        assert server.wait(10) == 0
