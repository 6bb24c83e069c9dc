"""When the studio is open: weekly hours, days that differ, and the clocks that change. Pure: no database."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.opening import ALL_DAY, Hours, Interval
from scheduling.slots import Span, local_span, whole_days

GUATEMALA = ZoneInfo("America/Guatemala")
# One whose clocks change at midnight, one by half an hour, one late in the evening, one that once left a day out.
ZONES = [
    ZoneInfo(name)
    for name in (
        "America/Guatemala",
        "Europe/Madrid",
        "America/Santiago",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "America/Havana",
        "Pacific/Apia",
    )
]
MONDAY = date(2026, 3, 16)
SATURDAY = date(2026, 3, 21)
SUNDAY = date(2026, 3, 22)


def hours(*texts: str) -> tuple[Interval, ...]:
    """``hours("08:00-12:00", "14:00-18:00")``."""
    return tuple(Interval(*(time.fromisoformat(edge) for edge in text.split("-"))) for text in texts)


WEEK = Hours(
    {**dict.fromkeys(range(5), hours("14:00-18:00", "08:00-12:00")), 5: hours("08:00-00:00")},
    {date(2026, 3, 19): (), date(2026, 3, 29): hours("00:00-02:00")},
    {date(2026, 3, 19): "San José"},
)


def span(day: date, start: str, end: str) -> Span:
    return local_span(day, time.fromisoformat(start), time.fromisoformat(end), GUATEMALA)


@pytest.mark.parametrize(
    ("day", "start", "end", "outside"),
    [
        (MONDAY, "08:00", "12:00", False),
        (MONDAY, "07:59", "09:00", True),
        (MONDAY, "11:00", "12:01", True),
        (MONDAY, "11:00", "15:00", True),  # over the noon that is closed
        (MONDAY, "14:00", "18:00", False),
        (SUNDAY, "10:00", "11:00", True),
        (date(2026, 3, 19), "09:00", "10:00", True),  # a holiday
        (SATURDAY, "20:00", "00:00", False),
        (SATURDAY, "20:00", "00:01", True),  # Sunday is closed
        (date(2026, 3, 28), "20:00", "02:00", False),  # a night that is open from one day into the next
        (date(2026, 3, 28), "20:00", "02:01", True),
    ],
)
def test_whole_session_has_to_lie_in_open_time(day, start, end, outside):
    assert WEEK.outside(span(day, start, end), GUATEMALA) is outside


def test_hours_of_a_day():
    assert WEEK.of(MONDAY) == hours("08:00-12:00", "14:00-18:00")
    assert WEEK.of(SUNDAY) == WEEK.of(date(2026, 3, 19)) == ()
    assert WEEK.spans(SATURDAY, GUATEMALA) == [span(SATURDAY, "08:00", "00:00")]


def test_without_hours_nothing_is_outside():
    """A holiday of a studio that has not said its hours closes that day, and no other."""
    assert not Hours().is_known
    assert not Hours().outside(span(SUNDAY, "03:00", "04:00"), GUATEMALA)
    holiday = Hours(exceptions={MONDAY: ()})
    assert holiday.is_known
    assert holiday.outside(span(MONDAY, "10:00", "11:00"), GUATEMALA)
    assert holiday.of(SUNDAY) == ALL_DAY
    assert not holiday.outside(span(SATURDAY, "10:00", "09:00"), GUATEMALA)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("08:00-12:00", "12:00-14:00", False),
        ("08:00-12:00", "11:59-14:00", True),
        ("08:00-00:00", "22:00-23:00", True),
        ("00:00-00:00", "00:00-01:00", True),
        ("08:00-12:00", "12:00-00:00", False),
    ],
)
def test_hours_that_meet(one, other, meet):
    (one, other) = hours(one, other)
    assert one.meets(other) is other.meets(one) is meet


@pytest.mark.parametrize(
    ("zone", "day", "text", "start", "end"),
    [
        # The clocks go from 2:00 to 3:00: who opens at 2:30 opens at the change, who closes then closes at it.
        ("Europe/Madrid", "2026-03-29", "02:30-10:00", "2026-03-29T01:00", "2026-03-29T08:00"),
        ("Europe/Madrid", "2026-03-29", "00:00-02:30", "2026-03-28T23:00", "2026-03-29T01:00"),
        # From 3:00 back to 2:00: the first 2:30 of the two.
        ("Europe/Madrid", "2026-10-25", "00:00-02:30", "2026-10-24T22:00", "2026-10-25T00:30"),
        # Midnight is skipped (Havana, Cairo, Santiago): the day begins at the change.
        ("America/Havana", "2026-03-08", "00:00-09:00", "2026-03-08T05:00", "2026-03-08T13:00"),
        ("Africa/Cairo", "2026-04-24", "00:30-09:00", "2026-04-23T22:00", "2026-04-24T06:00"),
        ("America/Santiago", "2026-09-06", "00:00-00:00", "2026-09-06T04:00", "2026-09-07T03:00"),
        # Midnight comes twice, or the last hour before it does: no gap and no overlap between two days.
        ("America/Havana", "2026-11-01", "00:00-00:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("America/Santiago", "2026-04-04", "23:30-00:00", "2026-04-05T02:30", "2026-04-05T04:00"),
        # Half an hour.
        ("Australia/Lord_Howe", "2026-10-04", "02:15-03:00", "2026-10-03T15:30", "2026-10-03T16:00"),
    ],
)
def test_hours_over_a_change_of_the_clocks(zone, day, text, start, end):
    (found,) = Hours(exceptions={date.fromisoformat(day): hours(text)}).spans(date.fromisoformat(day), ZoneInfo(zone))
    assert (found.start, found.end) == tuple(datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (start, end))


def test_hours_within_what_the_clocks_skip_are_none():
    """In Samoa there was no 30 December 2011."""
    apia, gone = ZoneInfo("Pacific/Apia"), date(2011, 12, 30)
    assert Hours({each: hours("08:00-18:00") for each in range(7)}).spans(gone, apia) == []
    night = date(2026, 3, 29)
    assert Hours(exceptions={night: hours("02:10-02:50")}).spans(night, ZoneInfo("Europe/Madrid")) == []


moments = st.times().map(lambda at: at.replace(microsecond=0))
intervals = st.tuples(moments, moments).map(lambda pair: Interval(*pair)).filter(lambda one: one.goes_forward)
days = st.one_of(
    st.dates(date(2011, 12, 20), date(2028, 1, 1)),
    st.sampled_from([date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 4), date(2026, 9, 6), date(2026, 11, 1)]),
)


@settings(max_examples=150, deadline=None)
@given(zone=st.sampled_from(ZONES), day=days, found=st.lists(intervals, max_size=3))
def test_hours_lie_within_their_day_and_in_order(zone, day, found):
    spans = Hours(exceptions={day: tuple(found)}).spans(day, zone)
    if spans:
        whole = whole_days(day, day, zone)
        assert whole.start.astimezone(UTC) <= spans[0].start
        assert spans[-1].end <= whole.end.astimezone(UTC)
    assert all(one.end < other.start for one, other in zip(spans, spans[1:], strict=False))


@settings(max_examples=150, deadline=None)
@given(zone=st.sampled_from(ZONES), day=days, minutes=st.integers(1, 4 * 24 * 60), after=st.integers(0, 24 * 60))
def test_a_studio_that_never_closes_has_nothing_outside(zone, day, minutes, after):
    """Midnight to midnight leaves no gap between days, whatever the clocks do."""
    start = datetime.combine(day, time(0), tzinfo=UTC) + timedelta(minutes=after)
    always = Hours(dict.fromkeys(range(7), ALL_DAY))
    assert not always.outside(Span(start, start + timedelta(minutes=minutes)), zone)


@settings(max_examples=150, deadline=None)
@given(zone=st.sampled_from(ZONES), day=days, found=intervals, grown=st.booleans())
def test_what_fills_the_hours_is_inside_and_a_second_more_is_not(zone, day, found, grown):
    only = Hours({0: ()}, {day: (found,)})
    for one in only.spans(day, zone):
        assert not only.outside(one, zone)
        assert only.outside(one.widened(timedelta(seconds=grown), timedelta(seconds=not grown)), zone)
