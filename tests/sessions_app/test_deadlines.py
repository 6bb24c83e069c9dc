"""Deadlines to the second and across DST changes (business rules 2, 3.3; D1, D3, D4). Pure: no database."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.deadlines import (
    changes_deadline,
    end_of_day,
    estimated_delivery_date,
    is_valid_session_date,
    payment_deadline,
)
from studio.conf import STUDIO

GUATEMALA = ZoneInfo("America/Guatemala")
NEW_YORK = ZoneInfo("America/New_York")
MADRID = ZoneInfo("Europe/Madrid")
BEIRUT = ZoneInfo("Asia/Beirut")
SCORESBYSUND = ZoneInfo("America/Scoresbysund")
ZONES = [GUATEMALA, NEW_YORK, MADRID, BEIRUT, SCORESBYSUND, ZoneInfo("Pacific/Auckland"), ZoneInfo("Asia/Kathmandu")]


@pytest.mark.parametrize(
    ("zone", "day", "in_utc"),
    [
        (GUATEMALA, "2026-03-06", "2026-03-07 05:59:59"),
        (NEW_YORK, "2026-03-07", "2026-03-08 04:59:59"),  # the night before the clocks go forward: still -5
        (NEW_YORK, "2026-03-08", "2026-03-09 03:59:59"),  # they went forward at 02:00: -4
        (NEW_YORK, "2026-10-31", "2026-11-01 03:59:59"),
        (NEW_YORK, "2026-11-01", "2026-11-02 04:59:59"),  # a day of 25 hours
        (MADRID, "2026-03-28", "2026-03-28 22:59:59"),
        (MADRID, "2026-03-29", "2026-03-29 21:59:59"),  # a day of 23 hours
        (MADRID, "2026-10-25", "2026-10-25 22:59:59"),
        # Clocks go back at midnight to 23:00: 23:59:59 comes twice, and the day ends with the second.
        (BEIRUT, "2026-10-24", "2026-10-24 21:59:59"),
        # Clocks go forward from 23:00 to 00:00: the day ends at 22:59:59.
        (SCORESBYSUND, "2026-03-28", "2026-03-29 00:59:59"),
    ],
)
def test_day_ends_with_its_last_local_second(zone, day, in_utc):
    """D1: 23:59:59 in the studio's zone, also across a DST change."""
    assert end_of_day(date.fromisoformat(day), zone).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") == in_utc


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-02 00:00:00", "2026-03-07"),
        ("2026-03-02 23:59:59", "2026-03-07"),
        ("2026-03-03 00:00:00", "2026-03-08"),
        ("2026-02-26 12:00:00", "2026-03-03"),
        ("2028-02-26 12:00:00", "2028-03-02"),  # a leap year
    ],
)
def test_payment_deadline_counts_local_days_from_becoming_pre_scheduled(now, expected):
    """Business rules 2.1 as read by D3: from that moment, not from the creation."""
    moment = datetime.fromisoformat(now).replace(tzinfo=GUATEMALA)
    assert payment_deadline(moment, days=5, zone=GUATEMALA) == end_of_day(date.fromisoformat(expected), GUATEMALA)


def test_payment_deadline_goes_by_the_day_of_the_studio_not_of_the_server():
    """01:00 UTC on the 3rd is still the 2nd in Guatemala."""
    moment = datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert payment_deadline(moment, days=5, zone=GUATEMALA).date() == date(2026, 3, 7)
    assert payment_deadline(moment, days=5, zone=MADRID).date() == date(2026, 3, 8)


def test_payment_deadline_across_a_dst_change_is_the_local_midnight():
    """Five days over the change of clocks are not five times 24 hours."""
    moment = datetime(2026, 3, 5, 12, tzinfo=NEW_YORK)
    deadline = payment_deadline(moment, days=5, zone=NEW_YORK)
    assert (deadline.date(), deadline.hour, deadline.minute, deadline.second) == (date(2026, 3, 10), 23, 59, 59)


