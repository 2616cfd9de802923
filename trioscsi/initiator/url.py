"""URLs of targets, as libiscsi's tools and QEMU take them.

``iscsi://[USER[%SECRET]@]HOST[:PORT][/TARGET[/LUN]]``, with ``target_user`` and ``target_password``
in the query for a target that has to prove itself, ``header_digest`` and ``data_digest`` (none,
crc32c, none_crc32c or crc32c_none), and numbers and booleans to negotiate by the names that they
have in `trioscsi.text.Offer`: ``?error_recovery_level=2&immediate_data=no``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from trioscsi.digits import number_of
from trioscsi.errors import UsageError
from trioscsi.lun import MAXIMUM
from trioscsi.protocol.names import normalise
from trioscsi.text import Offer

PORT = 3260
"""The port of iSCSI (RFC 7143 section 4.1)."""
_ACCOUNT = frozenset({"target_user", "target_password"})
_DIGESTS = {
    "none": ("None",),
    "crc32c": ("CRC32C",),
    "none_crc32c": ("None", "CRC32C"),
    "crc32c_none": ("CRC32C", "None"),
}
_LARGEST = 2**64 - 1
"""The largest number that a key can have (RFC 7143 section 6.1)."""
_BOOLEANS = {"yes": True, "no": False}
_OFFERED = {field.name: field.default for field in attrs.fields(Offer)}


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
    options: Mapping[str, Any] = attrs.field(factory=dict)
    """What is to be negotiated: fields of `trioscsi.text.Offer`."""

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
        pairs = parse_qsl(parts.query)
        query = dict(pairs)
        if len(query) < len(pairs):
            raise UsageError("an option is given twice in a URL of a target")
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
            options=dict(_option(*each) for each in query.items() if each[0] not in _ACCOUNT),
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
    number = number_of(text, MAXIMUM)
    if number is None:
        raise UsageError(f"a LUN is a number up to {MAXIMUM}, not {text!r}")
    return number


def _option(name: str, value: str) -> tuple[str, Any]:
    """A field of an offer, and its value."""
    default = _OFFERED.get(name)
    found: Any = None
    if name in ("header_digest", "data_digest"):
        name, found = f"{name}s", _DIGESTS.get(value.lower())
    elif isinstance(default, bool):
        found = _BOOLEANS.get(value.lower())
    elif isinstance(default, int):
        found = number_of(value, _LARGEST)
    else:
        raise UsageError(f"unknown in a URL of a target: {name}")
    if found is None:
        raise UsageError(f"not a value of {name} in a URL of a target: {value!r}")
    return name, found


def _error(text: str) -> UsageError:
    shown = text.rpartition("@")[2]
    return UsageError(f"not a URL such as iscsi://HOST:3260/TARGET/LUN: {shown}")
