"""Several sittings at once: laid out by the clock, looked at, moved where they clash, booked all or none."""

from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import Client as Browser

from scheduling.slots import Span, instant
from sessions_app.actions import appoint
from sessions_app.forms.series import laid_out
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.models import User
from tests.factories.shop import MONDAY, NOW, Shop, span

pytestmark = pytest.mark.django_db
PAGE = "/appointments/series/"
WEEK = timedelta(weeks=1)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def browser(user: User) -> Browser:
    signed_in = Browser()
    signed_in.force_login(user)
    signed_in.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return signed_in


def plan(shop: Shop, **changes: object) -> dict[str, object]:
    values = {
        "client": shop.client.pk,
        "artist": shop.artist.pk,
        "session_date": MONDAY,
        "start_time": "10:00",
        "duration": "180",
        "event_description": "Sleeve",
        "price": "1200",
        "every": "2",
        "unit": "weeks",
        "count": "6",
        "certainty": "active",
    } | changes
    return {name: value for name, value in values.items() if value is not None}


def rows(*days: str, start: str = "10:00", dropped: tuple[int, ...] = ()) -> dict[str, str]:
    found = {}
    for number, day in enumerate(days, start=1):
        found |= {f"day-{number}": day, f"start-{number}": start}
        if number not in dropped:
            found[f"keep-{number}"] = "1"
    return found


def starts() -> list[str]:
    return [f"{each.local_start:%m-%d %H:%M}" for each in Session.objects.order_by("starts_at")]


def test_a_sleeve_in_six_sittings_is_looked_at_and_then_booked(shop):
    page = browser(shop.coordinator)
    shown = page.post(PAGE, plan(shop, plan="true"))
    assert shown.status_code == 200
    assert shown.text.count("check-circle") >= 6
    assert not Session.objects.exists(), "nothing is booked by looking"
    sittings = [f"2027-{day}" for day in ("03-08", "03-22", "04-05", "04-19", "05-03", "05-17")]
    assert all(f'value="{day}"' in shown.text for day in sittings)
    answer = page.post(PAGE, plan(shop, **rows(*sittings)), follow=True)
    assert "6 sittings are booked" in answer.text
    booked = list(Session.objects.order_by("starts_at"))
    assert [each.event_description for each in booked] == [f"Sleeve {n}/6" for n in range(1, 7)]
    assert {each.price for each in booked} == {Decimal("1200.00")}
    assert {each.artist for each in booked} == {shop.artist}


def test_a_clash_is_shown_beside_its_row_and_the_row_can_be_moved_or_dropped(shop):
    taken = shop.book(span(day="2027-03-22"), client=shop.client)
    page = browser(shop.coordinator)
    days = ("2027-03-08", "2027-03-22", "2027-04-05")
    shown = page.post(PAGE, plan(shop, count="3", plan="true"))
    assert taken.code in shown.text
    assert shown.text.count('class="wrong"') == 1
    # Booked as it is: refused as a whole, the reason stays beside the row.
    refused = page.post(PAGE, plan(shop, **rows(*days)))
    assert (refused.status_code, Session.objects.count()) == (422, 1)
    assert taken.code in refused.text
    # Moved onto another sitting: they are in each other's way.
    own = page.post(PAGE, plan(shop, check="true", **rows("2027-03-08", "2027-03-08", "2027-04-05")))
    assert own.text.count('class="wrong"') == 1
    looked = page.post(PAGE, plan(shop, check="true", **rows("2027-03-08", "2027-03-23", "2027-04-05")))
    assert 'class="wrong"' not in looked.text
    dropped = page.post(PAGE, plan(shop, **rows(*days, dropped=(2,))))
    assert dropped.status_code == 302
    assert starts() == ["03-08 10:00", "03-22 10:00", "04-05 10:00"]
    titles = Session.objects.exclude(pk=taken.pk).order_by("starts_at").values_list("event_description", flat=True)
    assert list(titles) == ["Sleeve 1/2", "Sleeve 2/2"]


