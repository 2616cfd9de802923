from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result
from trio.testing import MockClock

from tests.interop.serving import NAME, Serving, serving
from tests.interop.writer import Writer
from trioscsi import LivePage, MemoryDisk, Target
from trioscsi.cli import commands
from trioscsi.errors import LoginFailure, SessionLost
from trioscsi.initiator.client import connect
from trioscsi.pdu import AsyncEvent, AsyncMessage
from trioscsi.teaching.explainer import Explainer

module = import_module("trioscsi.cli.serve")  # "serve" in trioscsi.cli is the command


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["serve", *arguments])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--block-size", "1000"], "is not one of"),
        (["--name", "disk"], "an iSCSI name starts with iqn., eui. or naa.: 'disk'"),
        (["--listen", "x:y"], "not HOST:PORT, nor [IPV6]:PORT: 'x:y'"),
        (["nowhere.img"], "there is no nowhere.img: give a size to make it"),
        (["memory:much"], "'much' is not a size"),
        (["memory:1MiB", "--overhaul-rate", "fast"], "'fast' is not a size"),
        (["memory:1MiB", "--overhaul-rate", "0"], "a size of 0 is out of range"),
        (["tape:1"], "no scheme 'tape'"),
        (["--chap", "alice"], "no secret for alice: set TRIOSCSI_CHAP_SECRET"),
        (["--allow-from", "here"], "not an address, nor a network"),
        (["--advertise", "x:y"], "not HOST:PORT"),
        (["--mutual-chap", "disk"], "mutual CHAP needs CHAP"),
        (["--discovery-chap"], "--discovery-chap asks for the proof of --chap or --chap-file"),
        (["--web", "x:y"], "not HOST:PORT"),
        (["--web", "0.0.0.0:80"], "the page at 0.0.0.0:80 would be open to whoever can reach it"),
        (["--web", "127.0.0.1", "--web-token-file", "nowhere"], "nowhere: No such file"),
        (["--web-token-file", "any"], "--web-token-file is for the page of --web HOST:PORT"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str], reason: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stdout == ""


def test_an_address_that_is_taken_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        result = invoke("--listen", f"{host}:{port}", "memory:1MiB")
    assert result.exit_code == 1
    assert result.stderr == f"Error: cannot listen at {host}:{port}: Address already in use\n"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """The targets that the command would have served."""
    targets: list[Target] = []
    monkeypatch.setattr(trio, "run", lambda _, target: targets.append(target))
    return targets


def test_without_a_disk_a_gigabyte_of_memory_is_served(built: list[Target]) -> None:
    assert invoke("--listen", "127.0.0.1:0").exit_code == 0
    (unit,) = built[0].performer.target.units.values()
    assert unit.blocks * unit.block_size == 1 << 30


def test_disks_become_units_in_order(built: list[Target], tmp_path: Path) -> None:
    arguments = ["memory:1MiB", f"file:{tmp_path}/disk?size=2MiB", "null:3MiB"]
    assert invoke("--block-size", "4096", *arguments).exit_code == 0
    units = built[0].performer.target.units
    assert [(number, unit.blocks) for number, unit in units.items()] == [
        (0, 256),
        (1, 512),
        (2, 768),
    ]


def test_physical_blocks_are_as_the_option_says(built: list[Target]) -> None:
    invoke("memory:1MiB")
    invoke("memory:1MiB", "--physical-block-size", "16384")
    units = [target.performer.target.units[0] for target in built]
    assert [unit.physical_block_size for unit in units] == [4096, 16_384]
    result = invoke("memory:1MiB", "--physical-block-size", "100")
    assert result.exit_code == 2
    assert "physical block size of 100 is not possible" in result.stderr


def test_formatting_is_as_slow_as_the_option_says(built: list[Target]) -> None:
    assert invoke("memory:1MiB").exit_code == 0
    assert invoke("memory:1MiB", "--overhaul-rate", "50MiB").exit_code == 0
    assert [target.jobs.pace.rate for target in built] == [None, 50 << 20]


