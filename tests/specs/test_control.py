"""What specs/control.md says of requests is what is understood."""

from __future__ import annotations

import re
from pathlib import Path

from trioscsi.server.control.caller import REQUESTS, VERSION
from trioscsi.server.control.control import MOST_CALLERS
from trioscsi.server.control.requests import MOST_LINE

PAGE = (Path(__file__).parents[2] / "specs" / "control.md").read_text()
ROWS = {
    re.findall(r"`(\w+)`", cells[1])[0]: re.findall(r"`(\w+)`(\??)", cells[2])
    for line in PAGE.splitlines()
    if line.startswith("| `") and (cells := line.split("|"))
}


def test_the_page_has_all_requests_with_their_arguments():
    assert ROWS.keys() == REQUESTS.keys()
    for name, (kind, _) in REQUESTS.items():
        assert {argument for argument, _ in ROWS[name]} == kind.arguments.keys()
        assert {argument for argument, open_ in ROWS[name] if not open_} == set(kind.needed)


def test_the_page_has_the_bounds_and_the_version():
    assert f"at most {MOST_LINE} bytes" in PAGE
    assert f"At most {MOST_CALLERS} programs" in PAGE
    assert f'"version":{VERSION}' in PAGE
