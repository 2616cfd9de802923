from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
import trio

from tests.server.peer import NAME
from tests.server.web.asking import ask
from tests.server.web.conftest import Watched
from trioscsi.machines import MACHINES
from trioscsi.server.live import Listener
from trioscsi.server.web.app import SHOWN
from trioscsi.server.web.files import FOLDER
from trioscsi.server.web.overview import PARTS

_IMPORT = re.compile(r'from "(\./[\w.]+)"')


class Links(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} {name}: nothing runs inside of the page"
            assert name != "style", tag
            if tag in ("link", "script", "img") and name in ("href", "src") and value:
                self.found.append(value)


async def test_the_page_and_all_that_it_loads_are_there(watched: Watched) -> None:
    page = await ask(watched.app)
    assert page.headers["content-type"].startswith("text/html")
    links = Links()
    links.feed(page.text)
    wanted = list(links.found)
    assert "/static/page.js" in wanted
    for path in wanted:
        assert path.startswith("/static/"), "all of it comes from here"
        answer = await ask(watched.app, path)
        assert answer.status == 200
        if path.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")
            wanted += [
                f"/static/{name[2:]}"
                for name in _IMPORT.findall(answer.text)
                if f"/static/{name[2:]}" not in wanted
            ]
    assert {path.removeprefix("/static/") for path in wanted} == {
        path.name for path in FOLDER.iterdir() if path.name != "index.html"
    }


def test_nothing_in_the_page_leads_elsewhere() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[\w-]+\.", text), path.name


@pytest.mark.parametrize("path", ["/metrics", "/api/sessions", "/api/machines"])
async def test_data_are_not_kept(watched: Watched, path: str) -> None:
    answer = await ask(watched.app, path)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/..%2fapp.py", "/static/", "/x"])
async def test_there_is_nothing_else(watched: Watched, path: str) -> None:
    assert (await ask(watched.app, path)).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_changed(watched: Watched, method: str) -> None:
    for path in ("/", "/metrics", "/api/sessions", "/static/page.js"):
        assert (await ask(watched.app, path, method=method)).status == 405


async def test_the_machines_come_with_their_pictures(watched: Watched) -> None:
    machines = (await ask(watched.app, "/api/machines")).json
    assert tuple(machine["name"] for machine in machines) == SHOWN
    for machine in machines:
        of = MACHINES[machine["name"]]
        assert machine["initial"] == of.initial
        assert [state["name"] for state in machine["states"]] == [each.name for each in of.states]
        assert ET.fromstring(machine["figure"]).get("data-machine") == of.name


@pytest.mark.parametrize("part", PARTS)
async def test_the_api_tells_of_each_part(watched: Watched, part: str) -> None:
    answer = await ask(watched.app, f"/api/{part}")
    assert answer.json == json.loads(json.dumps(PARTS[part](watched.server)))


async def test_the_api_says_what_there_is(watched: Watched) -> None:
    answer = await ask(watched.app, "/api/toasters")
    assert answer.status == 404
    assert "targets, sessions, connections, refusals" in answer.json["error"]


async def test_metrics_are_text(watched: Watched) -> None:
    answer = await ask(watched.app, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f'trioscsi_sessions{{target="{NAME}"}} 1' in answer.text


async def test_who_comes_when_too_many_listen_is_told_to_come_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trioscsi.server.web.news.MOST_LISTENERS", 0)
    answer = await ask(watched.app, "/feed")
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")


async def test_a_pdu_that_was_seen_is_explained(watched: Watched) -> None:
    with Listener(watched.server.feed) as listener:
        await watched.peer.do(bytes(6))
        seen = []
        with trio.fail_after(10):
            while not seen:
                messages = await listener.take()
                seen = [each for each in messages if each["type"] == "pdu"]
    command = seen[0]
    path = f"/api/connections/{command['connection']}/pdus/{command['number']}"
    explained = (await ask(watched.app, path)).json
    assert explained["title"] == "SCSI Command"
    assert {field["name"] for field in explained["fields"]} >= {"itt", "lun", "cmd_sn"}
    assert explained["contents"][0]["title"] == "CDB: TEST UNIT READY"


@pytest.mark.parametrize(
    "path",
    [
        "/api/connections/9/pdus/1",
        "/api/connections/1/pdus/99999",
        pytest.param(f"/api/connections/1/pdus/{'9' * 5000}", id="5,000 digits"),
        pytest.param(f"/api/connections/{'9' * 5000}/pdus/1", id="of 5,000 digits"),
    ],
)
async def test_a_pdu_that_was_not_seen_is_not_explained(watched: Watched, path: str) -> None:
    answer = await ask(watched.app, path)
    assert answer.status == 404
    assert "forgotten" in answer.json["error"]
