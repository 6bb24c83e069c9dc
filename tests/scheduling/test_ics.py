"""Calendar files, read back with the library's parser: instants, escapes, folding, versions (D1, D2)."""

from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes
from email.message import Message
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from scheduling import ics
from scheduling.slots import Span, local_span

CREATED = datetime(2026, 3, 2, 16, 30, 12, 345678, tzinfo=UTC)
CHANGED = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
STAMP = datetime(2026, 3, 5, 9, 0, 30, tzinfo=UTC)
ZONES = ("America/Guatemala", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
WRAPS = Span(datetime(2026, 11, 28, 20, tzinfo=UTC), datetime(2026, 11, 29, 2, tzinfo=UTC))


def event(**changes) -> ics.Event:
    values = {
        "uid": ics.uid_of("session", "S-2026-0412", CREATED),
        "span": WRAPS,
        "summary": "Maternity",
        "changed_at": CHANGED,
    }
    return ics.Event(**(values | changes))


def read(content: bytes) -> Calendar:
    return Calendar.from_ical(content)


def only(content: bytes):
    (found,) = read(content).walk("VEVENT")
    return found


def test_an_event_is_read_back_with_all_its_facts():
    organizer = ics.Organizer("Foto & Luz", "hola@studio.example")
    content = ics.calendar(
        [event(location="Finca El Pilar", description="Bring the dress.")], stamp=STAMP, organizer=organizer
    )
    found = only(content)
    assert str(found["uid"]).startswith("session-S-2026-0412-")
    assert (found.start, found.end) == (WRAPS.start, WRAPS.end)
    assert (found["summary"], found["location"]) == ("Maternity", "Finca El Pilar")
    assert found["description"] == "Bring the dress."
    assert (found["status"], found["transp"]) == ("CONFIRMED", "OPAQUE")
    assert found["last-modified"].dt == CHANGED
    assert found["dtstamp"].dt == STAMP
    assert found["organizer"] == "mailto:hola@studio.example"
    assert found["organizer"].params["CN"] == "Foto & Luz"
    calendar = read(content)
    assert (calendar["version"], calendar["method"], calendar["prodid"]) == ("2.0", "PUBLISH", ics.PRODUCT)


def test_a_cancellation_has_the_same_uid_and_a_higher_number():
    first = only(ics.calendar([event()], stamp=STAMP))
    later = event(status=ics.Status.CANCELLED, changed_at=CHANGED + timedelta(seconds=1))
    content = ics.calendar([later], stamp=STAMP, method=ics.Method.CANCEL)
    gone = only(content)
    assert read(content)["method"] == "CANCEL"
    assert (gone["status"], gone["transp"]) == ("CANCELLED", "TRANSPARENT")
    assert gone["uid"] == first["uid"]
    assert gone["sequence"] > first["sequence"]


def test_uid_depends_on_the_thing_alone():
    uid = ics.uid_of("session", "S-2026-0412", CREATED)
    assert uid == ics.uid_of("session", "S-2026-0412", CREATED.astimezone(ZoneInfo("Asia/Kathmandu")))
    assert uid != ics.uid_of("session", "S-2026-0412", CREATED + timedelta(microseconds=1))
    assert uid != ics.uid_of("appointment", "S-2026-0412", CREATED)
    assert uid.endswith("@atelier") and uid.isascii() and " " not in uid


def test_sequence_fits_into_31_bits_for_a_lifetime():
    assert 0 < ics.sequence_of(CHANGED) < ics.sequence_of(datetime(2092, 1, 1, tzinfo=UTC)) < 2**31
    assert ics.sequence_of(datetime(2001, 1, 1, tzinfo=UTC)) == 0


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2026, 11, 28), "14:00", "20:00"),
        (date(2026, 11, 28), "20:00", "02:00"),
        (date(2026, 11, 28), "23:59", "00:01"),
        # Nights on which the clocks of one of these zones go forward or back.
        (date(2026, 3, 28), "22:00", "05:00"),
        (date(2026, 10, 24), "22:00", "05:00"),
        (date(2026, 3, 7), "22:00", "05:00"),
        (date(2026, 10, 31), "22:00", "05:00"),
        (date(2026, 4, 4), "22:00", "05:00"),
        (date(2026, 10, 3), "22:00", "05:00"),
    ],
)
def test_local_times_come_back_in_every_zone_and_on_every_night(zone, day, start, end):
    where = ZoneInfo(zone)
    span = local_span(day, time.fromisoformat(start), time.fromisoformat(end), where)
    found = only(ics.calendar([event(span=span)], stamp=STAMP))
    shown = found.start.astimezone(where), found.end.astimezone(where)
    assert [f"{each:%H:%M}" for each in shown] == [start, end]
    assert shown[0].date() == day
    assert shown[1].date() == day + timedelta(days=end <= start)
    assert found.end - found.start == span.duration


