"""iPXE in QEMU: a machine that is booted once, and then asks over HTTP what to do next."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trio

from trioscsi.conformance.bench.scenario import Ability, Drive
from trioscsi.conformance.drivers.driver import Ending, How, Where
from trioscsi.conformance.drivers.guest.machine import HOST
from trioscsi.conformance.drivers.guest.programs import program, require
from trioscsi.errors import DriverError

_PROGRAM = "qemu-system-x86_64"
_BOOT_TIME = 60.0
_DONE, _ENDED = "done", "ended"
_REQUEST = 4096
"""Bytes of a request that are looked at."""

_HOOK = "sanhook --no-describe {uri} && set said done || set said ${{errno}}"
_HOOK_BESIDE = _HOOK.replace("{uri}", "--drive 0x81 {uri}")
_LET_GO, _LET_GO_BESIDE = "sanunhook ||", "sanunhook --drive 0x81 ||"
_BOOT = "sanboot --no-describe --keep ||"
"""The boot sector is read; that it is none and that it did not come are one error."""
_LOGIN = (_HOOK, _LET_GO)

DRIVES: Mapping[Drive, Sequence[str]] = {
    Drive.LOGIN: _LOGIN,
    Drive.RELOGIN: _LOGIN * 2,
    Drive.LOGINS: (*_LOGIN * 20, "set said ended"),
    Drive.TWO_SESSIONS: (_HOOK, _HOOK_BESIDE, _LET_GO_BESIDE, _LET_GO),
    Drive.READ: _LOGIN,
    Drive.IDLE: (_HOOK, "sleep 8 ||", _BOOT, _LET_GO, "set said ended"),
    Drive.RECOVER: (_HOOK, *("sleep 1 ||", _BOOT) * 10, _LET_GO, "set said ended"),
}
"""What iPXE does, in the words of its scripts.

Whenever it gets hold of a disk it reads some blocks of it; it never writes.
"""


def script(drive: Drive, where: Where, then: str) -> str:
    """What iPXE is told for a drive; ``then`` is the URL that it asks when it is done."""
    uri = f"iscsi:{where.host}::{where.port}:{where.lun:x}:{where.iqn}"
    lines = ["#!ipxe", "clear said ||", *_login(where)]
    lines += [line.format(uri=uri) for line in DRIVES[drive]]
    lines.append(f"chain --replace --autofree {then}?said=${{said}}")
    return "\n".join([*lines, ""])


def _login(where: Where) -> Iterator[str]:
    """Settings stay from one drive to the next, unless they are cleared."""
    for name, value in (
        ("username", where.user),
        ("password", where.secret),
        ("reverse-username", where.target_user),
        ("reverse-password", where.target_secret),
    ):
        yield f"clear {name} ||" if value is None else f"set {name} {value}"


def ending(said: str) -> Ending:
    """How a drive has ended of which iPXE says this: ``done``, ``ended``, or an error."""
    if said in (_DONE, _ENDED):
        return Ending(How.DONE if said == _DONE else How.UNKNOWN)
    try:
        return Ending(How.FAILED, f"iPXE's error {int(said, 0):#010x}")
    except ValueError:
        return Ending(How.FAILED, f"iPXE says {said!r}")


class IpxeDriver:
    """A machine without a disk; it is booted when it is needed for the first time."""

    name = "iPXE"
    drives = frozenset(DRIVES)
    abilities = frozenset({Ability.CHAP, Ability.MUTUAL_CHAP, Ability.ONE_NODE, Ability.RECOVERS})
    reaches_us_at = HOST
    at_once = 1

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._machine: subprocess.Popen[bytes] | None = None
        self._turn = trio.Lock()
        self._listener: trio.SocketListener | None = None
        self._asks: trio.SocketStream | None = None
        self._url = ""

    def open(self) -> None:
        """See `Driver`."""
        require([_PROGRAM])

    def close(self) -> None:
        """See `Driver`."""
        self._end()
        self._stack.close()

    async def prepare(self) -> None:
        """See `Driver`."""
        async with self._turn:
            with self._ended_by_failures():
                await self._boot()

    async def drive(self, drive: Drive, where: Where) -> Ending:
        """See `Driver`."""
        async with self._turn:
            try:
                with self._ended_by_failures():
                    await self._boot()
                    await self._answer(script(drive, where, self._url))
                    return ending(await self._asked())
            except DriverError as error:
                return Ending(How.UNKNOWN, str(error))

    @contextmanager
    def _ended_by_failures(self) -> Iterator[None]:
        """A machine that hangs is of no use: the next drive starts another one."""
        try:
            yield
        except trio.BrokenResourceError as error:
            self._end()
            raise DriverError(f"iPXE has gone away: {error}") from error
        except BaseException:
            self._end()
            raise

    async def _boot(self) -> None:
        """Start the machine, unless it is there and waits."""
        if self._machine is not None:
            return
        self._start()
        with trio.move_on_after(_BOOT_TIME):
            await self._asked()
            return
        raise DriverError(f"iPXE has not booted within {_BOOT_TIME:g} seconds")

    def _start(self) -> None:
        nothing = subprocess.DEVNULL
        self._machine = subprocess.Popen(
            self._command(), stdin=nothing, stdout=nothing, stderr=nothing
        )

    def _command(self) -> list[str]:
        made = tempfile.TemporaryDirectory(prefix="trioscsi-")
        folder = Path(self._stack.enter_context(made))
        self._listen()
        lines = ["#!ipxe", "set initiator-iqn iqn.2025-12.local:ipxe"]
        lines += [f"chain --replace --autofree {self._url}?said=booted", ""]
        (folder / "boot.ipxe").write_text("\n".join(lines))
        return [
            *(str(program(_PROGRAM)), "-M", "pc", "-accel", "tcg", "-m", "64M", "-no-reboot"),
            *("-display", "none", "-monitor", "none", "-serial", "null", "-boot", "n"),
            *("-device", "virtio-net-pci,netdev=net"),
            *("-netdev", f"user,id=net,tftp={folder},bootfile=boot.ipxe"),
        ]

    def _listen(self) -> None:
        """At another port for each machine: what is left of one is nothing to the next."""
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        self._url = f"http://{HOST}:{sock.getsockname()[1]}/next"
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))

    async def _asked(self) -> str:
        """What iPXE says when it asks for more; it waits for the answer until there is a drive."""
        assert self._listener is not None
        stream = await self._listener.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            some = await stream.receive_some(_REQUEST)
            if not some or len(request) > _REQUEST:
                raise DriverError("iPXE has gone away")
            request += some
        self._asks = stream
        return request.partition(b"?said=")[2].partition(b" ")[0].decode(errors="replace")

    async def _answer(self, text: str) -> None:
        stream, self._asks = self._asks, None
        assert stream is not None
        async with stream:
            body = text.encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            await stream.send_all(head.encode() + body)

    def _end(self) -> None:
        for each in (self._asks, self._listener):
            if each is not None:
                socket.close(each.socket.detach())  # trio may be over already
        self._asks = self._listener = None
        if self._machine is not None:
            self._machine.kill()
            self._machine.wait()
            self._machine = None
