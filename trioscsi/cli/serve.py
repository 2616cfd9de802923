"""``trioscsi serve``: disks for initiators."""

from __future__ import annotations

import gc
import re
import signal
import socket
from pathlib import Path

import click
import trio

from trioscsi.backends import BlockDevice, open_disk
from trioscsi.cli.log import log_to_standard_error
from trioscsi.cli.onlookers import say, stepping, traces
from trioscsi.cli.secrets import MUTUAL_SECRET, SECRET, WEB_TOKEN, choose, web_token
from trioscsi.cli.slices import take_long_slices
from trioscsi.cli.systemd import inherited_sockets, notify
from trioscsi.errors import TrioscsiError, UsageError, leaves
from trioscsi.server.listener import Address, format_address
from trioscsi.server.portals import Portal
from trioscsi.server.target import Target
from trioscsi.server.web.page import LivePage

_DEFAULT_NAME = "iqn.2025-12.local:trioscsi"
_DEFAULT_DISK = "memory:1GiB"
_GRACE = 3.0
"""Seconds that initiators have to log out when the server is stopped."""
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
"""Names that can be written into a URL, and into a shell, as they are."""


@click.command(
    epilog="\b\nExamples:\n  trioscsi serve disk.img\n"
    "  trioscsi serve 'file:new.img?size=10GiB' memory:1GiB --allow 'iqn.1993-08.org.debian:*'\n"
    "  trioscsi serve --trace trace.pcapng\n"
    "  trioscsi serve --step --explain-refusals\n"
    "  trioscsi serve --web 127.0.0.1:8080"
)
@click.argument("disks", metavar="[DISK]...", nargs=-1)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    multiple=True,
    help="Where to wait for initiators; repeatable; port 0 picks one.  "
    "[default: 0.0.0.0:3260 and [::]:3260]",
)
@click.option(
    "--advertise",
    metavar="HOST:PORT",
    help="What initiators are told instead of the addresses listened at: behind NAT, or where a"
    " port is forwarded.",
)
@click.option("--name", metavar="IQN", default=_DEFAULT_NAME, show_default=True)
@click.option("--block-size", type=click.Choice(["512", "4096"]), default="512", show_default=True)
@click.option(
    "--physical-block-size",
    type=int,
    metavar="BYTES",
    help="What storage writes at once.  [default: 4096, or what a block device says]",
)
@click.option("--read-only", is_flag=True, help="Refuse every write.")
@click.option(
    "--allow",
    metavar="PATTERN",
    multiple=True,
    help="Initiator names that may log in; repeatable; * and ? stand for anything.",
)
@click.option(
    "--allow-from",
    metavar="NETWORK",
    multiple=True,
    help="Addresses or networks (192.0.2.0/24) that initiators may be at; repeatable.",
)
@click.option(
    "--chap",
    metavar="USER",
    help=f"Ask initiators to prove by CHAP that they are USER; the secret comes from {SECRET}"
    " or from --chap-file.",
)
@click.option(
    "--mutual-chap",
    metavar="USER",
    help=f"Prove to initiators that this is USER; the secret comes from {MUTUAL_SECRET}"
    " or from --chap-file.",
)
@click.option(
    "--chap-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Names and their secrets, a pair a line; without --chap, all of them may log in.",
)
@click.option(
    "--chap-initiator",
    metavar="USER=PATTERN",
    multiple=True,
    help="Initiator names that may prove themselves as USER, and no others; repeatable.",
)
@click.option("--discovery-chap", is_flag=True, help="Ask for the same proof in discovery, too.")
@click.option(
    "--name-server",
    metavar="HOST:PORT",
    help="An iSNS server at which the target is registered.",
)
@click.option(
    "--open",
    "open_to_all",
    is_flag=True,
    help="Let anybody in who can reach the port: leaves protected mode.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1, 65535),
    default=1,
    show_default=True,
    metavar="N",
    help="Connections that one session may have.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep here what must outlive a restart: reservations, saved mode pages.",
)
@click.option(
    "--overhaul-rate",
    metavar="SIZE",
    help="Bytes a second, such as 50MiB, that formatting and sanitizing may write, on all disks"
    " together.  [default: as many as they can]",
)
@click.option(
    "--registrations-by-name",
    is_flag=True,
    help="Persistent reservations know an initiator by its name alone, whatever its ISID: for"
    " initiators that choose a new one at each login.",
)
@click.option(
    "--trace",
    metavar="FILE.pcapng",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every byte of all connections here, for Wireshark or trioscsi explain; secrets of"
    " CHAP are taken out, data are not.",
)
@click.option(
    "--control",
    metavar="PATH",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A Unix socket at which trioscsi watch sees what happens; only its owner can open it.",
)
@click.option(
    "--explain-refusals",
    is_flag=True,
    help="Explain on standard error what is refused and why: logins, PDUs, commands, task"
    " management; with the fields that it is about, the rule, and what can be done.  It costs up to"
    " half of the operations a second.",
)
@click.option(
    "--step",
    is_flag=True,
    help="Show each PDU explained, and wait for a key before it is answered, while the timers of"
    " its connection stand still: Enter lets it pass, c goes on without waiting, q stops.",
)
@click.option(
    "--web",
    metavar="HOST:PORT",
    help="Show what happens in a browser, live; /metrics and /api are there, too.  Other hosts than"
    f" the loopback interface need a token, from {WEB_TOKEN} or --web-token-file.",
)
@click.option(
    "--web-token-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The token that whoever looks at the page or asks for metrics has to show.",
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Log sessions that begin and end, connections that are lost, jobs, and the name server's"
    " answers, too.",
)
def serve(
    disks: tuple[str, ...],
    listen: tuple[str, ...],
    advertise: str | None,
    name: str,
    block_size: str,
    physical_block_size: int | None,
    read_only: bool,
    allow: tuple[str, ...],
    allow_from: tuple[str, ...],
    chap: str | None,
    mutual_chap: str | None,
    chap_file: Path | None,
    chap_initiator: tuple[str, ...],
    discovery_chap: bool,
    name_server: str | None,
    open_to_all: bool,
    max_connections: int,
    state: Path | None,
    overhaul_rate: str | None,
    registrations_by_name: bool,
    trace: Path | None,
    control: Path | None,
    explain_refusals: bool,
    step: bool,
    web: str | None,
    web_token_file: Path | None,
    verbose: bool,
) -> None:
    """Serve disks over iSCSI: LUN 0, 1, ... in order.

    A DISK is a path (of a CD-ROM, if it ends with .iso), or a URL such as memory:1GiB,
    file:/srv/disk.img?size=10GiB, null:1TiB or pattern:1GiB; with none, memory:1GiB is served.

    Unless --allow, --allow-from, --chap or
    --open is given, only initiators on this machine may log in (protected mode).
    """
    log_to_standard_error(verbose=verbose)
    failures: list[TrioscsiError] = []
    try:
        secrets = choose(chap, mutual_chap, chap_file, initiators=chap_initiator)
        if discovery_chap and secrets.chap is None:
            raise UsageError("--discovery-chap asks for the proof of --chap or --chap-file")
        opened: list[BlockDevice] = [
            open_disk(
                disk,
                block_size=int(block_size),
                physical_block_size=physical_block_size,
                read_only=read_only,
            )
            for disk in disks or (_DEFAULT_DISK,)
        ]
        with stepping(wanted=step) as gate:
            target = Target(
                name,
                *opened,
                listen=[
                    Portal(each, advertise=advertise)
                    for each in listen or inherited_sockets() or _everywhere()
                ],
                allow=allow,
                allow_from=allow_from,
                open=open_to_all,
                read_only=read_only,
                max_connections=max_connections,
                state=state,
                overhaul_rate=overhaul_rate,
                name_server=name_server,
                registrations_by_name=registrations_by_name,
                chap=secrets.chap,
                mutual_chap=secrets.mutual,
                discovery_chap=secrets.chap if discovery_chap else None,
                trace=traces(trace, explain_refusals=explain_refusals),
                control=control,
                web=_page(web, web_token_file),
                step=gate,
            )
            trio.run(_serve, target)
    except* TrioscsiError as group:
        failures += leaves(group)
    for failure in failures:
        if isinstance(failure, UsageError):
            raise click.UsageError(str(failure))
        raise click.ClickException(str(failure))


