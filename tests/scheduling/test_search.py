"""The arithmetic of a search says what a look at each single start would say."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.search import Busy, Neighbour, Starts, existing, starts_of_day, tick, ticks
from scheduling.slots import Span
from scheduling.suggestions import Suggestion, order, short

ZONES = [ZoneInfo(name) for name in ("America/Guatemala", "Europe/Madrid", "America/Havana", "Australia/Lord_Howe")]
# The days on which those zones change their clocks in 2026, and one on which none does.
DAYS = [date(2026, *each) for each in ((3, 8), (3, 29), (4, 5), (6, 1), (10, 4), (10, 25), (11, 1))]
BEGINS = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minutes(count: int) -> int:
    return ticks(count * MINUTE)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(DAYS),
    st.sampled_from(ZONES),
    st.lists(st.tuples(st.integers(-120, 1500), st.integers(1, 900)), max_size=2),
    st.integers(1, 600),
    st.sampled_from([15, 30, 60]),
)
def test_starts_of_a_day_are_those_from_which_all_lies_within_the_hours(day, zone, hours, length, step):
    midnight = datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)
    spans = [Span(midnight + at * MINUTE, midnight + (at + lasts) * MINUTE) for at, lasts in hours]
    duration = length * MINUTE
    one_by_one = [existing(day, time(minute // 60, minute % 60), zone) for minute in range(0, 24 * 60, step)]
    found = starts_of_day(day, spans, duration=duration, step=step * MINUTE, zone=zone)
    assert [tick(each) for each in found] == [
        tick(each)
        for each in one_by_one
        if each is not None
        and any(span.start <= each.astimezone(UTC) and each.astimezone(UTC) + duration <= span.end for span in spans)
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 200)), max_size=8),
    st.integers(0, 60),
    st.integers(1, 300),
    st.integers(0, 60),
)
def test_bits_say_what_each_start_would_say(gaps, before, length, after):
    busy, at = Busy(), 0
    spans = []
    for gap, lasts in gaps:
        spans.append((at + gap, at + gap + lasts))
        busy.add(minutes(at + gap), minutes(at + gap + lasts))
        at += gap + lasts
    starts = [minutes(each) for each in range(0, 1500, 10)]
    mask = busy.blocked(starts, before=minutes(before), after=minutes(length + after))
    for index, start in enumerate(range(0, 1500, 10)):
        low, high = start - before, start + length + after
        overlaps = any(begin < high and low < end for begin, end in spans)
        assert bool(mask >> index & 1) == overlaps
        assert busy.is_free(minutes(low), minutes(high)) != overlaps
        assert bool(busy.in_the_way(minutes(low), minutes(high))) == overlaps


def test_neighbours_are_sessions_and_time_off_has_no_way():
    busy = Busy()
    busy.add(minutes(0), minutes(60), outside=True)
    busy.add(minutes(200), minutes(260), is_session=False)
    assert busy.neighbours(minutes(80), minutes(150)) == (Neighbour(minutes(20), True), None)
    assert busy.work(minutes(0), minutes(300)) == (1, minutes(60))
    assert busy.neighbours(minutes(300), minutes(400)) == (None, None)


def test_the_way_is_short_only_where_there_is_one():
    near, far = Neighbour(minutes(20), False), Neighbour(minutes(20), True)
    between = minutes(30)
    assert short(None, outside=True, travel=0, between=between) is None
    assert short(near, outside=False, travel=0, between=between) is None
    assert short(far, outside=False, travel=0, between=between) == minutes(20)
    assert short(near, outside=True, travel=0, between=between) == minutes(20)
    # What is said as the way of this session is in its coverage already.
    assert short(near, outside=True, travel=minutes(15), between=between) is None


def test_the_order_is_wishes_then_the_way_then_the_month_then_the_name():
    people = [
        Suggestion(pk=1, name="Zoë", work=timedelta(hours=1)),
        Suggestion(pk=2, name="ana", work=timedelta(hours=2)),
        Suggestion(pk=3, name="Bea", work=timedelta(hours=2)),
        Suggestion(pk=4, name="Cid", short_after=timedelta(minutes=5)),
    ]
    assert [each.pk for each in order(people)] == [1, 2, 3, 4]
    assert [each.pk for each in order(people, wished=[4, 3])] == [4, 3, 1, 2]


def test_starts_are_in_order_and_each_once():
    late, early = BEGINS + timedelta(hours=2), BEGINS
    assert Starts.of([late, early, late]).moments == [early, late]
