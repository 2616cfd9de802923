"""``trioscsi explain``: PDUs and captures in words."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

from trioscsi.capture import read_capture
from trioscsi.capture.reading import MAGIC_NUMBERS
from trioscsi.cli.paths import is_there
from trioscsi.errors import CaptureError
from trioscsi.teaching.explanation import Ladder, explain_cut, printable
from trioscsi.teaching.splitting import Digests, Splitter

_PIECE = 65_536
_MOST_DIGITS = 2**24 - _PIECE
_NOT_HEX = re.compile(r"0[xX]|[\s:,.-]+")
_STYLES = (
    (re.compile(r"^ *wrong: "), "red"),
    (re.compile(r"^connection \d"), "cyan"),
    (re.compile(r"^ +\* "), "green"),
    (re.compile(r"\(RFC 7143 section [0-9.]+\)$"), "yellow"),
)


@click.command(
    epilog="\b\nExamples:\n  trioscsi explain 43870000000000000000...\n"
    "  trioscsi explain trace.pcapng\n"
    "  trioscsi explain trace.pcapng --connection 2 --fields | less -R\n"
    "  tcpdump -w - port 3260 | trioscsi explain -"
)
@click.argument("what", metavar="HEX|FILE|CAPTURE", nargs=-1, required=True)
@click.option("--fields", is_flag=True, help="Of a capture, explain each PDU in full.")
@click.option(
    "--connection", type=click.IntRange(1), metavar="NUMBER", help="Of a capture, only this one."
)
def explain(what: tuple[str, ...], fields: bool, connection: int | None) -> None:
    """Explain PDUs field by field, or a whole capture as a ladder.

    HEX is a PDU or several, one after the other; blanks and colons do not matter.  FILE has the
    same bytes, or their digits.  A CAPTURE is a pcapng or pcap file: of serve --trace, of Wireshark
    or of tcpdump.  "-" is standard input.
    """
    if len(what) == 1 and what[0] == "-":
        _explain_file(_Source(sys.stdin.buffer, "-"), fields, connection)
    elif len(what) == 1 and is_there(what[0]):
        with _opened(what[0]) as file:
            _explain_file(_Source(file, what[0]), fields, connection)
    else:
        _put(_stream([_digits(" ".join(what))]))


def _opened(name: str) -> BinaryIO:
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> click.ClickException:
    return click.ClickException(f"cannot read {name}: {error.strerror}")


class _Source:
    """What is to be explained; of which bytes may be looked at before they are read."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._start = b""

    def peek(self, length: int) -> bytes:
        """The next bytes, which `read` returns again."""
        self._start = self.read(length)
        return self._start

    def read(self, length: int) -> bytes:
        """The next bytes."""
        data, self._start = self._start[:length], self._start[length:]
        if len(data) == length:
            return data
        try:
            return data + self._file.read(length - len(data))
        except OSError as error:
            raise _unreadable(self._name, error) from error


def _explain_file(file: _Source, fields: bool, connection: int | None) -> None:
    """Whatever there is in a file."""
    if file.peek(4) in MAGIC_NUMBERS:
        _explain_capture(file, fields, connection)
        return
    first = file.read(_PIECE)
    if first and re.fullmatch(rb"[0-9A-Fa-fxX\s:,.-]+", first):
        text = first + file.read(_MOST_DIGITS)
        if file.read(1):
            click.echo("trioscsi: so many digits: only the first 16 MiB are read", err=True)
        _put(_stream([_digits(text.decode(errors="replace"))]))
    elif first:
        _put(_stream(_pieces(first, file)))
    else:
        raise click.ClickException("there is nothing in it")


def _pieces(first: bytes, file: _Source) -> Iterator[bytes]:
    yield first
    while data := file.read(_PIECE):
        yield data


def _digits(text: str) -> bytes:
    """The bytes that hexadecimal digits stand for."""
    digits = _NOT_HEX.sub("", text)
    odd = re.search(r"[^0-9A-Fa-f]", digits)
    if odd is not None:
        raise click.UsageError(
            f"neither a file nor hexadecimal digits: {text[:40]!r} has {odd[0]!r} in it"
        )
    if len(digits) % 2:
        click.echo("trioscsi: an odd number of digits: the last one is left out", err=True)
    if len(digits) < 2:
        raise click.ClickException("there is nothing in it")
    return bytes.fromhex(digits[: len(digits) & ~1])


def _stream(pieces: Iterable[bytes]) -> Iterator[str]:
    """All PDUs of a stream of bytes."""
    splitter = Splitter(Digests())
    for piece in pieces:
        for cut in splitter.receive(piece):
            yield from explain_cut(cut)
            yield ""
    for cut in splitter.finish():
        yield from explain_cut(cut)
        yield ""


def _explain_capture(file: _Source, fields: bool, connection: int | None) -> None:
    ladder = Ladder(fields=fields, only=connection)
    story = ladder.story
    complaint = ""
    try:
        for packet in read_capture(file):
            _put(ladder.hear(packet))
    except CaptureError as error:
        complaint = str(error)
    _put(ladder.finish())
    if story.others:
        click.echo(f"trioscsi: {story.others} packets have no TCP in them", err=True)
    if complaint:
        raise click.ClickException(f"{complaint}, after {story.packets} packets")
    if connection is not None and connection > story.connections:
        raise click.UsageError(f"there are {story.connections} connections in the capture")
    if not story.connections:
        raise click.ClickException("there is no TCP connection in the capture")
    if not story.pdus:
        raise click.ClickException("there is no iSCSI PDU in the capture")


def _put(lines: Iterable[str]) -> None:
    """Print lines, in colours on a terminal."""
    for line in (printable(line) for several in lines for line in several.split("\n")):
        colour = next((colour for pattern, colour in _STYLES if pattern.search(line)), None)
        click.echo(click.style(line, fg=colour) if colour else line)