def test_changes_deadline_is_the_end_of_the_seventh_day_before():
    """Business rules 2.2."""
    assert changes_deadline(date(2026, 11, 28), zone=GUATEMALA) == datetime(2026, 11, 21, 23, 59, 59, tzinfo=GUATEMALA)


def test_changes_deadline_may_lie_in_the_past():
    """D4: a session that is confirmed late has no time for changes."""
    today = date(2026, 3, 2)
    assert changes_deadline(today + timedelta(days=2), days=7, zone=GUATEMALA).date() == date(2026, 2, 25)


@pytest.mark.parametrize(("days", "day"), [(0, "2026-03-22"), (1, "2026-03-21"), (30, "2026-02-20")])
def test_changes_deadline_takes_other_numbers_of_days(days, day):
    assert changes_deadline(date(2026, 3, 22), days=days, zone=MADRID).date() == date.fromisoformat(day)


def test_deadlines_take_the_studio_constants_by_default():
    """Business rules 7."""
    moment = datetime(2026, 3, 2, 10, tzinfo=GUATEMALA)
    with STUDIO.overridden(payment_deadline_days=2, changes_deadline_days=3, time_zone="Europe/Madrid"):
        assert payment_deadline(moment) == end_of_day(date(2026, 3, 4), MADRID)
        assert changes_deadline(date(2026, 3, 22)) == end_of_day(date(2026, 3, 19), MADRID)


def test_zero_days_end_today():
    moment = datetime(2026, 3, 2, 10, tzinfo=GUATEMALA)
    assert payment_deadline(moment, days=0, zone=GUATEMALA).date() == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("day", "days", "expected"),
    [("2026-03-22", 5, "2026-03-27"), ("2026-12-30", 5, "2027-01-04"), ("2028-02-28", 1, "2028-02-29")],
)
def test_delivery_is_promised_days_after_the_session(day, days, expected):
    """Business rules 2.3."""
    assert estimated_delivery_date(date.fromisoformat(day), days) == date.fromisoformat(expected)


TODAY = date(2026, 3, 2)


@pytest.mark.parametrize("status", ["Attended", "In Editing", "Ready for Delivery", "Completed"])
@pytest.mark.parametrize("days", [-400, -1, 0, 1])
def test_any_date_is_valid_once_the_shoot_is_behind_us(status, days):
    """Business rules 3.3, retroactive entry."""
    assert is_valid_session_date(TODAY + timedelta(days=days), status, TODAY)


@pytest.mark.parametrize("status", ["Request", "Negotiation", "Pre-scheduled", "Confirmed", "Assigned", "Canceled"])
@pytest.mark.parametrize(("days", "valid"), [(-1, False), (0, True), (1, True)])
def test_before_that_a_date_is_today_or_later(status, days, valid):
    """Business rules 3.3."""
    assert is_valid_session_date(TODAY + timedelta(days=days), status, TODAY) is valid


moments = st.integers(0, 15 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(moment=moments, days=st.integers(0, 365), zone=st.sampled_from(ZONES))
def test_payment_deadline_is_the_last_second_of_its_local_day(moment, days, zone):
    """One second later it is another local day, whatever the clocks did; and it never lies before now."""
    deadline = payment_deadline(moment, days=days, zone=zone).astimezone(UTC)
    local = deadline.astimezone(zone)
    assert local.date() == moment.astimezone(zone).date() + timedelta(days=days)
    assert (deadline + timedelta(seconds=1)).astimezone(zone).date() == local.date() + timedelta(days=1)
    assert deadline + timedelta(seconds=1) > moment


@given(day=st.dates(date(2020, 1, 1), date(2035, 12, 31)), days=st.integers(0, 365), zone=st.sampled_from(ZONES))
def test_changes_deadline_moves_with_the_session(day, days, zone):
    """A day later for the session is a day later for the deadline, and it never lies after the day itself."""
    deadline = changes_deadline(day, days=days, zone=zone)
    assert deadline.astimezone(UTC).astimezone(zone).date() == day - timedelta(days=days)
    assert changes_deadline(day + timedelta(days=1), days=days, zone=zone).date() == deadline.date() + timedelta(days=1)