def test_chap_asks_for_a_proof(built: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIOSCSI_CHAP_SECRET", "a secret of some length")
    monkeypatch.setenv("TRIOSCSI_MUTUAL_CHAP_SECRET", "another secret of some length")
    assert invoke("--chap", "alice", "--mutual-chap", "disk").exit_code == 0
    assert invoke("--chap", "alice", "--discovery-chap").exit_code == 0
    assert invoke("--chap", "alice", "--chap-initiator", "alice=iqn.*:A").exit_code == 0
    bound = built[-1].node.authentication
    assert bound is not None
    assert [account.initiator for account in bound.accounts] == ["iqn.*:a"]
    authentication = built[0].node.authentication
    assert authentication is not None
    assert [account.name for account in authentication.accounts] == ["alice"]
    assert authentication.mutual is not None
    assert authentication.mutual.name == "disk"


def test_a_control_socket_is_served_and_shown(
    built: list[Target], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "control"
    assert invoke("memory:1MiB", "--control", str(path)).exit_code == 0
    assert built[0].control == path
    module._announce(built[0], [("127.0.0.1", 3260)])
    assert f"trioscsi watch --control {path}\n" in capsys.readouterr().out


def test_a_page_that_others_can_reach_has_its_token_from_a_file_or_the_environment(
    built: list[Target], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = "a-token-of-some-length"
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    file.chmod(0o600)
    assert invoke("--web", "0.0.0.0:80", "--web-token-file", str(file)).exit_code == 0
    monkeypatch.setenv("TRIOSCSI_WEB_TOKEN", token)
    assert invoke("--web", "0.0.0.0:80").exit_code == 0
    for target in built:
        page = target._page
        assert isinstance(page, LivePage)
        assert page.token == token
        assert page.address == ("0.0.0.0", 80)


def test_sessions_may_have_several_connections(built: list[Target]) -> None:
    assert invoke("--max-connections", "2", "memory:1MiB").exit_code == 0
    assert built[0].node.offer.max_connections == 2
    assert invoke("--max-connections", "0").exit_code == 2


def test_disks_may_be_read_only(built: list[Target]) -> None:
    assert invoke("--read-only", "memory:1MiB").exit_code == 0
    assert built[0].performer.target.units[0].read_only


def test_who_may_log_in_is_as_the_options_say(built: list[Target]) -> None:
    invoke("memory:1MiB")
    invoke("memory:1MiB", "--open")
    invoke("memory:1MiB", "--allow", "iqn.a:*", "--allow", "iqn.b:c")
    invoke("memory:1MiB", "--allow-from", "192.0.2.0/24", "--allow-from", "2001:db8::1")
    rules = [target.guarded.rules for target in built]
    assert [(rule.open, rule.allow, [*map(str, rule.networks)]) for rule in rules] == [
        (False, (), []),
        (True, (), []),
        (False, ("iqn.a:*", "iqn.b:c"), []),
        (False, (), ["192.0.2.0/24", "2001:db8::1/128"]),
    ]


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_all_addresses_are_listened_at_by_default(
    built: list[Target], monkeypatch: pytest.MonkeyPatch, has_ipv6: bool
) -> None:
    listened: list[Any] = []

    class Recorded(Target):
        def __init__(self, *arguments: Any, listen: Any, **settings: Any) -> None:
            listened.extend(portal.listen for portal in listen)
            super().__init__(*arguments, listen=listen, **settings)

    class Probe(socket.socket):
        def bind(self, address: Any) -> None:
            if not has_ipv6:
                raise OSError

    monkeypatch.setattr(module, "Target", Recorded)
    monkeypatch.setattr(socket, "has_ipv6", True)
    monkeypatch.setattr(socket, "socket", Probe)
    assert invoke("memory:1MiB").exit_code == 0
    assert listened == [("0.0.0.0", 3260), ("::", 3260)][: 1 + has_ipv6]


def test_what_initiators_do_is_logged_on_demand(built: list[Target]) -> None:
    log = logging.getLogger("trioscsi")
    invoke("memory:1MiB")
    assert log.level == logging.WARNING
    invoke("memory:1MiB", "--verbose")
    assert log.level == logging.INFO


def test_refusals_are_explained_on_demand(built: list[Target], tmp_path: Path) -> None:
    assert invoke("--listen", "127.0.0.1:0", "memory:1MiB").exit_code == 0
    path = tmp_path / "trace.pcapng"
    arguments = ("--explain-refusals", "--trace", str(path), "memory:1MiB")
    assert invoke("--listen", "127.0.0.1:0", *arguments).exit_code == 0
    assert built[0]._trace == []
    traced, explainer = built[1]._trace  # type: ignore[misc]
    assert traced == path
    assert isinstance(explainer, Explainer)


def test_a_refusal_is_explained_on_standard_error(tmp_path: Path) -> None:
    async def log_in(url: str) -> None:
        with pytest.raises(LoginFailure):
            async with connect(url):
                pass

    with serving(tmp_path / "log", "--explain-refusals", "memory:1MiB") as server:
        trio.run(log_in, f"iscsi://{server.portal}/{NAME}.other/0")
    explained = server.log.read_text()
    assert "Login Request, stage 0 to 1: " in explained
    assert "  answer  Login Response, NOT_FOUND" in explained
    assert f"  key     TargetName={NAME}.other" in explained


def test_a_server_serves_although_nobody_reads_its_log_or_its_addresses() -> None:
    async def log_in(url: str) -> None:
        for _ in range(2):
            with trio.fail_after(10), pytest.raises(LoginFailure):
                async with connect(f"{url}.other/0"):
                    pass
        with trio.fail_after(10):
            async with connect(f"{url}/0") as session:
                await session.ping(b"here")

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "trioscsi", "serve", "--listen", f"127.0.0.1:{port}"]
    unread, log = os.pipe()
    os.set_blocking(log, False)
    with suppress(BlockingIOError):
        while True:
            os.write(log, b"!" * 4096)  # what other programs have said there
    os.set_blocking(log, True)
    server = subprocess.Popen([*command, "memory:1MiB"], stdout=subprocess.PIPE, stderr=log)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        server.stdout.close()
        trio.run(log_in, f"iscsi://127.0.0.1:{port}/{NAME}")
        server.terminate()
        assert server.wait(10) == 0
    finally:
        server.kill()
        server.wait()
        os.close(unread)
        os.close(log)


def test_a_login_is_stepped_through_and_the_server_stopped_by_keys() -> None:
    async def log_in(url: str) -> None:
        async with connect(url) as session:
            await session.ping(b"here")

    command = [sys.executable, "-m", "trioscsi", "serve", "--step", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(
        [*command, "memory:1MiB"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n\nq\n")  # two Login Requests pass, and the ping is the last to wait
    server.stdin.flush()
    url = server.stdout.readline().removeprefix("ready: ").strip()
    with suppress(SessionLost):
        trio.run(log_in, url)
    shown, _ = server.communicate(timeout=30)
    assert server.returncode == 0
    at = 0
    for line in (
        "-->  Login Request, stage 0 to 1",
        "connection: S3 XPT_UP. ",
        "[Enter] let it be answered",
        "connection T4: XPT_UP -> IN_LOGIN",
        "<--  Login Response, SUCCESS",
        "-->  Login Request, stage 1 to 3",
        "connection: S4 IN_LOGIN. ",
        "connection T5: IN_LOGIN -> LOGGED_IN",
        "-->  NOP-Out",
        "connection: S5 LOGGED_IN. ",
        "<--  NOP-In",
    ):
        assert line in shown[at:], shown
        at = shown.index(line, at)
    assert shown.count("[Enter] let it be answered") == 3


def test_on_a_terminal_the_log_is_coloured(
    built: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    invoke("memory:1MiB")
    (handler,) = logging.getLogger("trioscsi").handlers
    assert type(handler).__name__ == "RichHandler"


# Signals.


@pytest.fixture
def patient_clock() -> MockClock:
    """Jumps like trio's, but only after the kernel has had the time to hand bytes over."""
    return MockClock(autojump_threshold=0.05)


async def served(capsys: pytest.CaptureFixture[str], *signals: float) -> tuple[float, str]:
    """Serve, with an initiator that never logs out, and be signalled at these times.

    Gives the time at which the server ended, and its output.
    """
    target = Target(NAME, MemoryDisk("1MiB"), listen="127.0.0.1:0")
    ended = trio.Event()

    async def serve() -> None:
        await module._serve(target)
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await trio.testing.wait_all_tasks_blocked()
        output = capsys.readouterr().out
        port = int(output.split("/")[2].partition(":")[2])
        with await trio.to_thread.run_sync(Writer, port):
            for when in signals:
                await trio.sleep_until(when)
                signal.raise_signal(signal.SIGTERM)
            await ended.wait()
    return trio.current_time(), output


async def test_a_signal_gives_initiators_time_to_log_out(
    capsys: pytest.CaptureFixture[str], patient_clock: MockClock
) -> None:
    ended, output = await served(capsys, 1)
    assert ended == pytest.approx(1 + module._GRACE, abs=0.5)
    assert output.startswith("ready: iscsi://127.0.0.1:")


async def test_a_second_signal_ends_it_at_once(
    capsys: pytest.CaptureFixture[str], patient_clock: MockClock
) -> None:
    ended, _ = await served(capsys, 1, 2)
    assert ended == pytest.approx(2, abs=0.5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_asks_initiators_to_log_out(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Serving(tmp_path / "log", "memory:1MiB") as server:
        with Writer(server.port) as initiator:
            server.signal(number)
            message = initiator.receive()
            assert isinstance(message, AsyncMessage)
            assert message.async_event == AsyncEvent.LOGOUT_REQUEST
        assert server.wait() == 0
        assert "Traceback" not in server.log.read_text()


def test_where_the_page_is_is_said(tmp_path: Path) -> None:
    arguments = ["memory:1MiB", "--web", "127.0.0.1:0"]
    with serving(tmp_path / "log", *arguments) as server:
        url = server.announced("watch")
        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"<title>trioscsi</title>" in page.read()


@pytest.mark.parametrize(
    ("user", "account"), [(None, ""), ("alice", "alice%SECRET@"), ("a b@c", "USER%SECRET@")]
)
def test_what_can_be_tried_shows_where_name_and_secret_belong(
    user: str | None, account: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chap = None if user is None else {user: "a secret of some length"}
    target = Target(NAME, MemoryDisk("1MiB"), chap=chap)
    module._announce(target, [("127.0.0.1", 3260)])
    said = capsys.readouterr().out
    assert said.startswith(f"ready: iscsi://127.0.0.1:3260/{NAME}/0\n")
    assert f"iscsi-inq iscsi://{account}127.0.0.1:3260/{NAME}/0\n" in said
    assert f"qemu-img info iscsi://{account}127.0.0.1:3260/{NAME}/0\n" in said


def test_the_first_line_says_where_the_disk_is(tmp_path: Path) -> None:
    with serving(tmp_path / "log", "memory:1MiB", "--name", f"{NAME}.x") as server:
        assert server.first_line == f"ready: iscsi://127.0.0.1:{server.port}/{NAME}.x/0"
        assert server.port > 0


async def test_a_server_is_ready_when_it_gives_way_and_what_is_there_is_no_garbage_to_look_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[str] = []

    def announce(*_: object) -> None:
        steps.append("announced")
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(gc, "freeze", lambda: steps.append("frozen"))
    monkeypatch.setattr(module, "take_long_slices", lambda: steps.append("gives way"))
    monkeypatch.setattr(module, "_announce", announce)
    await module._serve(
        Target("iqn.2026-11.example:disk", MemoryDisk("1MiB"), listen="127.0.0.1:0")
    )
    assert steps == ["frozen", "gives way", "announced"]
