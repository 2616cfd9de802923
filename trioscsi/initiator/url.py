"""URLs of targets, as libiscsi's tools and QEMU take them.

``iscsi://[USER[%SECRET]@]HOST[:PORT][/TARGET[/LUN]]``, with ``target_user`` and ``target_password``
in the query for a target that has to prove itself.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from trioscsi.errors import UsageError
from trioscsi.lun import MAXIMUM
from trioscsi.protocol.names import normalise

PORT = 3260
"""The port of iSCSI (RFC 7143 section 4.1)."""
_QUERY = frozenset({"target_user", "target_password", "header_digest"})


@attrs.frozen(kw_only=True)
class Url:
    """Where a target is, and who wants to talk to it; secrets are never shown."""

    host: str
    port: int = PORT
    target: str | None = None
    """None: the URL names a portal, for discovery."""
    lun: int = 0
    user: str | None = None
    secret: str | None = attrs.field(default=None, repr=False)
    target_user: str | None = None
    target_secret: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Url:
        """Take a URL apart; raises UsageError if it is none of a target."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _error(text) from None
        if parts.scheme != "iscsi" or not host:
            raise _error(text)
        who, _, _ = parts.netloc.rpartition("@")
        # libiscsi puts a percent sign where others have a colon.
        user, secret = _split(who)
        query = dict(parse_qsl(parts.query))
        if query.keys() - _QUERY:
            raise UsageError(f"unknown in a URL of a target: {', '.join(query.keys() - _QUERY)}")
        target, _, lun = parts.path.strip("/").partition("/")
        return cls(
            host=host,
            port=PORT if port is None else port,
            target=normalise(unquote(target)) if target else None,
            lun=_lun(lun),
            user=user,
            secret=secret,
            target_user=query.get("target_user"),
            target_secret=query.get("target_password"),
        )

    @property
    def portal(self) -> str:
        """The address alone."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def at(self, address: str) -> Url:
        """The same at a TargetAddress: a host, perhaps a port, perhaps a portal group's tag.

        Raises UsageError if it is none.
        """
        try:
            parts = urlsplit("//" + address.partition(",")[0])
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host:
            raise UsageError(f"not an address of a target: {address!r}")
        return attrs.evolve(self, host=host, port=PORT if port is None else port)


def _split(who: str) -> tuple[str | None, str | None]:
    user, percent, secret = who.partition("%")
    return user or None, secret if percent else None


def _lun(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or int(text) > MAXIMUM:
        raise UsageError(f"a LUN is a number up to {MAXIMUM}, not {text!r}")
    return int(text)


def _error(text: str) -> UsageError:
    shown = text.rpartition("@")[2]
    return UsageError(f"not a URL such as iscsi://HOST:3260/TARGET/LUN: {shown}")
