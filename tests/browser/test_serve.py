"""The client on the phone: "can you do Saturday?", taken, and a held request on another time in six actions."""

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from sessions_app import workflow
from sessions_app.models import Session
from tests.browser.test_walk import DESK, PHONE, Reader, browser, morning, studio  # noqa: F401
from tests.factories.domain import Studio

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST_ACTIONS = 6


def test_a_taken_saturday_becomes_a_held_alternative_in_six_actions(
    live_server,
    browser: Browser,  # noqa: F811
    studio: Studio,  # noqa: F811
    morning: datetime,  # noqa: F811
) -> None:
    days = (5 - morning.weekday()) % 7 + 14
    saturday = (morning + timedelta(days=days)).date()
    taken = studio.walk(
        workflow.REQUEST,
        when=studio.when(days, "14:00", "16:30"),
        room_id=studio.room.pk,
        photographer_ids=(studio.photographer.pk,),
        event_description="Boda Méndez",
    ).session
    actions = 0

    with Reader(browser, live_server.url, studio.coordinator, DESK) as carlos:
        page = carlos.page

        def done() -> None:
            nonlocal actions
            actions += 1

        page.get_by_role("link", name="Can we serve?").click()
        done()
        page.fill("#wish [name=first_day]", saturday.isoformat())
        done()
        page.fill("#wish [name=start_time]", "15:00")
        done()
        # The answer comes as one types: nothing has to be pressed for it.
        page.locator("#wish [name=start_time]").dispatch_event("change")
        answer = page.locator("#answer")
        expect(answer).to_contain_text("Not like this: a photographer is missing")
        expect(answer).to_contain_text("Boda Méndez")
        expect(answer.get_by_role("button", name="Hold").nth(4)).to_be_visible()
        page.fill("[name=client_search]", "Paz")
        done()
        page.get_by_label("Familia Paz").check()
        done()
        # Whose record it is may change the terms: the answer is asked for once more.
        page.wait_for_load_state("networkidle")
        expect(page.locator("#comes-to")).to_contain_text("If the first one is held")
        carlos.look("serve")
        answer.get_by_role("button", name="Hold").first.click()
        done()
        expect(page.locator("main")).to_contain_text("is held until")

    session = Session.objects.exclude(pk=taken.pk).get()
    assert actions <= MOST_ACTIONS
    assert (session.status, session.client, session.room) == (workflow.REQUEST, studio.client, studio.room)
    assert session.session_date == saturday and f"{session.start_time:%H:%M}" == "16:30"
    assert session.held_until is not None and session.assignments.get().staff == studio.photographer

    with Reader(browser, live_server.url, studio.coordinator, PHONE) as carlos:
        carlos.go(f"/serve/?first_day={saturday.isoformat()}&start_time=15:00&duration=2+h")
        expect(carlos.page.locator("#answer")).to_contain_text("Not like this")
        carlos.look("serve-phone")