def _page(listen: str | None, token_file: Path | None) -> LivePage | None:
    if listen is not None:
        return LivePage(listen, web_token(token_file))
    if token_file is not None:
        raise UsageError("--web-token-file is for the page of --web HOST:PORT")
    return None


async def _serve(target: Target) -> None:
    try:
        await _serve_until_signalled(target)
    finally:
        with trio.CancelScope(shield=True):
            await target.close()


async def _serve_until_signalled(target: Target) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            addresses: list[Address] = await nursery.start(target.serve)
            # What is there by now stays.  To look through it, whenever Python collects garbage,
            # would hold up all sessions for some 25 milliseconds.
            gc.freeze()
            take_long_slices()
            _announce(target, addresses)
            notify("READY=1")
            await anext(signals)
            notify("STOPPING=1")
            for grace in (_GRACE, 0):
                nursery.start_soon(_stop, target, grace, nursery.cancel_scope)
                await anext(signals)
            nursery.cancel_scope.cancel()


async def _stop(target: Target, grace: float, everything: trio.CancelScope) -> None:
    await target.stop(grace)
    everything.cancel()


def _announce(target: Target, addresses: list[Address]) -> None:
    """Say where the disks are: one URL a portal, then what to try with it."""
    units = sorted(target.performer.target.units)
    portals = [format_address((_LOOPBACK.get(host, host), port)) for host, port in addresses]
    first = units[0] if units else 0
    for portal in portals:
        say(f"ready: iscsi://{portal}/{target.name}/{first}")
    url = f"iscsi://{_account(target)}{portals[0]}/{target.name}/{first}"
    say(
        f"try:   iscsi-inq {url}\n"
        f"       qemu-img info {url}\n"
        f"       iscsiadm -m discovery -t sendtargets -p {portals[0]}"
    )
    if target.control is not None:
        say(f"       trioscsi watch --control {target.control}")
    for page in target.page_urls:
        say(f"watch: {page}")


def _account(target: Target) -> str:
    """The name and the secret of a URL, where initiators have to prove who they are."""
    proof = target.node.authentication
    if proof is None:
        return ""
    name = proof.accounts[0].name
    return f"{name if _PLAIN.fullmatch(name) else 'USER'}%SECRET@"


def _everywhere() -> list[str]:
    """The default portals: all addresses, of IPv6 too where the machine has it."""
    portals = ["0.0.0.0:3260"]
    if socket.has_ipv6:
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
                probe.bind(("::1", 0))
        except OSError:
            pass
        else:
            portals.append("[::]:3260")
    return portals
