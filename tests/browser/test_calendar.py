"""The calendar in Chromium: dragged to another room and another time, put back with the reason, moved by keyboard."""

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from sessions_app import workflow
from sessions_app.models import Session
from tests.browser.test_walk import DESK, PHONE, Reader, browser, morning, studio  # noqa: F401
from tests.factories.domain import RoomFactory, Studio

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def drag(page: Page, event: Locator, right: float, down: float) -> None:
    box = event.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down / 2)
    page.mouse.move(x + right, y + down)
    page.mouse.up()


def test_the_calendar_moves_refuses_and_is_worked_by_keyboard(
    live_server,
    browser: Browser,  # noqa: F811
    studio: Studio,  # noqa: F811
    morning: datetime,  # noqa: F811
) -> None:
    other = RoomFactory(name="Sala B")
    paz = studio.walk(
        workflow.REQUEST,
        when=studio.when(1, "10:00", "12:00"),
        room_id=studio.room.pk,
        photographer_ids=(studio.photographer.pk,),
        event_description="Retratos Paz",
    ).session
    ruiz = studio.walk(
        workflow.REQUEST, when=studio.when(1, "14:00", "16:00"), room_id=other.pk, event_description="Boda Ruiz"
    ).session
    tomorrow = (morning + timedelta(days=1)).date().isoformat()

    def stands(session: Session) -> tuple[str, str]:
        session.refresh_from_db()
        return f"{session.local_start:%H:%M}–{session.local_end:%H:%M}", session.room.name

    with Reader(browser, live_server.url, studio.coordinator, DESK) as carlos:
        page = carlos.page
        carlos.go(f"/calendar/?view=day&date={tomorrow}")
        # In the line of the room, then in the line of who comes.
        events = page.locator(f".ec-event[data-key='{paz.code}']")
        expect(events).to_have_count(2)
        expect(page.locator(".calendar-hint")).to_be_visible()
        expect(page.locator("#calendar-list")).to_be_hidden()
        # All hours of the day are side by side.
        assert page.locator(".ec-main").evaluate("each => each.scrollWidth <= each.clientWidth")
        hour = events.first.bounding_box()["width"] / 2
        lines = page.locator(".ec-row-head")
        height = lines.nth(2).bounding_box()["y"] - lines.nth(1).bounding_box()["y"]

        drag(page, events.first, 0, height)
        expect(page.locator("#calendar-say .success")).to_contain_text("Sala B, Ana Morales")
        assert stands(paz) == ("10:00–12:00", "Sala B")
        before = events.first.bounding_box()
        drag(page, events.first, 4 * hour, 0)
        expect(page.locator("#calendar-say .error")).to_contain_text(ruiz.code)
        assert events.first.bounding_box() == before
        assert stands(paz) == ("10:00–12:00", "Sala B")
        carlos.complaints.clear()  # the browser notes the 409
        # Its right edge: an hour more, and taken back.
        box = events.first.bounding_box()
        page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 10)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] + hour / 2, box["y"] + 10)
        page.mouse.move(box["x"] + box["width"] + hour - 3, box["y"] + 10)
        page.mouse.up()
        expect(page.locator("#calendar-say .success")).to_contain_text("10:00 to 13:00")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#calendar-say .success")).to_contain_text("Taken back")
        assert stands(paz) == ("10:00–12:00", "Sala B")
        carlos.look("calendar-day")

        events.first.focus()
        page.keyboard.press("Enter")
        panel = page.locator("#calendar-panel")
        expect(panel).to_contain_text("Ana Morales")
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(events.first).to_be_focused()
        page.keyboard.press("Enter")
        with page.expect_navigation():
            panel.get_by_role("link", name="Move").press("Enter")
        page.select_option("[name=room]", str(studio.room.pk))
        page.fill("[name=start_time]", "16:00")
        page.fill("[name=end_time]", "18:00")
        carlos.submit()
        carlos.told("16:00 to 18:00")
        assert page.url.endswith(f"/calendar/?view=day&date={tomorrow}")
        assert stands(paz) == ("16:00–18:00", "Sala A")
        carlos.go(f"/calendar/?view=month&date={tomorrow}")
        expect(page.locator(".ec-event").first).to_be_visible()
        carlos.look("calendar-month")
        # What cannot be drawn leaves the list where it was.
        page.route("**/calendar/events/**", lambda route: route.abort())
        carlos.go(f"/calendar/?view=week&date={tomorrow}")
        expect(page.locator("#calendar-say .error")).to_be_visible()
        expect(page.locator("#calendar")).to_be_hidden()
        expect(page.locator("#calendar-list")).to_contain_text("Retratos Paz")
        carlos.complaints.clear()  # the browser notes the failure

    with Reader(browser, live_server.url, studio.coordinator, PHONE) as carlos:
        carlos.go(f"/calendar/?view=day&date={tomorrow}")
        expect(carlos.page.locator("#calendar")).to_be_hidden()
        carlos.look("calendar")
        carlos.click("Move Boda Ruiz")
        carlos.look("calendar-move")
