"""iSCSI names: iqn, eui and naa (RFC 7143 section 4.2.7, RFC 3980)."""

from __future__ import annotations

import re
import unicodedata

from trioscsi.errors import UsageError

MAXIMUM_LENGTH = 223
"""Bytes of UTF-8 (RFC 7143 section 4.2.7.2)."""

_FORMATS = {
    "iqn.": re.compile(r"iqn\.\d{4}-(0[1-9]|1[0-2])\.[^:]+(:.+)?"),
    "eui.": re.compile(r"eui\.[0-9a-f]{16}"),
    "naa.": re.compile(r"naa\.([0-9a-f]{16}|[0-9a-f]{32})"),
}
_FORBIDDEN_ASCII = re.compile(r"[\x00-\x2c\x2f\x3b-\x40\x5b-\x60\x7b-\x7f]")
"""All of ASCII but letters, digits, dash, dot and colon (RFC 3722 section 6.2)."""


def normalise(name: str) -> str:
    """The form of an iSCSI name in which two names are compared (RFC 3722).

    Letters become lower case and UTF-8 is normalised, so that ``IQN.2025-12.local:Disk`` and
    ``iqn.2025-12.local:disk`` are one name.  Raises `UsageError` if it is not an iSCSI name.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if len(folded.encode()) > MAXIMUM_LENGTH:
        raise UsageError(f"an iSCSI name has at most {MAXIMUM_LENGTH} bytes: {name[:40]!r}...")
    form = _FORMATS.get(folded[:4])
    if form is None:
        raise UsageError(f"an iSCSI name starts with iqn., eui. or naa.: {name!r}")
    if form.fullmatch(folded) is None or _FORBIDDEN_ASCII.search(folded):
        raise UsageError(f"not a well-formed {folded[:3]} name: {name!r}")
    return folded
