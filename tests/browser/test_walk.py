"""The whole main job in Chromium: one session from request to delivery, another canceled with its refund.

Each screen, narrow or wide as its reader would see it, is looked at by axe. Nothing may need a sideways scroll or
breach the content security policy. `python3 run.py browser` photographs each, too, into ``.atelier/screens``
(``ATELIER_SCREENS`` says elsewhere).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core import mail
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from sessions_app import workflow
from sessions_app.models import Session
from studio import outbox
from studio.conf import STUDIO
from studio.models import User
from studio.roles import Role
from tests.factories.domain import PASSWORD, ClientFactory, PackageFactory, RoomFactory, Studio, person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A picture is no check, and takes as long as one.
FULL = os.environ.get("RACE_ALL") == "1"
SCREENS = os.environ.get("ATELIER_SCREENS") or (Path(django_settings.BASE_DIR) / ".atelier" / "screens" if FULL else "")
AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SETTLED = """Promise.all(document.getAnimations()
    .filter(each => each.effect.getComputedTiming().endTime !== Infinity)
    .map(each => each.finished.catch(() => null))).then(() => null)"""
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch:
        # Playwright's loop runs in this thread, in which pytest-django then empties the tables.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            yield opened
            opened.close()


@pytest.fixture
def morning(settings) -> Iterator[datetime]:
    """A studio somewhere on earth where it is about nine in the morning: a shoot later today is always possible."""
    hour = datetime.now(UTC).hour
    offset = (9 - hour + 12) % 24 - 12
    zone = f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"
    settings.TIME_ZONE = zone
    with STUDIO.overridden(time_zone=zone):
        yield datetime.now(STUDIO.zone)


@dataclass
class Reader:
    """Somebody in front of a browser of their own."""

    browser: Browser
    address: str
    who: User
    size: dict[str, int]
    complaints: list[str] = field(default_factory=list)
    page: Page = None

    def __enter__(self) -> "Reader":
        context = self.browser.new_context(viewport=self.size, has_touch=self.size is PHONE)
        context.set_default_timeout(15_000)
        self.page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(self.address)
        self.page.fill("input[name=username]", self.who.email)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("main button.btn-primary, form button.btn-primary")
        expect(self.page.locator("h1")).to_contain_text(self.who.short_name)
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        self.page.context.close()
        if kind is None:
            assert self.complaints == [], "\n".join(self.complaints)

    def _heard(self, said: ConsoleMessage) -> None:
        # htmx calls it an error when a question is dropped because a newer one was asked.
        if said.type == "error" and not said.text.startswith(("htmx:sendAbort", "htmx:afterRequest")):
            self.complaints.append(said.text)

    def open(self, session: Session) -> None:
        self.page.goto(f"{self.address}{session.get_absolute_url()}")

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def click(self, words: str) -> None:
        """The button or link in the page itself that says so."""
        main = self.page.locator("main")
        act = main.get_by_role("link", name=words, exact=True).or_(main.get_by_role("button", name=words, exact=True))
        with self.page.expect_navigation():
            act.first.click()

    def move(self, words: str, session: Session, state: str) -> None:
        """Make a move of the session: at once, or by way of the page that shows what it causes."""
        self.open(session)
        self.click(words)
        if "/moves/" in self.page.url:
            self.look(f"move-to-{state.lower().replace(' ', '-')}")
            self.submit()
        self.is_in(session, state)

    def submit(self) -> None:
        """The one main act of the form that is open."""
        act = self.page.locator("main .form-actions button.btn-primary, main .form-actions button.btn-danger")
        with self.page.expect_navigation():
            act.first.click()

    def told(self, words: str) -> None:
        expect(self.page.locator("#messages")).to_contain_text(words)

    def is_in(self, session: Session, state: str) -> None:
        session.refresh_from_db()
        assert session.status == state

    def look(self, name: str) -> None:
        """Have the screen checked for width and for what axe knows, and photograph it where somebody wants pictures."""
        if SCREENS:
            Path(SCREENS).mkdir(parents=True, exist_ok=True)
            picture = Path(SCREENS) / f"{name}-{self.size['width']}.png"
            # Hiding the caret would write a style into the page, which its policy refuses.
            self.page.screenshot(path=picture, full_page=True, caret="initial")
        root = "document.documentElement"
        assert self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, f"{name} scrolls sideways"
        # As tall as the page: what happens to lie under the bar at the bottom of a phone counts as hard to hit.
        self.page.evaluate("document.fonts.ready")
        height = self.page.evaluate(f"{root}.scrollHeight")
        self.page.set_viewport_size({"width": self.size["width"], "height": max(height, self.size["height"])})
        # Half way through a transition colours and places are those of nobody.
        self.page.evaluate(SETTLED)
        # As the devtools do: the policy of the page lets no script of a test in by a tag.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
        problems = [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found["violations"]]
        assert problems == [], f"{name}: {problems}"
        self.page.set_viewport_size(self.size)


def a_person(role: Role, name: str) -> User:
    user = person(role, full_name=name, language="en")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def studio(morning: datetime) -> Studio:
    return Studio(
        today=morning.date(),
        admin=a_person(Role.ADMIN, "Gabriela Herrera"),
        coordinator=a_person(Role.COORDINATOR, "Carlos Estrada"),
        photographer=a_person(Role.PHOTOGRAPHER, "Ana Morales"),
        editor=a_person(Role.EDITOR, "Elena Cordón"),
        room=RoomFactory(name="Sala A"),
        package=PackageFactory(name="Maternidad", base_price="950.00"),
        client=ClientFactory(full_name="Familia Paz"),
    )


def test_a_session_from_request_to_delivery(live_server, browser: Browser, studio: Studio, morning: datetime) -> None:
    taken = studio.walk(workflow.REQUEST, when=studio.when(0, "14:00", "16:00"), room_id=studio.room.pk).session
    with Reader(browser, live_server.url, studio.coordinator, DESK) as carlos:
        carlos.look("home-coordinator")
        carlos.go("/sessions/new/")
        page = carlos.page
        page.locator("summary", has_text="A new client").click()
        page.fill("[name=full_name]", "Sofía Ruiz")
        page.fill("[name=primary_phone]", "5555-0142")
        page.fill("[name=email]", "sofia@example.test")
        page.check("[name=session_type][value=Studio]")
        page.fill("[name=session_date]", morning.date().isoformat())
        page.fill("[name=start_time]", "15:00")
        page.fill("[name=end_time]", "17:30")
        page.fill("[name=event_description]", "Maternidad Ruiz")
        page.fill("[name=special_notes]", "Luz suave, fondo claro")
        page.select_option("[name=room]", str(studio.room.pk))
        carlos.look("request")
        carlos.submit()

        # The room is taken from 14:00 to 16:00: refused with what is in the way, and nothing typed is lost.
        expect(page.locator("main")).to_contain_text(taken.code)
        assert page.input_value("[name=event_description]") == "Maternidad Ruiz"
        assert Session.objects.count() == 1
        carlos.look("request-refused")
        carlos.complaints.clear()  # the browser notes the 409
        page.fill("[name=start_time]", "16:00")
        page.fill("[name=end_time]", "18:30")
        carlos.submit()
        session = Session.objects.exclude(pk=taken.pk).get()
        carlos.is_in(session, workflow.REQUEST)

        carlos.open(session)
        carlos.look("session-request")
        carlos.move("Start negotiation", session, workflow.NEGOTIATION)
        carlos.go(f"/sessions/{session.code}/lines/")
        page.select_option("[name=package]", str(studio.package.pk))
        expect(page.get_by_role("button", name="Add the package")).to_be_visible()
        page.wait_for_load_state("networkidle")
        carlos.look("lines-preview")
        page.get_by_role("button", name="Add the package").click()
        expect(page.locator("main .package-line")).to_contain_text("Maternidad")
        session.refresh_from_db()
        assert session.lines.count() == 2
        carlos.look("lines")

        carlos.move("Pre-schedule", session, workflow.PRE_SCHEDULED)
        carlos.open(session)
        carlos.click("Confirm")
        page.fill("[name=amount]", "600.00")
        page.select_option("[name=method]", "Transfer")
        page.fill("[name=document_number]", "BI-88213")
        carlos.look("move-confirm")
        carlos.submit()
        carlos.is_in(session, workflow.CONFIRMED)
        assert sorted(session.payments.values_list("payment_type", flat=True)) == ["Balance", "Deposit"]
        carlos.look("session-confirmed")

        carlos.go(f"/sessions/{session.code}/people/")
        carlos.look("people")
        page.select_option("form[action$='/people/assign/'] [name=photographer]", str(studio.photographer.pk))
        with page.expect_navigation():
            page.locator("form[action$='/people/assign/'] button.btn-primary").click()
        assert session.assignments.filter(staff=studio.photographer).exists()
        carlos.move("Assign", session, workflow.ASSIGNED)
        carlos.go("/sessions/")
        carlos.look("session-list")

    with Reader(browser, live_server.url, studio.photographer, PHONE) as ana:
        ana.look("home-photographer")
        expect(ana.page.locator("main")).to_contain_text("Luz suave")
        expect(ana.page.locator("main")).not_to_contain_text("Q ")
        ana.open(session)
        ana.look("session-photographer")
        ana.move("Mark as attended", session, workflow.ATTENDED)
        ana.go(f"/sessions/{session.code}/notes/")
        ana.page.fill("[name=observations]", "Las últimas cuarenta son las mejores.")
        ana.look("notes")
        ana.submit()

    with Reader(browser, live_server.url, studio.editor, DESK) as elena:
        elena.look("home-editor")
        elena.move("Take for editing", session, workflow.IN_EDITING)
        elena.go(f"/sessions/{session.code}/delivery/")
        elena.page.check("[name=editing_days][value='10']")
        elena.page.fill("[name=note]", "Falta escoger la portada.")
        elena.look("delivery-date")
        elena.submit()
        session.refresh_from_db()
        assert session.estimated_delivery_date == morning.date() + timedelta(days=10)
        outbox.deliver()
        elena.open(session)
        elena.look("session-editor")
        elena.move("Mark as ready", session, workflow.READY)

    with Reader(browser, live_server.url, studio.coordinator, PHONE) as carlos:
        carlos.look("home-coordinator")
        carlos.move("Deliver and complete", session, workflow.COMPLETED)
        carlos.look("session-completed")

    outbox.deliver()
    subjects = [message.subject for message in mail.outbox]
    assert len(subjects) == 3, subjects
    assert all(message.to == ["sofia@example.test"] for message in mail.outbox)


def test_another_is_canceled_with_the_refund_that_was_shown(live_server, browser: Browser, studio: Studio) -> None:
    session = studio.walk(workflow.CONFIRMED).equip().session
    with Reader(browser, live_server.url, studio.coordinator, DESK) as carlos:
        page = carlos.page
        carlos.open(session)
        carlos.look("session-to-cancel")
        carlos.click("Cancel…")
        expect(page.locator("main")).to_contain_text("500.00")
        carlos.submit()
        carlos.is_in(session, workflow.CONFIRMED)  # without a reason nothing happens
        carlos.complaints.clear()  # the browser notes the 422
        page.check("[name=initiator][value=client]")
        page.fill("[name=reason]", "Viaja ese día.")
        carlos.look("cancel")
        carlos.submit()
        carlos.is_in(session, workflow.CANCELED)
        refund = session.payments.get(payment_type="Refund")
        assert (refund.amount, refund.payment_status) == (500, "Pending")
        carlos.look("session-canceled")

        carlos.go("/payments/")
        carlos.look("payments")
        carlos.go(f"/payments/{refund.pk}/pay-out/")
        page.select_option("[name=method]", "Transfer")
        page.fill("[name=document_number]", "DEV-1")
        carlos.look("pay-out")
        carlos.submit()
        refund.refresh_from_db()
        assert refund.payment_status == "Verified"

    with Reader(browser, live_server.url, studio.photographer, PHONE) as ana:
        ana.open(session)
        expect(ana.page.locator("main")).to_contain_text("Canceled")
        ana.look("session-off")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_other_pages_of_an_admin(live_server, browser: Browser, studio: Studio, size: dict[str, int]) -> None:
    studio.walk(workflow.ATTENDED, when=studio.when(9))
    with Reader(browser, live_server.url, studio.admin, size) as admin:
        for name, path in {
            "clients": "/clients/",
            "client": studio.client.get_absolute_url(),
            "client-new": "/clients/new/",
            "catalogue": "/catalogue/",
            "package": studio.package.get_absolute_url(),
            "rooms": "/rooms/",
            "room": studio.room.get_absolute_url(),
            "staff": "/staff/",
            "notices": "/notices/",
            "search": "/search/?q=paz",
            "sessions": "/sessions/",
            "payments": "/payments/",
            "request": "/sessions/new/",
        }.items():
            admin.go(path)
            admin.look(f"admin-{name}")


def test_an_artist_books_moves_completes_and_reads_the_commission(
    live_server, browser: Browser, studio: Studio, morning: datetime
) -> None:
    artist = a_person(Role.ARTIST, "Nico Paz")
    with Reader(browser, live_server.url, artist, DESK) as nico:
        page = nico.page
        page.locator("nav.side").get_by_role("link", name="Appointments").click()
        nico.click("Book Nico Paz at 14:00")
        page.locator("summary", has_text="A new client").click()
        page.fill("[name=full_name]", "Sofía Ruiz")
        page.fill("[name=primary_phone]", "5555-0142")
        page.fill("[name=email]", "sofia@example.test")
        page.fill("[name=event_description]", "Manga")
        page.fill("[name=price]", "640")
        page.select_option("[name=duration]", "90")
        expect(page.locator("#room")).to_contain_text("14:00 to 15:30")
        nico.submit()
        session = Session.objects.get()
        nico.told(f"{session.code} is booked")
        day = morning.date().isoformat()

        def begins(at: str) -> bool:
            session.refresh_from_db()
            return f"{session.local_start:%Y-%m-%d %H:%M}" == f"{day} {at}"

        # By keyboard: it is asked first, and told afterwards.
        mine = page.locator(f"td[data-code='{session.code}']")
        mine.locator("a.name").focus()
        page.keyboard.press("Shift+ArrowDown")
        expect(page.locator("#board-say")).to_contain_text("Move to 14:30?")
        assert begins("14:00")
        page.keyboard.press("Enter")
        expect(page.locator("#board-say .success")).to_contain_text("14:30 to 16:00")
        assert begins("14:30")
        # By mouse, two slots up; the appointment keeps the focus, and the click after a drag opens nothing.
        box, slot = mine.bounding_box(), page.locator("tr[data-clock='13:30']").bounding_box()
        page.mouse.move(box["x"] + 150, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 150, box["y"] + 30)
        page.mouse.move(box["x"] + 150, slot["y"] + 50)
        page.mouse.up()
        expect(page.locator("#board-say .success")).to_contain_text("13:30 to 15:00")
        assert begins("13:30")
        nico.look("board")

        nico.open(session)
        nico.click("Complete and take payment")
        page.check("[name=method][value=Cash]")
        nico.submit()
        nico.is_in(session, workflow.COMPLETED)
        nico.go("/")
        expect(page.locator("#commission")).to_contain_text("320.00")

    with Reader(browser, live_server.url, artist, PHONE) as nico:
        nico.look("home-artist")
        nico.go("/appointments/")
        expect(nico.page.locator(".board-list")).to_contain_text("Sofía Ruiz")
        nico.look("board")
        nico.go(f"/appointments/new/?start={day}T16:00")
        nico.look("appointment-new")
