"""``trioscsi probe``: what a target says."""

from __future__ import annotations

import os
from typing import Any

import attrs
import click
import trio

from trioscsi.cli.numbers import Number
from trioscsi.cli.secrets import MUTUAL_SECRET, SECRET
from trioscsi.errors import TrioscsiError, UsageError
from trioscsi.initiator.client import connect
from trioscsi.initiator.probe import Report
from trioscsi.initiator.probe import probe as look
from trioscsi.initiator.url import Url
from trioscsi.initiator.wishes import NAME


@click.command(
    epilog="\b\nExamples:\n  trioscsi probe iscsi://127.0.0.1:3260\n"
    "  trioscsi probe iscsi://127.0.0.1:3260/iqn.2025-12.local:trioscsi/0\n"
    f"  {SECRET}=... trioscsi probe iscsi://user@192.0.2.1/iqn.2025-12.local:disk/0"
)
@click.argument("url")
@click.option("--name", metavar="IQN", default=NAME, show_default=True, help="Who asks.")
@click.option(
    "--short-secrets",
    is_flag=True,
    help="Use CHAP secrets of less than 96 bits: nobody can listen (RFC 7143 section 9.2.1).",
)
@click.option("--digests", is_flag=True, help="Ask for digests of headers and data.")
@click.option(
    "--timeout",
    type=Number(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long all of it may take.",
)
def probe(url: str, name: str, short_secrets: bool, digests: bool, timeout: float) -> None:
    """Log in to a target and report what it says: keys, units, pages, commands.

    URL is what libiscsi's tools take, iscsi://[USER[%SECRET]@]HOST[:PORT][/TARGET[/LUN]]; without
    a target, the targets of the portal are listed.  What is to be negotiated may follow, as in
    ?header_digest=crc32c&error_recovery_level=2.  Secrets that are not in the URL come from
    TRIOSCSI_CHAP_SECRET and (for ?target_user=) TRIOSCSI_MUTUAL_CHAP_SECRET.
    """
    try:
        where = _with_secrets(Url.parse(url))
        options = {"protected": short_secrets}
        report = trio.run(_look, where, name, digests, timeout, options)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    except TrioscsiError as error:
        raise click.ClickException(str(error)) from error
    except trio.TooSlowError:
        raise click.ClickException(f"no answer within {timeout:g} seconds") from None
    for line in lines(report):
        click.echo(line)


def lines(report: Report) -> list[str]:
    """A report as text."""
    rows = [("key", "offered", "answered", "result")]
    rows += [(row.name, row.initiator, row.target, row.result) for row in report.keys]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for section in report.sections:
        width = max((len(name) for name, _ in section.rows), default=0)
        text += ["", section.title]
        text += [f"  {name.ljust(width)}  {value}".rstrip() for name, value in section.rows]
    return text


def _with_secrets(url: Url) -> Url:
    """Take from the environment what the URL does not say."""
    if url.user is not None and url.secret is None:
        url = attrs.evolve(url, secret=os.environ.get(SECRET))
        if not url.secret:
            raise UsageError(f"no secret for {url.user}: set {SECRET}")
    if url.target_user is not None and url.target_secret is None:
        url = attrs.evolve(url, target_secret=os.environ.get(MUTUAL_SECRET))
        if not url.target_secret:
            raise UsageError(f"no secret for {url.target_user}: set {MUTUAL_SECRET}")
    return url


async def _look(
    where: Url, name: str, digests: bool, patience: float, options: dict[str, Any]
) -> Report:
    order = ("CRC32C", "None") if digests else ("None", "CRC32C")
    options |= {"header_digests": order, "data_digests": order, **where.options}
    with trio.fail_after(patience):
        async with connect(where, name=name, **options) as session:
            return await look(session)
    raise AssertionError("either of the two has ended")
