"""Secrets for the command line: from the environment or a file, never from an argument.

Arguments can be read by anybody on the machine, for as long as a process lives.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import attrs

from trioscsi.errors import UsageError

log = logging.getLogger("trioscsi")

SECRET = "TRIOSCSI_CHAP_SECRET"
MUTUAL_SECRET = "TRIOSCSI_MUTUAL_CHAP_SECRET"
WEB_TOKEN = "TRIOSCSI_WEB_TOKEN"


@attrs.frozen
class Chosen:
    """Whom to let in, and what the target is: names with their secrets."""

    chap: dict[str, bytes | tuple[bytes, str]] | None = attrs.field(repr=False)
    mutual: tuple[str, bytes] | None = attrs.field(repr=False)


def choose(
    user: str | None,
    mutual_user: str | None,
    file: Path | None,
    environment: Mapping[bytes, bytes] = os.environb,
    initiators: Iterable[str] = (),
) -> Chosen:
    """The secrets for ``--chap``, ``--mutual-chap`` and ``--chap-file``; raises UsageError.

    With a file and no ``user``, all names in the file but ``mutual_user`` may log in.
    ``initiators`` say as USER=PATTERN who may go by which name.
    """
    known = {} if file is None else read(file)
    chap = {name: secret for name, secret in known.items() if name != mutual_user}
    if user is not None:
        chap = {user: _secret(user, known, SECRET, environment)}
    owners = _owners(initiators, chap)
    if user is None and mutual_user is None and file is None:
        return Chosen(None, None)
    if not chap and mutual_user is None:
        raise UsageError(f"{file}: there is nobody in it who could log in")
    if not chap:
        raise UsageError("mutual CHAP needs CHAP: name an initiator with --chap or in --chap-file")
    mutual = None
    if mutual_user is not None:
        mutual = mutual_user, _secret(mutual_user, known, MUTUAL_SECRET, environment)
    return Chosen(
        {
            name: (secret, owners[name]) if name in owners else secret
            for name, secret in chap.items()
        },
        mutual,
    )


def _owners(initiators: Iterable[str], chap: Container[str]) -> dict[str, str]:
    """Which initiators may go by a CHAP name; raises UsageError."""
    owners: dict[str, str] = {}
    for said in initiators:
        name, _, pattern = said.rpartition("=")
        if not pattern or name not in chap:
            raise UsageError(f"--chap-initiator {said}: this is no USER=PATTERN of a USER of CHAP")
        if name in owners:
            raise UsageError(f"--chap-initiator {said}: {name} has a pattern already")
        owners[name] = pattern
    return owners


def web_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token of the live page: what the file has in it, or else what the environment says.

    Raises UsageError if the file cannot be read, or is no text or empty.
    """
    if file is None:
        return environment.get(WEB_TOKEN) or None
    try:
        token = _content(file).decode().strip()
    except UnicodeDecodeError:
        raise UsageError(f"{file}: this is no text") from None
    if not token:
        raise UsageError(f"{file}: there is no token in it")
    return token


def _content(file: Path) -> bytes:
    """What is in a file that nobody else should be able to read."""
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("%s can be read by others than its owner: chmod 600 %s", file, file)
    return content


def read(file: Path) -> dict[str, bytes]:
    """The names and secrets in a file: one pair a line, blanks between; ``#`` begins a comment.

    Raises UsageError if it cannot be read or understood.
    """
    found: dict[str, bytes] = {}
    for number, line in enumerate(_content(file).splitlines(), 1):
        name, *rest = line.split(None, 1) or [b"#"]
        if name.startswith(b"#"):
            continue
        try:
            text = name.decode()
        except UnicodeDecodeError:
            raise UsageError(f"{file}, line {number}: a name that is not UTF-8") from None
        if not rest:
            # Not told: a secret without its name looks the same.
            raise UsageError(f"{file}, line {number}: a name without a secret after it")
        if text in found:
            raise UsageError(f"{file}, line {number}: {text} has a secret already")
        found[text] = rest[0].strip()
    return found


def _secret(
    name: str, known: Mapping[str, bytes], variable: str, environment: Mapping[bytes, bytes]
) -> bytes:
    secret = known.get(name) or environment.get(variable.encode())
    if not secret:
        raise UsageError(
            f"no secret for {name}: set {variable}, or give it in a file with --chap-file"
        )
    return secret
