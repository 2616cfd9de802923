"""Linux and open-iscsi: a guest that is booted once, and then does one drive after the other."""

from __future__ import annotations

import math
import shlex
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trio

from trioscsi.conformance.bench.play import PATTERN
from trioscsi.conformance.bench.scenario import Ability, Drive
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.guest.image import PROGRAMS, build
from trioscsi.conformance.drivers.guest.machine import HOST, Guest
from trioscsi.conformance.drivers.guest.programs import require
from trioscsi.errors import DriverError

_SCRIPT = Path(__file__).with_name("guest") / "drives.sh"
_WRONG = 3
"""The status by which the guest tells of wrong data: see drives.sh."""
_ANSWER = 20.0
"""Seconds within which the guest answers to anything; one that does not is booted again."""
_POLL = 0.1
_SAID, _OUTPUT = 400, 2**20
"""Characters of what it says that are kept: for a verdict, and for what is listed."""

DRIVES: Mapping[Drive, str] = {
    Drive.LOGIN: "login",
    Drive.RELOGIN: "relogin",
    Drive.LOGINS: "logins",
    Drive.TWO_SESSIONS: "two_sessions",
    Drive.DISCOVERY: "discovery",
    Drive.DISCOVERY_LOGIN: "discovery_login",
    Drive.SCAN: "scan_units",
    Drive.READ: "read_much",
    Drive.SMALL_WRITE: "write_little",
    Drive.WRITE: "write_much",
    Drive.PARALLEL_READ: "parallel_read",
    Drive.PARALLEL_WRITE: "parallel_write",
    Drive.MIXED: "mixed",
    Drive.IDLE: "idle",
    Drive.PING: "ping",
    Drive.ABORT: "abort",
    Drive.RESET: "reset",
    Drive.TARGET_RESET: "target_reset",
    Drive.RECOVER: "recover",
    Drive.SHORT_READ: "short_read",
    Drive.LONG_CDB: "long_cdb",
}
"""The function in drives.sh that does it."""

_FAST = {
    "iscsid.startup": "/usr/bin/iscsid",
    "node.startup": "manual",
    "node.session.scan": "manual",
    "node.session.initial_login_retry_max": 1,
    "node.session.timeo.replacement_timeout": 20,
    "node.session.err_timeo.abort_timeout": 3,
    "node.session.err_timeo.lu_reset_timeout": 3,
    "node.session.err_timeo.tgt_reset_timeout": 3,
    "node.conn[0].timeo.login_timeout": 7,
    "node.conn[0].timeo.logout_timeout": 5,
    "node.conn[0].timeo.noop_out_interval": 0,
    "node.conn[0].timeo.noop_out_timeout": 0,
    "discovery.sendtargets.timeo.login_timeout": 5,
    "discovery.sendtargets.reopen_max": 1,
}
"""What open-iscsi is told before anything else: to give up early, and not to ping."""

_OFFERS = {
    "header_digests": "node.conn[0].iscsi.HeaderDigest",
    "data_digests": "node.conn[0].iscsi.DataDigest",
    "initial_r2t": "node.session.iscsi.InitialR2T",
    "immediate_data": "node.session.iscsi.ImmediateData",
    "first_burst_length": "node.session.iscsi.FirstBurstLength",
    "max_burst_length": "node.session.iscsi.MaxBurstLength",
    "max_outstanding_r2t": "node.session.iscsi.MaxOutstandingR2T",
    "max_recv_data_segment_length": "node.conn[0].iscsi.MaxRecvDataSegmentLength",
    "default_time2wait": "node.session.iscsi.DefaultTime2Wait",
    "default_time2retain": "node.session.iscsi.DefaultTime2Retain",
    "first_cmd_sn": "node.session.initial_cmdsn",
}
"""The setting for what a scenario wants to be offered, where there is one."""


def settings(where: Where) -> dict[str, str]:
    """What open-iscsi is told of this target, by the names of its settings."""
    told = {_OFFERS[name]: _value(value) for name, value in where.offer.items() if name in _OFFERS}
    if where.user is not None:
        told["node.session.auth.authmethod"] = "CHAP"
        told["node.session.auth.username"] = where.user
        told["node.session.auth.password"] = where.secret or ""
    if where.target_user is not None:
        told["node.session.auth.username_in"] = where.target_user
        told["node.session.auth.password_in"] = where.target_secret or ""
    return told


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def script(drive: Drive, where: Where) -> str:
    """One line of shell that does it."""
    told = " ".join(f"{name}={value}" for name, value in settings(where).items())
    variables = {"IQN": where.iqn, "HOST": where.host, "PORT": where.port, "LUN": where.lun}
    variables |= {"PATTERN": f"{PATTERN:03o}", "SETTINGS": told}
    given = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in variables.items())
    return f"{given}; . /lib/drives.sh; {DRIVES[drive]}"


