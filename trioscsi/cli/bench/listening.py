"""``trioscsi conformance check`` and ``proxy``: judging what others say to each other."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import BinaryIO

import click
import trio

from trioscsi.capture import read_capture
from trioscsi.cli.bench.common import COLOURS, ReportFile, write
from trioscsi.conformance.bench.proxy import Proxy
from trioscsi.conformance.recorded import RecordedJudge
from trioscsi.conformance.report import Report
from trioscsi.conformance.report.as_json import as_json
from trioscsi.conformance.report.plain import plain
from trioscsi.conformance.report.terminal import lines
from trioscsi.conformance.verdicts import Finding, Verdict
from trioscsi.errors import CaptureError, TrioscsiError, UsageError
from trioscsi.server.listener import format_address, open_listeners, parse_listen
from trioscsi.server.tracing import opened


@click.command(
    epilog="\b\nExamples:\n  trioscsi conformance check trace.pcapng\n"
    "  tcpdump -w - port 3260 | trioscsi conformance check - --json report.json"
)
@click.argument("capture", type=click.File("rb"))
@click.option("--json", "json_file", type=ReportFile(), help="Write the report.")
@click.pass_context
def check(context: click.Context, capture: BinaryIO, json_file: Path | None) -> None:
    """Judge what is in a CAPTURE (pcapng or pcap): the initiators, and the targets.

    Connections are judged from their login on, as far as the capture has all of them; after a gap,
    or without the login, each PDU is judged by itself.  The exit status is 1 if anything that the
    RFC demands (MUST) is broken.
    """
    judge = RecordedJudge()
    complaint = ""
    try:
        for packet in read_capture(capture):
            judge.hear(packet)
    except CaptureError as error:
        complaint = str(error)
    report = Report(capture.name, observed=judge.end())
    if not judge.connections:
        raise click.ClickException(complaint or "there is no TCP connection in the capture")
    if not judge.pdus and not judge.notes:
        count = judge.connections
        raise click.ClickException(
            complaint or f"no iSCSI in the {count} connections of the capture"
        )
    for line in (*lines(report), *judge.notes):
        click.echo(line)
    write(json_file, as_json(report))
    if complaint:
        raise click.ClickException(f"{complaint}, after {judge.packets} packets")
    context.exit(1 if report.failed else 0)


@click.command(
    epilog="\b\nExample:\n  trioscsi conformance proxy --to 192.0.2.1:3260 --listen 127.0.0.1:3261"
)
@click.option("--to", required=True, metavar="HOST:PORT", help="The target.")
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Wait here."
)
@click.option("--trace", type=click.Path(path_type=Path), help="Write a pcapng capture as well.")
@click.option("--json", "json_file", type=ReportFile(), help="Write the report.")
@click.pass_context
def proxy(
    context: click.Context, to: str, listen: str, trace: Path | None, json_file: Path | None
) -> None:
    """Stand between an initiator and any target, and judge both, until interrupted.

    Bytes are passed on as they are.  What is found is told at once, but only the first time on each
    connection; SIGINT or SIGTERM ends it, and then all of it is told.  Addresses that the target
    tells of (SendTargets, redirections) are its own: give the initiator the address of the proxy.
    """
    try:
        host, port = parse_listen(to)
        where = parse_listen(listen)
        report = trio.run(_stand_between, host, port, where, trace)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    except TrioscsiError as error:
        raise click.ClickException(str(error)) from error
    for line in lines(report):
        click.echo(line)
    write(json_file, as_json(report))
    context.exit(1 if report.failed else 0)


async def _stand_between(
    host: str, port: int, where: tuple[str, int], trace: Path | None
) -> Report:
    with opened(trace) as tracing:
        between = Proxy(host, port, trace=tracing, tell=_tell_finding, say=click.echo)
        listeners = [
            trio.SocketListener(trio.socket.from_stdlib_socket(each))
            for each in open_listeners(where)
        ]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, between.converse, listeners)
            own = listeners[0].socket.getsockname()[:2]
            click.echo(f"ready: {format_address(own)} to {format_address((host, port))}")
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
            nursery.cancel_scope.cancel()
    return Report(f"what went to {format_address((host, port))}", observed=between.judge.end())


def _tell_finding(finding: Finding) -> None:
    colour = COLOURS.get(Verdict(finding.rule.level.value))
    click.echo(click.style(plain(f"{finding.rule.level.value}  {finding}"), fg=colour))
