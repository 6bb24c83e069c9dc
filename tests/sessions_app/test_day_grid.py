"""A day in slots (D2, D25, D34): reservations are covered by rows, free slots by nothing. Pure: no database."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.slots import Span, instant, local_span
from sessions_app.day_grid import Held, Kind, Lane, day_span, fits, free_starts, grid, slots_of, window

GUATEMALA = ZoneInfo("America/Guatemala")
NEW_YORK = ZoneInfo("America/New_York")
DAY = date(2027, 3, 8)
HALF = timedelta(minutes=30)
HOURS = {"begins": 9, "ends": 20, "slot": HALF}


def span(start: str, end: str, day: date = DAY, zone: ZoneInfo = GUATEMALA) -> Span:
    return local_span(day, time.fromisoformat(start), time.fromisoformat(end), zone)


def held(start: str, end: str, before: int = 0, after: int = 0, key: int = 1) -> Held:
    core = span(start, end)
    return Held(key, core.widened(timedelta(minutes=before), timedelta(minutes=after)), core)


def shown(*taken: Held, day: date = DAY, zone: ZoneInfo = GUATEMALA, **hours: object) -> Span:
    return window(day, zone, held=taken, **{**HOURS, **hours})


def local(moment: datetime, zone: ZoneInfo = GUATEMALA) -> str:
    return f"{moment.astimezone(zone):%H:%M}"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (GUATEMALA, DAY, 24),
        (NEW_YORK, date(2026, 3, 8), 23),
        (NEW_YORK, date(2026, 11, 1), 25),
        (ZoneInfo("Asia/Beirut"), date(2026, 3, 29), 23),  # midnight itself is skipped
    ],
)
def test_a_day_has_the_hours_that_it_has(zone, day, hours):
    whole = window(day, zone, begins=0, ends=24, slot=HALF)
    assert whole == day_span(day, zone)
    assert len(slots_of(whole, HALF)) == 2 * hours


def test_the_opening_hours_are_local_on_both_sides_of_a_clock_change():
    for day in (date(2026, 3, 7), date(2026, 3, 8), date(2026, 11, 1)):
        seen = shown(day=day, zone=NEW_YORK)
        assert (local(seen.start, NEW_YORK), local(seen.end, NEW_YORK)) == ("09:00", "20:00")


def test_the_day_widens_by_whole_slots_to_what_lies_outside():
    early, late = held("07:40", "08:20", before=5), held("19:00", "20:10", after=15, key=2)
    seen = shown(early, late)
    assert (local(seen.start), local(seen.end)) == ("07:30", "20:30")
    overnight = Held(3, span("22:00", "02:00"), span("22:00", "02:00"))
    assert shown(overnight).end == day_span(DAY, GUATEMALA).end


def test_time_off_of_weeks_does_not_make_a_day_of_24_hours():
    off = Span(instant(date(2027, 3, 1), time(0), GUATEMALA), instant(date(2027, 3, 20), time(0), GUATEMALA))
    taken = Held(1, off, off, stretches=False)
    seen = shown(taken)
    assert local(seen.start) == "09:00"
    (cells,) = grid(seen, HALF, [Lane([taken])], GUATEMALA).lanes
    assert [(each.kind, each.rows) for each in cells] == [(Kind.CORE, 22)]


def test_hours_that_make_no_day_show_all_of_it():
    assert window(DAY, GUATEMALA, begins=20, ends=9, slot=HALF) == day_span(DAY, GUATEMALA)
    assert window(DAY, GUATEMALA, begins=24, ends=24, slot=HALF) == day_span(DAY, GUATEMALA)


def test_an_appointment_stands_with_its_buffers_in_rows_of_its_own():
    taken = held("10:00", "11:00", before=15, after=10)
    seen = shown(taken)
    found = grid(seen, HALF, [Lane([taken], timedelta(minutes=15), timedelta(minutes=10))], GUATEMALA)
    (cells,) = found.lanes
    stretches = [(each.kind, local(each.span.start), local(each.span.end)) for each in cells[:7]]
    assert stretches == [
        # An appointment at 9:00 would hold 8:45 to 9:40: it fits; one at 9:30 would hold until 10:10.
        (Kind.FREE, "09:00", "09:30"),
        (Kind.REST, "09:30", "09:45"),
        (Kind.BEFORE, "09:45", "10:00"),
        (Kind.CORE, "10:00", "11:00"),
        (Kind.AFTER, "11:00", "11:10"),
        (Kind.REST, "11:10", "11:30"),
        # It would hold 11:15 on: free.
        (Kind.FREE, "11:30", "12:00"),
    ]
    half_past_nine = [row for row in found.rows if local(row.slot.start) == "09:30"]
    assert [(row.is_first, row.rows) for row in half_past_nine] == [(True, 2), (False, 2)]


def test_the_second_of_a_repeated_hour_is_shown_and_not_offered():
    whole = window(date(2026, 11, 1), NEW_YORK, begins=0, ends=24, slot=HALF)
    (cells,) = grid(whole, HALF, [Lane()], NEW_YORK).lanes
    rest = [local(each.span.start, NEW_YORK) for each in cells if each.kind is Kind.REST]
    assert rest == ["01:00", "01:30"]
    assert len(free_starts(whole, HALF, HALF, Lane(), NEW_YORK)) == 48


def test_what_is_offered_ends_within_the_day():
    starts = free_starts(shown(), HALF, timedelta(hours=2), Lane(), GUATEMALA)
    assert (local(starts[0]), local(starts[-1])) == ("09:00", "18:00")
    assert free_starts(shown(), HALF, timedelta(hours=12), Lane(), GUATEMALA) == []


MINUTES = st.integers(min_value=1, max_value=300)


@st.composite
def lanes(draw: st.DrawFn) -> tuple[date, ZoneInfo, timedelta, list[Lane]]:
    """Somebody's reservations one after the other, from the evening before on, on days of every length."""
    zone, day = draw(st.sampled_from([(GUATEMALA, DAY), (NEW_YORK, date(2026, 3, 8)), (NEW_YORK, date(2026, 11, 1))]))
    slot = timedelta(minutes=draw(st.sampled_from([5, 15, 30, 60])))
    found = []
    for _lane in range(draw(st.integers(min_value=0, max_value=3))):
        at = day_span(day, zone).start - timedelta(hours=3)
        taken = []
        for key in range(draw(st.integers(min_value=0, max_value=5))):
            start = at + timedelta(minutes=draw(MINUTES))
            core_start = start + timedelta(minutes=draw(st.sampled_from([0, 0, 10, 25])))
            core_end = core_start + timedelta(minutes=draw(MINUTES))
            at = core_end + timedelta(minutes=draw(st.sampled_from([0, 0, 5, 45])))
            taken.append(Held(key, Span(start, at), Span(core_start, core_end), draw(st.booleans())))
        around = [timedelta(minutes=draw(st.sampled_from([0, 10, 40]))) for _side in range(2)]
        found.append(Lane(taken, *around))
    return day, zone, slot, found


