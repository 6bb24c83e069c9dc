"""Every component in a browser: narrow and wide, light and dark, both languages, with and without scripts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, Route, sync_playwright

from studio.roles import Role
from tests.factories.studio import make_user

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.browser.look.urls"), pytest.mark.django_db(transaction=True)]

AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    # Playwright's loop runs in this thread, in which pytest-django then empties the tables.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def signed_in(client: Client) -> str:
    """The session of a coordinator."""
    client.force_login(make_user(Role.COORDINATOR, full_name="Carlos Méndez Ruiz", language="en"))
    return client.cookies["sessionid"].value


def show(browser: Browser, signed_in: str, address: str, **options: object) -> tuple[Page, list[str]]:
    """The page, and what the browser complained of (a breach of the content security policy is an error)."""
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    # The origin, not the page: its path would keep the cookie from every other address.
    context.add_cookies([{"name": "sessionid", "value": signed_in, "url": urljoin(address, "/")}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    return page, complaints


@pytest.mark.parametrize("language", ["es", "en"])
def test_no_width_needs_a_sideways_scroll(live_server, signed_in: str, browser: Browser, language: str) -> None:
    page, complaints = show(browser, signed_in, f"{live_server.url}/style/{language}/")
    too_wide = {}
    for width in (320, 360, 412, 640, 768, 992, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        root = "document.documentElement"
        too_wide[width] = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    page.context.close()
    assert complaints == []
    assert set(too_wide.values()) == {0}, too_wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_everybody_can_read_and_reach_it(
    live_server, signed_in: str, browser: Browser, width: int, scheme: str
) -> None:
    page, complaints = show(
        browser,
        signed_in,
        f"{live_server.url}/style/es/",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
    page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})
    # As tall as the page: what happens to lie under the bar at the bottom of a phone counts as hard to hit.
    page.evaluate("document.fonts.ready")
    page.set_viewport_size({"width": width, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.evaluate(AXE.read_text())
    wrong = found_by_axe(page, "document")
    for menu in page.locator("details[data-menu]").all():
        if menu.is_visible():
            menu.locator("summary").click()
            wrong += found_by_axe(page, "'details[open]'")
    page.context.close()
    assert complaints == []
    assert wrong == []


def found_by_axe(page: Page, part: str) -> list[str]:
    found = page.evaluate(f"(tags) => axe.run({part}, {{runOnly: tags}})", RULES)
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found["violations"]]


def test_phone_targets_are_thumb_sized(live_server, signed_in: str, browser: Browser) -> None:
    page, _complaints = show(browser, signed_in, f"{live_server.url}/style/en/", viewport={"width": 360, "height": 740})
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .btn, .chip, .form-control, .form-select, summary, .bottom a")]
        .filter((each) => each.offsetParent)
        .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect().height])
        .filter(([, height]) => height < 44)"""
    )
    page.context.close()
    assert small == []


def test_frame_works_without_scripts_and_in_the_systems_dark(live_server, signed_in: str, browser: Browser) -> None:
    page, _complaints = show(
        browser,
        signed_in,
        f"{live_server.url}/style/es/",
        viewport={"width": 360, "height": 740},
        color_scheme="dark",
        java_script_enabled=False,
    )
    page.locator(".bottom summary").click()
    assert page.locator(".bottom .menu-panel a").first.is_visible()
    page.locator(".top summary").click()
    assert page.locator(".langs button").first.is_visible()
    assert page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor") == "rgb(22, 21, 20)"
    page.context.close()


def test_keys_reach_the_search_and_close_a_menu(live_server, signed_in: str, browser: Browser) -> None:
    page, _complaints = show(
        browser, signed_in, f"{live_server.url}/style/es/", viewport={"width": 1440, "height": 900}
    )
    # The form has errors: what to mend has the focus first.
    assert page.evaluate("document.activeElement.hasAttribute('data-form-errors')")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("a/b")
    assert page.evaluate("document.activeElement.value") == "a/b"
    page.locator(".top summary").click()
    page.keyboard.press("Escape")
    assert page.locator("details[open]").count() == 0
    page.context.close()


def test_filter_applies_itself_and_leaves_out_what_is_empty(live_server, signed_in: str, browser: Browser) -> None:
    page, _complaints = show(
        browser, signed_in, f"{live_server.url}/style/es/", viewport={"width": 1440, "height": 900}
    )
    with page.expect_navigation():
        page.locator(".filters select").select_option("a")
    assert page.url.endswith("/style/es/?state=a")
    page.context.close()


def test_paper_is_light_and_without_the_frame(live_server, signed_in: str, browser: Browser) -> None:
    page, _complaints = show(browser, signed_in, f"{live_server.url}/style/es/", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".side").is_hidden()
    assert page.locator(".top").is_hidden()
    assert page.locator("main").evaluate("(main) => getComputedStyle(main).color") == "rgb(28, 27, 26)"
    page.context.close()


def test_a_form_is_sent_once_however_often_it_is_clicked(live_server, signed_in: str, browser: Browser) -> None:
    page, _complaints = show(
        browser, signed_in, f"{live_server.url}/style/es/", viewport={"width": 1440, "height": 900}
    )
    sent: list[str] = []

    def stay_here(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(route.request.url)
            route.fulfill(status=204)
        else:
            route.continue_()

    page.route("**/style/es/", stay_here)
    button = page.get_by_role("button", name="Verificar")
    button.dblclick()
    page.wait_for_timeout(300)
    assert button.is_disabled()
    assert len(sent) == 1
    page.context.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("of the server", "This page does not exist, or not for you."),
        ("broken", "That did not work, and nothing was changed."),
        ("none", "The studio's computer cannot be reached."),
    ],
)
def test_what_htmx_cannot_do_is_said_in_words(
    live_server, signed_in: str, browser: Browser, answer: str, words: str
) -> None:
    page, _complaints = show(browser, signed_in, f"{live_server.url}/style/en/")
    if answer == "broken":
        page.route("**/nowhere/", lambda route: route.fulfill(status=500, body="<h1>Oops</h1>"))
    elif answer == "none":
        page.route("**/nowhere/", lambda route: route.abort())
    page.evaluate("htmx.ajax('GET', '/nowhere/', '#main').catch(() => {})")
    message = page.locator("#messages .say.error")
    message.wait_for()
    assert words in message.inner_text()
    assert page.locator("h1").count() == 1
    page.context.close()
