"""iSCSI names: iqn, eui and naa (RFC 7143 section 4.2.7, RFC 3980)."""

from __future__ import annotations

import re
import stringprep
import unicodedata

from trioscsi.errors import UsageError
from trioscsi.utf8 import fits

MAXIMUM_LENGTH = 223
"""Bytes of UTF-8 (RFC 7143 section 4.2.7.2)."""

_FORMATS = {
    "iqn.": re.compile(r"iqn\.\d{4}-(0[1-9]|1[0-2])\.[^:]+(:.+)?"),
    "eui.": re.compile(r"eui\.[0-9a-f]{16}"),
    "naa.": re.compile(r"naa\.([0-9a-f]{16}|[0-9a-f]{32})"),
}
_FORBIDDEN_ASCII = re.compile(r"[\x00-\x2c\x2f\x3b-\x40\x5b-\x60\x7b-\x7f]")
"""All of ASCII but letters, digits, dash, dot and colon (RFC 3722 section 6.2)."""

_FORBIDDEN = (
    stringprep.in_table_c12,
    stringprep.in_table_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
"""The tables of RFC 3454 with what else no name may have: controls, private characters, ..."""


def normalise(name: str) -> str:
    """The form of an iSCSI name in which two names are compared (RFC 3722).

    Letters become lower case, UTF-8 is normalised and what nobody sees is left out, so that
    ``IQN.2025-12.local:Disk`` and ``iqn.2025-12.local:disk`` are one name.  Raises
    `UsageError` if it is not an iSCSI name.
    """
    seen = "".join(each for each in name if not stringprep.in_table_b1(each))
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    if not fits(folded, MAXIMUM_LENGTH):
        raise UsageError(
            f"an iSCSI name has at most {MAXIMUM_LENGTH} bytes of UTF-8: {name[:40]!r}..."
        )
    form = _FORMATS.get(folded[:4])
    if form is None:
        raise UsageError(f"an iSCSI name starts with iqn., eui. or naa.: {name!r}")
    if form.fullmatch(folded) is None or _is_forbidden(folded):
        raise UsageError(f"not a well-formed {folded[:3]} name: {name!r}")
    return folded


def _is_forbidden(folded: str) -> bool:
    """Whether a name has a character that none may have."""
    return _FORBIDDEN_ASCII.search(folded) is not None or (
        not folded.isascii() and any(in_(each) for each in folded for in_ in _FORBIDDEN)
    )
