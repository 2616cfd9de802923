"""Every section that is cited exists."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from trioscsi.machines.coupling import COUPLINGS

ROOT = Path(__file__).parents[2]
SECTIONS = tomllib.loads((ROOT / "specs" / "sections.toml").read_text())

NUMBER = r"(?:\d+|[A-H])(?:\.\d+)*(?![\w-])"
CITATION = re.compile(
    rf"(?:RFC (?P<rfc>\d{{4}}) |(?P<other>[A-Z]+-\d) )?\(?(?P<word>sections?)\s+"
    rf"(?P<numbers>{NUMBER}(?:(?:,\s+|,?\s+and\s+|,?\s+or\s+|\s+to\s+){NUMBER})*)"
)
# Bare "section 4.3" means RFC 7143 where nothing else is spoken of.
ISCSI = ("machines", "pdu", "text", "protocol", "conformance")

PYTHON = sorted((ROOT / "trioscsi").rglob("*.py"))
TABLES = sorted(
    path
    for path in (ROOT / "specs").rglob("*.toml")
    if "scsi" not in path.parts and path.name != "sections.toml"
)


def known(rfc, number):
    return number in SECTIONS.get(f"rfc{rfc}", {})


def in_text(text, bare):
    """The citations in a text: pairs of RFC and section."""
    for match in CITATION.finditer(text):
        if match["other"]:
            continue  # SPC-4 and its like
        rfc = match["rfc"] or ("7143" if bare else None)
        if rfc and f"rfc{rfc}" in SECTIONS:
            for number in re.findall(NUMBER, match["numbers"]):
                yield rfc, number


def in_calls(text):
    """The keyword arguments called section."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and node.arg == "section":
            for constant in ast.walk(node.value):
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    yield "7143", constant.value


def in_table(value):
    """The keys of a table that cite: section and added, rfc7143 and its like."""
    if isinstance(value, list):
        for item in value:
            yield from in_table(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            numbers = [item] if isinstance(item, str) else item
            if key in {"section", "added", "sections"}:
                # The identifier of a requirement begins with its RFC.
                of_id = re.match(r"\d{4}(?=-)", str(value.get("id", "")))
                usual = of_id[0] if of_id else 7144 if key == "added" else 7143
                rfc = str(value.get("rfc", usual))
                yield from ((rfc, number) for number in numbers)
            elif key in SECTIONS:
                yield from ((key.removeprefix("rfc"), number) for number in numbers)
            else:
                yield from in_table(item)


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_section_cited_in_the_code_exists(path):
    text = path.read_text()
    bare = path.relative_to(ROOT / "trioscsi").parts[0] in ISCSI
    cited = {*in_text(re.sub(r"\n\s*#?\s*", " ", text), bare), *in_calls(text)}
    assert not [citation for citation in sorted(cited) if not known(*citation)]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_section_cited_in_a_table_exists(path):
    cited = set(in_table(tomllib.loads(path.read_text())))
    assert not [citation for citation in sorted(cited) if not known(*citation)]


def test_a_section_cited_by_a_coupling_exists():
    assert all(known("7143", row.section) for row in COUPLINGS)


def test_citations_are_found_as_they_are_written():
    text = "(RFC 7143 sections 8.1.1, 8.1.2 and 8.1.4) as section 6.3 says; RFC 7144 section 9.9."
    assert list(in_text(text, bare=True)) == [
        ("7143", "8.1.1"),
        ("7143", "8.1.2"),
        ("7143", "8.1.4"),
        ("7143", "6.3"),
        ("7144", "9.9"),
    ]
    assert not known("7144", "9.9")
