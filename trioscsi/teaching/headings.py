"""The headings of the RFCs: what a section is called, and in which it is.

They are those of ``specs/sections.toml``, which is a part of the package too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

RFC = "7143"
"""The RFC that sections are of, if nothing else is said."""


@cache
def headings(rfc: str = RFC) -> Mapping[str, str]:
    """All headings of an RFC by their numbers; raises KeyError for one that is not known."""
    text = (files("trioscsi.teaching") / "sections.toml").read_text("utf-8")
    return {str(name): str(text) for name, text in tomllib.loads(text)[f"rfc{rfc}"].items()}


def trail(section: str, rfc: str = RFC) -> list[tuple[str, str]]:
    """A section with its heading, after those that it is in; as far as they are known."""
    known, parts = headings(rfc), section.split(".")
    numbers = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return [(number, known[number]) for number in numbers if number in known]