def ending(status: int, output: str) -> Ending:
    """How a drive has ended, by the status of its script and what that has printed."""
    said = [line for line in output.splitlines() if line.strip()]
    says = said[-1][:_SAID] if said else ""
    if status == 0:
        return Ending(How.DONE, output=output[:_OUTPUT])
    how = How.WRONG_DATA if status == _WRONG else How.FAILED
    return Ending(how, says, output[:_OUTPUT])


class LinuxDriver:
    """A guest under User-Mode Linux; it is booted when it is needed for the first time."""

    name = "Linux with open-iscsi"
    drives = frozenset(DRIVES)
    abilities = frozenset(
        {
            Ability.CHAP,
            Ability.MUTUAL_CHAP,
            Ability.DIGESTS,
            Ability.OFFERS,
            Ability.ONE_NODE,
            Ability.RECOVERS,
            Ability.CHECKS_DATA,
            Ability.TIMES_OUT,
        }
    )
    reaches_us_at = HOST
    at_once = 4

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._image: Path | None = None
        self._guest: Guest | None = None
        self._turn = trio.Lock()
        self._boots = 0

    def open(self) -> None:
        """See `Driver`."""
        require(["linux.uml", "slirp4netns", "busybox", "mke2fs", *PROGRAMS])

    def close(self) -> None:
        """See `Driver`."""
        if self._guest is not None:
            self._guest.kill()
            self._guest = None
        self._stack.close()
        self._image = None

    async def prepare(self) -> None:
        """See `Driver`."""
        await self._booted()

    async def drive(self, drive: Drive, where: Where) -> Ending:
        """See `Driver`."""
        guest = None
        try:
            guest = await self._booted()
            return await self._do(guest, drive, where)
        except DriverError as error:
            await self._lost(guest)
            return Ending(How.UNKNOWN, str(error))
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(_ANSWER):
                await self._clear_up(guest, drive, where)

    async def _do(self, guest: Guest, drive: Drive, where: Where) -> Ending:
        job = f"/tmp/job.{where.port}"
        line = f"({script(drive, where)}) > {job} 2>&1; echo $? > {job}.status"
        await self._say(guest, f"setsid sh -c {shlex.quote(line)} & echo $! > {job}.pid")
        while True:
            await trio.sleep(_POLL)
            # There is no process to start for this: it is cheap.
            poll = f"[ -s {job}.status ] && read -r n < {job}.status && echo $n"
            status = (await self._say(guest, poll)).strip()
            if status.isdecimal():
                return ending(int(status), await self._say(guest, f"cat {job}"))

    async def _clear_up(self, guest: Guest | None, drive: Drive, where: Where) -> None:
        """End what may still be going on; that takes its time, which nobody waits for."""
        if guest is None or guest is not self._guest:
            return
        job = f"/tmp/job.{where.port}"
        line = (
            f"read -r n < {job}.pid; kill -9 -$n; rm -f {job}*;"
            f" {script(drive, where).rpartition(';')[0]}; clear_up"
        )
        try:
            await self._say(guest, f"setsid sh -c {shlex.quote(line)} > /dev/null 2>&1 &")
        except DriverError:
            await self._lost(guest)

    async def _booted(self) -> Guest:
        async with self._turn:
            if self._guest is None:
                self._guest = await trio.to_thread.run_sync(self._boot)
            return self._guest

    def _boot(self) -> Guest:
        if self._image is None:
            made = tempfile.TemporaryDirectory(prefix="trioscsi-")
            folder = Path(self._stack.enter_context(made))
            configuration = "".join(f"{name} = {value}\n" for name, value in _FAST.items())
            more = {"etc/iscsi/iscsid.conf": configuration, "lib/drives.sh": _SCRIPT.read_text()}
            self._image = build(folder, more)
        self._boots += 1
        place = self._image.parent / f"boot-{self._boots}"
        place.mkdir()
        guest = Guest(self._image, place)
        guest.must("echo 0 > /sys/bus/scsi/drivers_autoprobe")
        guest.must("echo 5 > /sys/module/scsi_mod/parameters/inq_timeout")
        return guest

    async def _say(self, guest: Guest, line: str) -> str:
        async with self._turn:
            if guest is not self._guest:
                raise DriverError("the guest was booted anew")
            done = await trio.to_thread.run_sync(guest.run, line, math.ceil(_ANSWER))
            return done.output

    async def _lost(self, guest: Guest | None) -> None:
        """A guest that does not answer is ended; what comes next boots another one."""
        async with self._turn:
            if guest is not None and guest is self._guest:
                self._guest = None
                await trio.to_thread.run_sync(guest.kill)
