"""Drivers that are built in: libiscsi's tools, and QEMU's block driver."""

from __future__ import annotations

from collections.abc import Mapping

from trioscsi.conformance.bench.play import PATTERN
from trioscsi.conformance.bench.scenario import Ability, Drive
from trioscsi.conformance.drivers.command import CommandDriver, Recipe, by_status
from trioscsi.conformance.drivers.driver import Ending, How

_WRITTEN = 0x11
_MUCH = "256k"
_DEPTH = 8
_INTERRUPTED = 124
"""How ``timeout`` ends if the time was over."""


def by_tool(status: int, output: str) -> Ending:
    """A tool of libiscsi: `iscsi-perf` runs until it is told to end."""
    if status == _INTERRUPTED:
        return Ending(How.DONE)
    return by_status(status, output)


def by_qemu(status: int, output: str) -> Ending:
    """QEMU tells by words what went wrong first: after a failed write no data are right."""
    for line in output.splitlines():
        if "Pattern verification failed" in line:
            return Ending(How.WRONG_DATA, line)
        if " failed: " in line or "Failed to " in line:
            return Ending(How.FAILED, line)
    return by_status(status, output)


def _tool(*command: str) -> Recipe:
    return Recipe(command, by_tool)


def _perf(seconds: str, *options: str) -> Recipe:
    """Asked to end it logs out, as nobody does whom a fault has ended."""
    return _tool("timeout", "-s", "INT", seconds, "iscsi-perf", *options)


def _shell(script: str) -> Recipe:
    """Several commands; places are arguments of the shell, so that nothing has to be quoted."""
    return Recipe(("sh", "-c", script, "sh", "{url}", "{portal}"), by_tool)


def _test(name: str) -> Recipe:
    return _tool("iscsi-test-cu", "--dataloss", f"--test={name}", "{url}")


_TWICE = '{0} "$1" && {0} "$1"'
# In the foreground it stays in the group of processes that is ended with the drive.
_BRIEF = 'timeout --foreground 5 {0} "$1"'
_OFTEN = f"for n in 1 2 3 4 5; do for m in 1 2 3 4; do {_BRIEF}; done; done; true"
_AT_ONCE = '{0} "$1" & {0} "$1"; status=$?; wait $! && exit $status'

# What is written and read again there is 1 MiB.
LIBISCSI: Mapping[Drive, Recipe] = {
    Drive.LOGIN: _tool("iscsi-inq", "{url}"),
    Drive.RELOGIN: _shell(_TWICE.format("iscsi-inq")),
    Drive.LOGINS: _shell(_OFTEN.format("iscsi-inq")),
    Drive.TWO_SESSIONS: _shell(_AT_ONCE.format("iscsi-inq")),
    Drive.DISCOVERY: _tool("iscsi-ls", "iscsi://{portal}"),
    Drive.DISCOVERY_LOGIN: _tool("iscsi-ls", "-s", "iscsi://{portal}"),
    Drive.SCAN: _tool("iscsi-ls", "-s", "iscsi://{portal}"),
    Drive.READ: _perf("2", "-m", "1", "-b", "256", "{url}"),
    Drive.PARALLEL_READ: _perf("3", "-m", "8", "-b", "16", "{url}"),
    Drive.MIXED: _perf("5", "-m", "8", "-b", "16", "{url}"),
    Drive.RECOVER: _perf("8", "-m", "4", "-b", "16", "{url}"),
    Drive.SMALL_WRITE: _test("SCSI.Write10.DpoFua"),
    Drive.WRITE: _test("SCSI.ExtendedCopy.Simple"),
    Drive.SHORT_READ: _test("iSCSI.iSCSIResiduals.Read10Residuals"),
    Drive.ABORT: _test("iSCSI.iSCSITMF.AbortTaskSimpleAsync"),
    Drive.RESET: _test("iSCSI.iSCSITMF.LUNResetSimpleAsync"),
}


def _io(*commands: str) -> Recipe:
    """Commands of qemu-io, on one open disk."""
    words = [word for command in commands for word in ("-c", command)]
    return Recipe(("qemu-io", "-f", "raw", *words, "{url}"), by_qemu)


def _read(place: str, length: str, pattern: int = PATTERN) -> str:
    return f"read -P {pattern:#x} {place} {length}"


def _write(place: str, length: str) -> str:
    return f"write -P {_WRITTEN:#x} {place} {length}"


_ROUND = (_write("0", "64k"), _read("0", "64k", _WRITTEN), "sleep 300")

QEMU: Mapping[Drive, Recipe] = {
    Drive.LOGIN: Recipe(("qemu-img", "info", "{url}"), by_qemu),
    Drive.RELOGIN: _shell(_TWICE.format("qemu-img info")),
    Drive.LOGINS: _shell(_OFTEN.format("qemu-img info")),
    Drive.TWO_SESSIONS: _shell(_AT_ONCE.format("qemu-img info")),
    Drive.READ: _io(_read("0", _MUCH)),
    Drive.SMALL_WRITE: _io(_write("0", "512"), _read("0", "512", _WRITTEN)),
    Drive.WRITE: _io(_write("0", _MUCH), _read("0", _MUCH, _WRITTEN)),
    Drive.PARALLEL_READ: _io(
        *(f"aio_read -P {PATTERN:#x} {n * 8}k 8k" for n in range(_DEPTH)), "aio_flush"
    ),
    Drive.PARALLEL_WRITE: _io(
        *(f"aio_write -P {_WRITTEN:#x} {n * 32}k 32k" for n in range(_DEPTH)),
        "aio_flush",
        _read("0", _MUCH, _WRITTEN),
    ),
    Drive.MIXED: _io(*_ROUND * 10),
    Drive.RECOVER: _io(*_ROUND * 20),
    Drive.IDLE: _io(_read("0", "512"), "sleep 5000", _read("0", "512")),
    Drive.PING: _io(_read("0", "512"), "sleep 11000", _read("0", "512")),
}

RECIPES: Mapping[str, CommandDriver] = {
    "libiscsi": CommandDriver(
        "libiscsi's tools",
        LIBISCSI,
        frozenset({Ability.CHAP, Ability.MUTUAL_CHAP, Ability.RECOVERS}),
        ("iscsi-inq", "iscsi-ls", "iscsi-perf", "iscsi-test-cu"),
    ),
    "qemu": CommandDriver(
        "QEMU's block driver",
        QEMU,
        frozenset({Ability.CHAP, Ability.CHECKS_DATA, Ability.RECOVERS}),
        ("qemu-io", "qemu-img"),
    ),
}
