"""What a user sees of real initiators."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import TOKEN, opened
from tests.browser.initiator import Initiator
from tests.interop.serving import Serving, serving
from tests.interop.tools import run
from tests.interop.writer import Writer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, LocatorAssertions, Page

pytestmark = pytest.mark.browser

DRAWN = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
"""Waits until the page shows what it has heard."""


def expect(locator: Locator) -> LocatorAssertions:
    """What has to be so of something on the page, sooner or later."""
    from playwright.sync_api import expect

    return expect(locator)


def lit(page: Page, machine: str) -> Locator:
    """The state of a machine that is lit."""
    return page.locator(f'svg[data-machine="{machine}"] .state.now')


def is_lit(page: Page, machine: str, state: str) -> None:
    page.wait_for_selector(f'svg[data-machine="{machine}"] .state.now[data-state="{state}"]')
    expect(lit(page, machine)).to_have_count(1)


def taken(page: Page, machine: str) -> set[str]:
    """The labels of the arrows that were taken."""
    words = page.locator(f'svg[data-machine="{machine}"] .words.taken .label')
    return set(words.all_text_contents())


def choose(page: Page, view: str, machine: str) -> None:
    page.locator(f"#view-{view}-{machine}").click()


def line(page: Page, text: str) -> Locator:
    """The lines of the ladder with this text."""
    return page.locator("#ladder .line-of").filter(has_text=text)


def row(page: Page, table: str, text: str) -> Locator:
    return page.locator(f"#{table} tr").filter(has_text=text)


def test_states_light_up_when_libiscsi_logs_in_reads_and_logs_out(
    page: Page, server: Serving
) -> None:
    run("iscsi-inq", server.url)
    is_lit(page, "connection", "FREE")
    is_lit(page, "session", "FREE")
    expect(page.locator('svg[data-machine="connection"] .words.taken')).to_have_count(5)
    assert taken(page, "connection") == {"T3", "T4", "T5", "T9", "T13"}
    expect(page.locator('svg[data-machine="session"] .words.taken')).to_have_count(3)
    assert taken(page, "session") == {"N1", "N2", "N3"}
    # The state in which it ends is drawn twice: the second one is lit.
    assert "again" in (lit(page, "connection").locator("rect").get_attribute("class") or "")
    choose(page, "session", "login")
    is_lit(page, "login", "ACCEPTED")
    choose(page, "session", "logout")
    is_lit(page, "logout", "ANSWERED")
    line(page, "Login Request").first.wait_for()
    line(page, "INQUIRY").first.wait_for()
    expect(line(page, "connection T5 IN_LOGIN → LOGGED_IN")).to_have_count(1)
    row(page, "tasks", "INQUIRY").filter(has_text="GOOD").first.wait_for()
    expect(row(page, "keys", "MaxBurstLength")).to_have_count(1)
    expect(page.locator("#sessions [aria-current=true]")).to_contain_text("closed")


def test_each_step_of_a_session_is_shown_while_it_goes_on(page: Page, server: Serving) -> None:
    with Initiator(server.unit(0), "iqn.2025-12.test:shown") as initiator:
        is_lit(page, "connection", "LOGGED_IN")
        is_lit(page, "session", "LOGGED_IN")
        expect(page.locator("#sessions h3").first).to_have_text("iqn.2025-12.test:shown")

        initiator.do(lambda session: session.write(0, b"x" * 4096))
        assert initiator.do(lambda session: session.read(0, 8)) == b"x" * 4096
        row(page, "tasks", "WRITE(10)").filter(has_text="GOOD").wait_for()
        row(page, "tasks", "READ(10)").filter(has_text="GOOD").wait_for()

        initiator.do(lambda session: session.wait_ready(lun=1))
        task = initiator.begin_read(0, 8, lun=1)
        under_way = row(page, "tasks", "READ(10)").filter(has_text="EXECUTING")
        under_way.locator(".bar-of.open").wait_for()
        initiator.abort(task, lun=1)
        row(page, "tasks", "READ(10)").filter(has_text="ABORTED").wait_for()
        expect(line(page, "Task Management Request")).to_have_count(1)

        initiator.log_out()
    is_lit(page, "connection", "FREE")
    is_lit(page, "session", "FREE")
    expect(page.locator(".view .last").first).to_contain_text("RFC 7143 section 8.1")


def test_a_lost_connection_is_shown_to_be_cleaned_up(page: Page, server: Serving) -> None:
    choose(page, "session", "cleanup")
    with Writer(server.port):
        is_lit(page, "connection", "LOGGED_IN")
    is_lit(page, "connection", "CLEANUP_WAIT")
    is_lit(page, "cleanup", "CLEANUP_WAIT")


def test_a_line_of_the_ladder_is_explained_when_it_is_chosen(page: Page, server: Serving) -> None:
    run("iscsi-inq", server.url)
    line(page, "Login Request").first.click()
    details = page.locator("#details")
    details.get_by_role("heading", name=re.compile("^Login Request, PDU 1 of")).wait_for()
    text = details.inner_text()
    for expected in ("Initiator Task Tag", "ISID", "RFC 7143 section 11.12", "InitiatorName"):
        assert expected in text
    assert details.locator("tbody tr").count() > 10
    line(page, "connection T5").click()
    details.get_by_text("The Login Request that ends the login was accepted.").wait_for()
    chosen = page.locator('svg[data-machine="connection"] .words.chosen .label')
    assert chosen.all_text_contents() == ["T5"]


def test_a_refusal_is_shown(page: Page, server: Serving) -> None:
    run("iscsi-inq", server.url.replace("trioscsi/0", "nowhere/0"), status=10)
    page.locator("#ladder .line-of.note").filter(has_text="refused: ").first.wait_for()


def test_under_load_detail_is_left_out_and_that_is_said(page: Page, server: Serving) -> None:
    # Of so many bytes there is always too much to look at, however slow the machine is.
    run("iscsi-perf", "-m", "8", "-b", "512", "-t", "2", "-r", server.unit(0))
    page.locator("#dropped").filter(has_text="were not looked at one by one").wait_for()
    is_lit(page, "connection", "FREE")
    line(page, "bytes were not looked at").first.wait_for()
    expect(page.locator(".plot polyline").first).to_have_attribute("points", re.compile(" "))


def test_no_command_is_no_claim_that_there_was_none(page: Page) -> None:
    said = page.evaluate(
        """async () => {
          const { Model } = await import("/static/model.js");
          const { drawTasks } = await import("/static/tables.js");
          const model = new Model();
          const connection = model.take({ type: "connection", connection: 1 });
          const say = () => {
            drawTasks(connection, 0);
            return document.getElementById("idle").textContent;
          };
          const before = say();
          model.take({ type: "dropped", connection: 1, bytes: 4096, why: "as it happens" });
          return [before, say()];
        }"""
    )
    assert said == [
        "No command seen yet.",
        "Not all that came was looked at: commands may be missing here.",
    ]


def test_what_is_paused_waits_and_is_shown_step_by_step(page: Page, server: Serving) -> None:
    page.keyboard.press("p")
    page.locator("#feed").filter(has_text="paused").wait_for()
    run("iscsi-inq", server.url)
    page.locator("#feed").filter(has_text=re.compile(r"paused, \d+ to show")).wait_for()
    expect(line(page, "Login Request")).to_have_count(0)
    for _ in range(20):  # what the server tells may come little by little
        expect(page.locator("#step")).to_be_enabled()
        page.keyboard.press("s")
        page.evaluate(DRAWN)
        if line(page, "Login Request").count():
            break
    line(page, "Login Request").first.wait_for()
    expect(line(page, "Logout Request")).to_have_count(0)
    page.keyboard.press("p")
    line(page, "Logout Request").wait_for()
    page.locator("#feed").filter(has_text="live").wait_for()


def test_the_ladder_can_be_filtered(page: Page, server: Serving) -> None:
    run("iscsi-inq", server.url)
    line(page, "Logout Response").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("inquiry")
    expect(line(page, "Login Request")).to_have_count(0)
    line(page, "INQUIRY").first.wait_for()


def test_another_connection_can_be_looked_at(page: Page, server: Serving) -> None:
    with Initiator(server.unit(0), "iqn.2025-12.test:first") as first:
        is_lit(page, "connection", "LOGGED_IN")
        expect(page.locator("#sessions h3").first).to_have_text("iqn.2025-12.test:first")
        mine = page.locator("#sessions [aria-current=true]").get_attribute("data-connection")
        run("iscsi-inq", server.url)
        page.wait_for_selector(f'.connection[data-connection="{mine}"][aria-current="false"]')
        is_lit(page, "connection", "FREE")
        page.locator(f'.connection[data-connection="{mine}"]').click()
        is_lit(page, "connection", "LOGGED_IN")
        assert not page.locator("#follow").is_checked()
        # From now on it stays where it is.
        run("iscsi-inq", server.url)
        is_lit(page, "connection", "LOGGED_IN")
        first.log_out()
        is_lit(page, "connection", "FREE")


def test_who_comes_late_sees_the_present_state(browser: Browser, server: Serving, url: str) -> None:
    early = Initiator(server.unit(0), "iqn.2025-12.test:early")
    with early, opened(browser, url) as page:
        is_lit(page, "connection", "LOGGED_IN")
        is_lit(page, "session", "LOGGED_IN")
        row(page, "keys", "InitiatorName").wait_for()


def test_a_server_that_is_gone_is_missed_and_found_again(browser: Browser, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(log, "memory:1MiB", "--web", "127.0.0.1:0") as server:
        url = server.announced("watch")
        page = browser.new_page()
        page.goto(url)
        page.locator("#feed").filter(has_text="live").wait_for()
    page.locator("#feed").filter(has_text="the server does not answer; trying again").wait_for()
    where = url.removeprefix("http://").rstrip("/")
    with serving(log, "memory:1MiB", "--web", where) as server:
        page.locator("#feed").filter(has_text="live").wait_for()
        run("iscsi-inq", server.url)
        is_lit(page, "connection", "FREE")
    page.close()


def test_a_page_with_a_token_is_opened_by_it(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    arguments = ["--web", "127.0.0.1:0", "--web-token-file", str(file)]
    with serving(tmp_path / "log", "memory:1MiB", *arguments) as server:
        context = browser.new_context()
        page = context.new_page()
        page.goto(server.announced("watch"))
        page.get_by_label("The token of this page").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
        page.wait_for_selector('#feed[data-how="live"]')
        (cookie,) = context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert TOKEN not in page.content() + page.url + str(cookie)
        where = page.url.removeprefix("http://").rstrip("/")
    # Another process does not know the cookie, and asks again.
    arguments[1] = where
    with serving(tmp_path / "log", "memory:1MiB", *arguments):
        page.get_by_label("The token of this page").wait_for()
        context.close()


# For everybody.


def test_nothing_keeps_anybody_from_using_it(browser: Browser, server: Serving, url: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, url, reduced_motion="reduce") as page:
        run("iscsi-inq", server.url)
        is_lit(page, "connection", "FREE")
        line(page, "Login Request").first.click()
        page.locator("#details tbody tr").first.wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(page).response["violations"]
            assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_everything_can_be_reached_by_keyboard(page: Page, server: Serving) -> None:
    run("iscsi-inq", server.url)
    line(page, "Logout Response").wait_for()
    page.locator("body").click(position={"x": 1, "y": 1})
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className.split(' ')[0]"
            )
        )
        if reached[-1] == "ladder":
            break
    order = [name for name in reached if name]
    wanted = ["skip", "pause", "follow", "theme", "connection", "view-connection-connection"]
    places = [order.index(name) for name in (*wanted, "filter", "ladder")]
    assert places == sorted(places)
    # The ladder is one stop; the lines in it are chosen with the arrows.
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    active = page.locator("#ladder").get_attribute("aria-activedescendant")
    assert page.locator("#ladder .line-of").first.get_attribute("id") == active
    page.keyboard.press("Enter")
    page.locator("#details tbody tr, #details p").first.wait_for()
    assert page.evaluate("document.activeElement.id") == "details"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "ladder"
    assert page.locator("#details").is_hidden()


def test_the_tabs_of_a_machine_are_used_with_the_arrows(page: Page) -> None:
    page.locator("#view-session-session").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "view-session-login"
    page.wait_for_selector('svg[data-machine="login"]')
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "view-session-connection"


def test_what_becomes_of_a_connection_is_said_aloud(page: Page, server: Serving) -> None:
    run("iscsi-inq", server.url)
    spoken = page.locator("#spoken[role=status]")
    spoken.filter(has_text=re.compile(r"Connection \d+: FREE\.")).wait_for(state="attached")
    picture = page.get_by_role("img", name="The states of connection: it is in FREE")
    expect(picture).to_be_visible()


def test_the_theme_can_be_chosen_and_is_remembered(page: Page) -> None:
    page.locator("#theme").select_option("dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(12, 17, 22)"
    page.reload()
    page.wait_for_selector('#feed[data-how="live"]')
    assert page.evaluate(ground) == "rgb(12, 17, 22)"
    page.locator("#theme").select_option("light")
    assert page.evaluate(ground) == "rgb(244, 246, 248)"


def test_nothing_is_loaded_from_elsewhere(page: Page, url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector('#feed[data-how="live"]')
    assert asked
    assert all(each.startswith(url) for each in asked)
