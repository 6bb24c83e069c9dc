"""Money, times, states and links as templates write them, in both languages."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation

from studio.conf import STUDIO
from studio.templatetags import atelier

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=STUDIO.zone)
THIS_YEAR = datetime.now(STUDIO.zone).year


def rendered(source: str, **values: Any) -> str:
    return Template("{% load atelier %}" + source).render(Context(values))


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Decimal("1250"), "1,250.00"),
        (Decimal("0"), "0.00"),
        (Decimal("-0.00"), "0.00"),
        (Decimal("-150"), "\u2212150.00"),
        (Decimal("0.005"), "0.01"),
        ("1250.5", "1,250.50"),
        (1234567, "1,234,567.00"),
        (None, ""),
        ("", ""),
        ("a lot", ""),
        (Decimal("NaN"), ""),
        (Decimal("Infinity"), ""),
        (True, ""),
    ],
)
@pytest.mark.parametrize("language", ["es", "en"])
def test_figures_are_the_same_in_every_language(amount: Any, written: str, language: str) -> None:
    with translation.override(language):
        assert atelier.figures(amount) == written


def test_money_carries_the_studios_currency_and_does_not_break() -> None:
    assert atelier.money(Decimal("1250")) == "Q\u00a01,250.00"
    assert atelier.money(Decimal("-150")) == "\u2212Q\u00a0150.00"
    assert atelier.money(None) == ""
    assert atelier.round_money(Decimal("138700.50")) == "Q\u00a0138,701"
    with STUDIO.overridden(currency="€"):
        assert atelier.money(5) == "€\u00a05.00"


def test_money_that_is_missing_takes_a_default() -> None:
    assert rendered("{{ x|money|default:'—' }}", x=None) == "—"


@pytest.mark.parametrize(
    ("language", "short", "full"),
    [
        ("es", "sáb 28 nov 2020", "sábado 28 de noviembre de 2020"),
        ("en", "Sat 28 Nov 2020", "Saturday 28 November 2020"),
    ],
)
def test_day_of_another_year_says_the_year(language: str, short: str, full: str) -> None:
    with translation.override(language):
        assert atelier.day(date(2020, 11, 28)) == short
        assert atelier.long_day(date(2020, 11, 28)) == full


@pytest.mark.parametrize(("language", "short"), [("es", "3 nov"), ("en", "3 Nov")])
def test_day_of_this_year_leaves_the_year_out(language: str, short: str) -> None:
    with translation.override(language):
        assert atelier.short_date(date(THIS_YEAR, 11, 3)) == short
        assert str(THIS_YEAR) not in atelier.long_day(date(THIS_YEAR, 11, 3))


def test_moments_are_shown_by_the_studios_clock() -> None:
    # 05:30 UTC is still the evening before in Guatemala.
    late = datetime(2020, 3, 2, 5, 30, tzinfo=UTC)
    with translation.override("es"):
        assert atelier.clock(late) == "23:30"
        assert atelier.day(late) == "dom 1 mar 2020"
        assert atelier.moment(late) == "1\u00a0mar\u00a02020\u00a023:30"
    assert atelier.iso(late) == "2020-03-01T23:30-06:00"
    assert atelier.clock(time(9, 5)) == "09:05"


@pytest.mark.parametrize("nothing", [None, "", "soon", 7])
def test_times_that_are_none_write_nothing(nothing: Any) -> None:
    for write in (
        atelier.clock,
        atelier.day,
        atelier.short_date,
        atelier.long_day,
        atelier.moment,
        atelier.iso,
        atelier.ago,
    ):
        assert write(nothing) == ""


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(hours=2, minutes=30), "2\u00a0h 30\u00a0min"),
        (timedelta(hours=4), "4\u00a0h"),
        (45, "45\u00a0min"),
        (0, "0\u00a0min"),
        (timedelta(minutes=-90), "\u22121\u00a0h 30\u00a0min"),
        (None, ""),
        ("long", ""),
    ],
)
def test_duration_is_in_hours_and_minutes(length: Any, written: str) -> None:
    assert atelier.duration(length) == written


@pytest.mark.parametrize(
    ("apart", "written"),
    [
        (timedelta(seconds=-20), "just now"),
        (timedelta(minutes=-5), "5 min ago"),
        (timedelta(hours=-2), "2 h ago"),
        (timedelta(days=-1), "1 day ago"),
        (timedelta(days=-3), "3 days ago"),
        (timedelta(minutes=5), "in 5 min"),
        (timedelta(hours=2), "in 2 h"),
        (timedelta(days=3), "in 3 days"),
        (timedelta(days=-30), "Wed 21 Oct"),
    ],
)
def test_ago_tells_the_distance_from_now(apart: timedelta, written: str) -> None:
    with translation.override("en"):
        assert atelier.ago(NOW + apart, NOW).removesuffix(" 2026") == written


def test_state_is_coloured_by_its_value_and_says_its_label() -> None:
    badge = '<span class="state s-prescheduled">Pre-agendada</span>'
    assert rendered('{% state "Pre-scheduled" "Pre-agendada" %}') == badge
    assert rendered('{% state "In Editing" %}') == '<span class="state s-editing">In Editing</span>'
    assert "s-en-revision" in rendered('{% state "En revisión" %}')


def test_state_and_icon_escape_what_they_are_given() -> None:
    assert "<script>" not in rendered("{% state x x %}{% icon x x %}", x='"><script>')


def test_icon_is_decoration_unless_it_has_a_label() -> None:
    assert rendered('{% icon "bell" %}') == '<i class="bi bi-bell" aria-hidden="true"></i>'
    assert 'aria-label="Notices"' in rendered('{% icon "bell" "Notices" %}')


@pytest.mark.parametrize(
    ("tag", "address"),
    [
        ("{% query_with page=3 %}", "?state=Confirmed&amp;state=Assigned&amp;q=a%26b&amp;page=3"),
        ('{% query_with q="" %}', "?state=Confirmed&amp;state=Assigned"),
        ("{% query_with state=None %}", "?q=a%26b"),
        ('{% query_with state="Canceled" q=None %}', "?state=Canceled"),
    ],
)
def test_query_with_keeps_the_filter_and_goes_back_to_the_first_page(tag: str, address: str) -> None:
    request = RequestFactory().get("/?state=Confirmed&state=Assigned&q=a%26b&page=2")
    assert rendered(tag, request=request) == address


def test_sort_link_turns_the_order_round() -> None:
    request = RequestFactory().get("/?sort=date")
    heading = rendered('<th {% aria_sort "date" %}>{% sort_link "date" "Date" %}</th>', request=request)
    assert 'aria-sort="ascending"' in heading
    assert "?sort=-date" in heading
    assert "aria-sort" not in rendered('<th {% aria_sort "code" %}>', request=request)


def test_phone_and_map_links_open_what_the_phone_has() -> None:
    assert rendered('{% phone_link "+502 5555-0142" %}') == '<a href="tel:+50255550142">+502 5555-0142</a>'
    assert "Sofía · 5555" in rendered('{% phone_link "5555" "Sofía" %}')
    assert rendered('{% phone_link "" "Sofía" %}') == "Sofía"
    assert "query=Finca%20El%20Pilar%20%26%20co" in rendered('{% map_link "Finca El Pilar & co" %}')
    assert rendered('{% map_link "" %}') == ""
    assert "<b>" not in rendered("{% phone_link x x %}{% map_link x %}", x="<b>1")


class Amounts(forms.Form):
    amount = forms.DecimalField(label="Deposit", help_text="In full.")
    minutes = forms.IntegerField(required=False)


def test_field_puts_the_currency_in_front_and_links_help_and_error() -> None:
    page = rendered(
        '{% field form.amount "money" "half" %}{% field form.minutes "min" %}', form=Amounts({"amount": "x"})
    )
    assert '<span class="input-group-text">Q</span>' in page
    assert '<span class="input-group-text">min</span>' in page
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="id_amount_helptext id_amount_error"' in page
    assert 'id="id_amount_error"' in page
    assert 'id="id_amount_helptext"' in page
    assert "half" in page


def test_field_does_not_leak_into_the_fields_after_it() -> None:
    page = rendered('{% field form.amount "money" %}{% field form.minutes %}', form=Amounts())
    assert page.count("input-group-text") == 1


def test_sheet_is_a_section_with_a_heading() -> None:
    page = rendered(
        '{% sheet title="Today" count=0 more_url="/all/" more_label="All" %}<p>{{ x }}</p>{% endsheet %}', x="<b>"
    )
    assert "<h2>Today</h2>" in page
    assert '<span class="muted">0</span>' in page
    assert '<a class="end" href="/all/">All</a>' in page
    assert '<div class="body"><p>&lt;b&gt;</p></div>' in page
