from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.web.asking import ask
from tests.server.web.conftest import Watched
from trioscsi.server.web import files


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static/page.css", "/static/icon.svg"])
async def test_a_file_that_the_browser_has_is_not_sent_again(watched: Watched, path: str) -> None:
    answer = await ask(watched.app, path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-cache"
    again = await ask(watched.app, path, if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    assert (await ask(watched.app, path, if_none_match='"other"')).body == answer.body


def test_files_with_other_contents_have_other_tags(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("one")
    (tmp_path / "b.js").write_text("one")
    (tmp_path / "c.js").write_text("two")
    loaded = files.load(tmp_path)
    assert loaded["a.js"] == loaded["b.js"]
    assert loaded["a.js"].tag != loaded["c.js"].tag


def test_the_types_of_all_files_are_known() -> None:
    types = {name: file.media_type for name, file in files.load().items()}
    assert types["index.html"] == "text/html"
    assert types["page.js"] == "text/javascript"
    assert types["page.css"] == "text/css"
    assert types["icon.svg"] == "image/svg+xml"
