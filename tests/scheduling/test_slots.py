"""Spans of time: half open, past midnight, across DST changes (business rules 3; D1, D2). Pure: no database."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.slots import Span, instant, local_span, moved_with

GUATEMALA = ZoneInfo("America/Guatemala")
NEW_YORK = ZoneInfo("America/New_York")
MADRID = ZoneInfo("Europe/Madrid")
DAY = date(2026, 3, 20)
NAIVE = datetime(2026, 3, 20, 10)  # noqa: DTZ001


def span(start: str, end: str, day: date = DAY, zone: ZoneInfo = GUATEMALA) -> Span:
    return local_span(day, time.fromisoformat(start), time.fromisoformat(end), zone)


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        (("08:00", "10:00"), False),  # touches before
        (("12:00", "14:00"), False),  # touches after
        (("08:00", "10:00:01"), True),
        (("11:59:59", "14:00"), True),
        (("10:30", "11:30"), True),  # inside
        (("09:00", "13:00"), True),  # around
        (("10:00", "12:00"), True),  # the same
        (("10:00", "10:01"), True),
        (("07:00", "09:00"), False),
    ],
)
def test_spans_are_half_open(other, conflict):
    """D2: touching is no conflict; a second of overlap is."""
    assert span("10:00", "12:00").overlaps(span(*other)) is conflict
    assert span(*other).overlaps(span("10:00", "12:00")) is conflict


@pytest.mark.parametrize(
    ("start", "end", "hours"), [("18:00", "02:00", 8), ("23:59", "00:00", 1 / 60), ("10:00", "10:00", 24)]
)
def test_end_not_after_the_start_is_the_next_day(start, end, hours):
    """D2: a wedding that ends at 02:00."""
    wedding = span(start, end)
    assert wedding.duration == timedelta(hours=hours)
    assert wedding.end.date() == DAY + timedelta(days=1)


def test_wedding_past_midnight_is_in_the_way_of_the_next_morning():
    wedding = span("18:00", "02:00")
    tomorrow = DAY + timedelta(days=1)
    assert wedding.overlaps(span("01:00", "03:00", day=tomorrow))
    assert not wedding.overlaps(span("02:00", "03:00", day=tomorrow))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NAIVE, NAIVE + timedelta(hours=2)),
        (datetime(2026, 3, 20, 10, tzinfo=UTC), NAIVE + timedelta(hours=2)),
        (datetime(2026, 3, 20, 10, tzinfo=UTC), datetime(2026, 3, 20, 10, tzinfo=UTC)),
        (datetime(2026, 3, 20, 10, tzinfo=UTC), datetime(2026, 3, 20, 9, tzinfo=UTC)),
        (datetime(2026, 3, 20, 10, tzinfo=GUATEMALA), datetime(2026, 3, 20, 15, tzinfo=UTC)),  # 16:00 to 15:00
    ],
)
def test_span_that_is_none_is_refused(start, end):
    with pytest.raises(ValueError):
        Span(start, end)


@pytest.mark.parametrize(
    ("zone", "day", "clock"),
    [
        (NEW_YORK, "2026-03-08", "02:00"),
        (NEW_YORK, "2026-03-08", "02:59:59"),
        (MADRID, "2026-03-29", "02:30"),
        (ZoneInfo("Asia/Beirut"), "2026-03-29", "00:30"),
    ],
)
def test_time_that_the_clocks_skip_does_not_exist(zone, day, clock):
    with pytest.raises(ValueError, match="does not exist"):
        instant(date.fromisoformat(day), time.fromisoformat(clock), zone)


@pytest.mark.parametrize(("clock", "hour"), [("01:59:59", 6), ("03:00", 7)])
def test_times_around_the_gap_are_a_second_apart(clock, hour):
    assert instant(date(2026, 3, 8), time.fromisoformat(clock), NEW_YORK).astimezone(UTC).hour == hour


def test_time_that_comes_twice_means_the_first():
    assert instant(date(2026, 11, 1), time(1, 30), NEW_YORK).astimezone(UTC) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert instant(date(2026, 10, 25), time(2, 30), MADRID).astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-07", 7), ("2026-10-31", 9), ("2026-05-01", 8)])
def test_night_of_a_dst_change_has_its_true_length(day, hours):
    assert span("20:00", "04:00", date.fromisoformat(day), NEW_YORK).duration == timedelta(hours=hours)


def test_order_within_the_repeated_hour_goes_by_instants():
    """On wall clocks 01:10 the second time lies before 01:30 the first time; it is forty minutes after it."""
    first = instant(date(2026, 11, 1), time(1, 30), NEW_YORK)
    second = datetime(2026, 11, 1, 1, 10, tzinfo=NEW_YORK, fold=1)
    assert Span(first, second).duration == timedelta(minutes=40)
    between = datetime(2026, 11, 1, 1, 0, tzinfo=NEW_YORK, fold=1)
    assert Span(first, second).overlaps(Span(between, second))
    assert not Span(first, between).overlaps(Span(between, second))
    with pytest.raises(ValueError):
        Span(second, first)


def test_turnaround_reaches_into_the_repeated_hour():
    """A room that is cleared for 30 minutes from 01:45 on is free at 01:15 the second time."""
    held = span("01:00", "01:45", date(2026, 11, 1), NEW_YORK).widened(after=timedelta(minutes=30))
    assert held.duration == timedelta(minutes=75)
    assert held.end.astimezone(UTC) == datetime(2026, 11, 1, 6, 15, tzinfo=UTC)


def test_widened_span_has_travel_on_both_sides():
    """Business rules 3.2."""
    assert span("10:00", "12:00").widened(timedelta(minutes=45), timedelta(hours=1)) == span("09:15", "13:00")


@pytest.mark.parametrize(
    ("coverage", "new", "moved"),
    [
        (("10:00", "12:00"), ("15:00", "17:00"), ("15:00", "17:00")),
        (("09:00", "13:00"), ("15:00", "17:00"), ("14:00", "18:00")),  # travel goes along
        (("09:00", "13:00"), ("10:00", "14:00"), ("09:00", "15:00")),  # longer session, same travel
        (("10:30", "11:30"), ("15:00", "17:00"), ("15:30", "16:30")),  # covers only a part of it
        (("11:00", "12:00"), ("10:00", "10:45"), ("10:00", "10:45")),  # nothing is left of that part: all of it
        (("10:00", "12:00"), ("10:00", "12:00"), ("10:00", "12:00")),
    ],
)
def test_coverage_moves_with_its_session(coverage, new, moved):
    """What one comes earlier and leaves later stays; the session was from 10:00 to 12:00."""
    assert moved_with(span(*coverage), span("10:00", "12:00"), span(*new)) == span(*moved)


def test_coverage_moved_over_a_dst_change_keeps_its_travel():
    old, new = span("10:00", "12:00", date(2026, 3, 7), NEW_YORK), span("10:00", "12:00", date(2026, 3, 8), NEW_YORK)
    moved = moved_with(old.widened(timedelta(hours=9)), old, new)
    assert new.start.astimezone(UTC) - moved.start.astimezone(UTC) == timedelta(hours=9)


instants = st.integers(0, 3 * 365 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
spans = st.builds(
    lambda start, minutes, zone: Span(start.astimezone(zone), (start + timedelta(minutes=minutes)).astimezone(zone)),
    instants,
    st.integers(1, 24 * 60),
    st.sampled_from([UTC, GUATEMALA, NEW_YORK, MADRID]),
)


@given(one=spans, other=spans)
def test_overlap_is_a_shared_instant_and_goes_both_ways(one, other):
    starts = max(one.start.astimezone(UTC), other.start.astimezone(UTC))
    ends = min(one.end.astimezone(UTC), other.end.astimezone(UTC))
    assert one.overlaps(other) == other.overlaps(one) == (starts < ends)


@given(one=spans, minutes=st.integers(1, 600))
def test_span_touches_what_follows_it_and_overlaps_itself(one, minutes):
    following = Span(one.end, (one.end.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(one.end.tzinfo))
    assert not one.overlaps(following)
    assert one.overlaps(one)


@given(old=spans, new=spans, before=st.integers(0, 300), after=st.integers(0, 300))
def test_moving_there_and_back_changes_nothing(old, new, before, after):
    coverage = old.widened(timedelta(minutes=before), timedelta(minutes=after))
    moved = moved_with(coverage, old, new)
    assert moved.duration == new.duration + timedelta(minutes=before + after)
    back = moved_with(moved, new, old)
    assert (back.start.astimezone(UTC), back.end.astimezone(UTC)) == (
        coverage.start.astimezone(UTC),
        coverage.end.astimezone(UTC),
    )


@given(
    day=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    start=st.times(),
    end=st.times(),
    zone=st.sampled_from([GUATEMALA, NEW_YORK, MADRID]),
)
def test_local_span_is_valid_or_refused_and_about_a_day_at_most(day, start, end, zone):
    try:
        made = local_span(day, start, end, zone)
    except ValueError:
        return
    assert timedelta() < made.duration <= timedelta(hours=25)
    assert made.start.astimezone(zone).date() == day