def test_the_time_of_the_clock_stays_across_a_change_of_the_clocks(shop):
    with STUDIO.overridden(time_zone="Europe/Madrid"):
        page = browser(shop.coordinator)
        sent = plan(shop, session_date="2027-03-15", every="7", unit="days", count="3")
        page.post(PAGE, sent)
        assert starts() == ["03-15 10:00", "03-22 10:00", "03-29 10:00"]
        apart = [each.starts_at for each in Session.objects.order_by("starts_at")]
        assert apart[2] - apart[1] == WEEK - timedelta(hours=1)
        # A time that the clocks skip is a row to be moved, not an error of ours.
        skipped = page.post(PAGE, plan(shop, session_date="2027-03-21", start_time="02:30", every="7", unit="days"))
        assert skipped.status_code == 422
        assert "do not exist" in skipped.text


def test_minutes_before_and_after_keep_the_sittings_apart(shop):
    shop.artist.buffer_after = 30
    shop.artist.save()
    found = appoint.clashes([span(), span("13:15", "14:00")], artist_id=shop.artist.pk)
    assert [each.span.start.minute for each in found] == [15]


def test_an_artist_books_their_own_clients_for_themselves(shop):
    page = browser(shop.artist)
    assert page.post(PAGE, plan(shop, count="2")).status_code == 422, "a client whom they have not seen"
    shop.book(span(day="2027-03-01"))
    assert page.post(PAGE, plan(shop, artist=shop.other.pk, count="2")).status_code == 422
    assert page.post(PAGE, plan(shop, count="2", price="")).status_code == 302
    assert Session.objects.filter(price_is_open=True, event_description__startswith="Sleeve").count() == 2


def test_a_new_client_is_written_down_with_their_sittings_or_not_at_all(shop):
    new = {"client": None, "full_name": "Ivana Paz", "primary_phone": "5555-1234", "email": "ivana@example.test"}
    page = browser(shop.artist)
    shop.book(span(day="2027-03-22"))
    assert page.post(PAGE, plan(shop, count="2", **new)).status_code == 422
    assert not Client.objects.filter(email="ivana@example.test").exists()
    assert page.post(PAGE, plan(shop, count="2", every="1", **new)).status_code == 302
    assert Client.objects.get(email="ivana@example.test").sessions.count() == 2


def test_somebody_faster_leaves_nothing_behind(shop, monkeypatch):
    """What was free when one looked is looked at again under the lock."""
    spans = [span(), span(day="2027-03-09")]
    shop.book(spans[1])
    with pytest.raises(ValueError):
        appoint.book_series(
            spans, client=shop.client, artist_id=shop.artist.pk, title="Sleeve", by=shop.coordinator, now=NOW
        )
    assert Session.objects.count() == 1


def test_what_is_no_plan_is_said_beside_its_field(shop):
    page = browser(shop.coordinator)
    for wrong in (
        {"count": "53"},
        {"count": "0"},
        {"every": "-1"},
        {"unit": "years"},
        {"session_date": "2199-12-31"},
        {"client": None},
        {"event_description": "x" * 245},
    ):
        assert page.post(PAGE, plan(shop, **wrong)).status_code == 422, wrong
    assert page.post(PAGE, plan(shop, **rows(MONDAY, dropped=(1,)))).status_code == 422
    assert page.post(PAGE, plan(shop, **rows("x", start="y"))).status_code == 422
    assert not Session.objects.exists()


def test_an_address_fills_the_form(shop):
    shown = browser(shop.coordinator).get(
        PAGE, {"client": shop.client.pk, "artist": shop.artist.pk, "start": f"{MONDAY}T10:30"}
    )
    assert shop.client.full_name in shown.text
    assert f'value="{MONDAY}"' in shown.text
    assert 'value="10:30"' in shown.text


def test_days_are_laid_out_by_the_calendar():
    assert laid_out(date(2027, 12, 27), WEEK, 2) == [date(2027, 12, 27), date(2028, 1, 3)]
    assert Span(instant(date(2027, 3, 8), time(10)), instant(date(2027, 3, 8), time(13))) == span()