@given(lanes())
def test_reservations_are_covered_and_free_slots_are_free(drawn):
    day, zone, slot, found = drawn
    everything = [each for lane in found for each in lane.held]
    seen = window(day, zone, begins=9, ends=20, slot=slot, held=everything)
    made = grid(seen, slot, found, zone)
    whole = day_span(day, zone)

    # The rows lie one after the other and fill the window.
    assert made.rows[0].span.start == seen.start
    assert made.rows[-1].span.end == seen.end
    assert all(one.span.end == two.span.start for one, two in zip(made.rows, made.rows[1:], strict=False))

    for lane, cells in zip(found, made.lanes, strict=True):
        # So do the cells of a lane, each in its rows.
        assert sum(cell.rows for cell in cells) == len(made.rows)
        for cell in cells:
            covered = made.rows[cell.row : cell.row + cell.rows]
            assert (covered[0].span.start, covered[-1].span.end) == (cell.span.start, cell.span.end)
        for each in lane.held:
            own = [cell.span for cell in cells if cell.key == each.key]
            visible = whole if each.stretches else seen
            start, end = max(each.span.start, visible.start), min(each.span.end, visible.end)
            length = max(end - start, timedelta())
            assert sum((span.duration for span in own), timedelta()) == length
        for cell in cells:
            if cell.kind is Kind.FREE:
                assert cell.span.duration == slot
                assert not any(cell.span.widened(lane.before, lane.after).overlaps(each.span) for each in lane.held)
            if cell.key is None:
                assert not any(cell.span.overlaps(each.span) for each in lane.held)


@given(lanes(), st.integers(min_value=1, max_value=6))
def test_every_start_that_is_offered_fits_and_no_other_slot_does(drawn, slots):
    day, zone, slot, found = drawn
    for lane in found:
        seen = window(day, zone, begins=9, ends=20, slot=slot, held=lane.held)
        starts = free_starts(seen, slot, slots * slot, lane, zone)
        for each in slots_of(seen, slot):
            wanted = Span(each.start, each.start + slots * slot)
            assert (each.start in starts) == (fits(wanted, lane, zone) and wanted.end <= seen.end)
            if each.start in starts:
                # Whoever types this local time means this instant.
                at = each.start.astimezone(zone)
                assert instant(at.date(), at.time(), zone).astimezone(UTC) == each.start