def test_both_of_two_equal_local_times_keep_their_instant():
    """The night on which Madrid's 02:30 comes twice: a local time without an offset could only mean the first."""
    madrid = ZoneInfo("Europe/Madrid")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=madrid)
    second = first.replace(fold=1)
    span = Span(first, second)
    found = only(ics.calendar([event(span=span)], stamp=STAMP))
    assert found.end - found.start == timedelta(hours=1)


HOSTILE = [
    "Boda; Ana, Luis \\ hijos: «Ñandú» 📷",
    "A\r\nBEGIN:VEVENT\r\nUID:forged\r\nEND:VEVENT",
    "A\nATTENDEE:mailto:x@example.org",
    "A\rX-INJECTED:1",
    "A\u2028X-INJECTED:1\x85Y\x0bZ\x0cW",
    "\x00\x07\x7fbell",
    '"quoted" ^n ^^ \\n',
    "DTSTART:20300101T000000Z",
    "é" * 300,
    " leading and trailing ",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_stays_text(hostile):
    organizer = ics.Organizer(hostile, "hola@studio.example")
    content = ics.calendar(
        [event(summary=hostile, location=hostile, description=hostile)], stamp=STAMP, organizer=organizer, name=hostile
    )
    found = only(content)
    assert (found["summary"], found["location"]) == (ics.line(hostile), ics.line(hostile))
    assert found["description"] == ics.text(hostile)
    assert "attendee" not in found
    names = {each.upper() for each in (*found.keys(), *read(content).keys())}
    assert "X-INJECTED" not in names
    assert str(found["uid"]).startswith("session-")
    lines = content.split(b"\r\n")
    assert all(len(each) <= 75 for each in lines), "longer lines are folded"
    assert not any(b"\n" in each or b"\r" in each for each in lines)
    content.decode()


@given(text=st.text(max_size=400))
def test_any_text_makes_one_event_that_reads_back(text):
    found = only(ics.calendar([event(summary=text, description=text)], stamp=STAMP))
    assert found["summary"] == ics.line(text)
    assert found.get("description", "") == ics.text(text)


def test_a_feed_holds_many_and_may_be_empty():
    many = [event(uid=ics.uid_of("session", f"S-{n}", CREATED)) for n in range(3)]
    feed = read(ics.calendar(many, stamp=STAMP, name="Elena"))
    assert len({each["uid"] for each in feed.walk("VEVENT")}) == 3
    assert feed["x-wr-calname"] == "Elena"
    assert read(ics.calendar([], stamp=STAMP)).walk("VEVENT") == []


def test_attachment_says_what_it_is():
    content = ics.calendar([event(summary="Ñandú")], stamp=STAMP, method=ics.Method.CANCEL)
    part = ics.attachment(content, method=ics.Method.CANCEL, filename="S-2026-0412.ics")
    again: Message = message_from_bytes(part.as_bytes())
    assert again.get_content_type() == "text/calendar"
    assert (again.get_param("charset"), again.get_param("method")) == ("utf-8", "CANCEL")
    assert again.get_filename() == "S-2026-0412.ics"
    assert again.get_payload(decode=True) == content
    assert only(again.get_payload(decode=True))["summary"] == "Ñandú"
