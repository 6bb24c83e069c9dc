#!/usr/bin/env python3
"""Make the README's pictures again, from a demo of their own: `.venv/bin/python docs/pictures/make.py [NAME...]`.

Wants Chromium (``CHROMIUM`` names another one). The demo's studio lies where it is about ten in the morning now, so
that there is a day to look at; its data are in a temporary directory and gone afterwards.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PASSWORD = "demo-atelier"  # the demo prints it
DESK = (1440, 900)
PHONE = (390, 780)
SERVED_WITHIN_SECONDS = 180


def zone_of_the_morning() -> str:
    """A zone in which it is about ten now. The signs of these names are the wrong way round, by POSIX."""
    offset = (10 - datetime.now(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@contextmanager
def demo(zone: str) -> Iterator[str]:
    """A fresh demo studio in that zone; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="pictures-") as data:
        command = [sys.executable, "run.py", "--port", str(port), "--data", data]
        environment = os.environ | {"STUDIO_TIME_ZONE": zone}
        served = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            for line in served.stdout:
                if line.startswith("Serving on"):
                    break
            wait_until_ready(address)
            yield address
        finally:
            served.terminate()
            served.wait(timeout=60)


def wait_until_ready(address: str) -> None:
    deadline = monotonic() + SERVED_WITHIN_SECONDS
    while monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except OSError:
            sleep(0.5)
    sys.exit("The demo does not answer.")


@contextmanager
def reader(browser: Browser, address: str, who: str, size: tuple[int, int], zone: str) -> Iterator[Page]:
    """Somebody of the demo, signed in, in Spanish and in the light."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        base_url=address,
        locale="es-GT",
        timezone_id=zone,
        color_scheme="light",
        device_scale_factor=2 if size == PHONE else 1,
    )
    page = context.new_page()
    page.goto("/sign-in/")
    page.fill("input[name=username]", f"{who}@demo.test")
    page.fill("input[name=password]", PASSWORD)
    page.click("form button.btn-primary")
    page.wait_for_selector("h1")
    try:
        yield page
    finally:
        context.close()


def confirmed(page: Page) -> tuple[str, str]:
    """The confirmed session that lies farthest ahead, so before its deadline for changes; and when it begins."""
    page.goto("/sessions/?state=Confirmed&sort=-date")
    row = page.locator("main tbody tr").first
    return row.locator("a").first.get_attribute("href"), row.locator("time").get_attribute("datetime")


def home(page: Page) -> None:
    page.goto("/")


def session(page: Page) -> None:
    page.goto(confirmed(page)[0])


def refused(page: Page) -> None:
    """A request for the hour and the room of another session."""
    address, begins = confirmed(page)
    page.goto(address)
    room = page.locator("#where dd").nth(1).inner_text()
    day, clock = begins[:10], begins[11:16]
    page.goto("/sessions/new/")
    page.fill("input[name=client_search]", "Carter")
    page.locator("input[type=radio][name=client]").first.check()
    page.fill("input[name=session_date]", day)
    page.fill("input[name=start_time]", clock)
    page.fill("input[name=end_time]", f"{int(clock[:2]) + 2:02d}:00")
    page.fill("input[name=event_description]", "Retratos de familia")
    page.wait_for_load_state("networkidle")
    taken = page.locator("select[name=room] option", has_text=room).first.get_attribute("value")
    page.select_option("select[name=room]", taken)
    with page.expect_navigation():
        page.locator("main .form-actions button.btn-primary").click()
    page.evaluate("scrollTo(0, 0)")


def cancel(page: Page) -> None:
    page.goto(f"{confirmed(page)[0]}moves/cancel/")
    page.locator("main input[type=radio]").first.check()
    page.fill("main textarea", "Se muda antes de la fecha.")
    page.locator("main textarea").blur()


def serve(page: Page) -> None:
    """A day for which too few photographers are free."""
    address, begins = confirmed(page)
    page.goto(
        f"/serve/?session_type=External&first_day={begins[:10]}&start_time={begins[11:16]}"
        "&duration=4+h&photographers=3&location=Antigua&travel=45"
    )


def calendar(page: Page) -> None:
    page.goto("/calendar/?view=day")
    page.wait_for_selector(".ec-event")


def board(page: Page) -> None:
    page.goto("/appointments/")


def report(page: Page) -> None:
    page.goto("/reports/money/")
    page.wait_for_selector("canvas")
    page.wait_for_timeout(1500)  # the bars grow


# Each picture: who looks, on what, at which page.
PICTURES: dict[str, tuple[str, tuple[int, int], Callable[[Page], None]]] = {
    "home": ("carlos", DESK, home),
    "serve": ("carlos", (1440, 1000), serve),
    "calendar": ("carlos", DESK, calendar),
    "session": ("carlos", (1440, 1060), session),
    "refused": ("carlos", DESK, refused),
    "cancel": ("carlos", DESK, cancel),
    "photographer-phone": ("diego", PHONE, home),
    "editor": ("elena", (1440, 480), home),
    "board": ("carlos", DESK, board),
    "report": ("carlos", (1440, 1000), report),
}


def main() -> None:
    wanted = sys.argv[1:] or list(PICTURES)
    zone = zone_of_the_morning()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with demo(zone) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name in wanted:
            who, size, walk = PICTURES[name]
            with reader(browser, address, who, size, zone) as page:
                walk(page)
                page.wait_for_load_state("networkidle")
                # Hiding the caret would write a style into the page, which its policy refuses.
                page.screenshot(path=HERE / f"{name}.png", caret="initial")
                print(name, (HERE / f"{name}.png").stat().st_size // 1000, "kB")
        browser.close()


if __name__ == "__main__":
    main()
