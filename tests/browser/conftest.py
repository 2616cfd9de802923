"""The live page in headless Chromium.

Debian has it in the package chromium; the Python packages are those of the extra ``browser``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop import tools
from tests.interop.serving import Serving, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "a-token-of-some-length"
PATIENCE = 30_000
"""Milliseconds that the page may take for anything."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    path = tools.tool("chromium")
    if find_spec("playwright") is None:
        if tools.required:
            pytest.fail("playwright is not installed, and --require-tools was given")
        pytest.skip("playwright is not installed: pip install 'trioscsi[browser]'")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # It runs as root where all of this runs in a container.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A memory disk and one that takes its time, with a page."""
    log = tmp_path_factory.mktemp("server") / "log"
    slow = "slow+memory:16MiB?read_ms=60000"
    with serving(log, "memory:64MiB", slow, "--web", "127.0.0.1:0") as server:
        yield server


@pytest.fixture(scope="module")
def url(server: Serving) -> str:
    """Where its page is."""
    return server.announced("watch")


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The page of the server, live."""
    with opened(browser, url) as page:
        yield page


@contextmanager
def opened(browser: Browser, url: str, **settings: Any) -> Iterator[Page]:
    """A page that is live; the browser must have nothing to complain of."""
    context = browser.new_context(viewport={"width": 1680, "height": 1000}, **settings)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.goto(url)
    page.wait_for_selector('#feed[data-how="live"]')
    yield page
    context.close()
    assert complaints == []
