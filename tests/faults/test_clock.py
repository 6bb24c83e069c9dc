"""The nights on which the clock is changed, and the last second of a deadline.

The worker's day is walked minute by minute, in a process in that zone. What should come out stands here as instants,
reckoned by hand from the zone's rules.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sessions_app import workflow
from sessions_app.models import Session
from studio.conf import STUDIO
from tests.factories.domain import Studio
from tests.faults import books
from tests.faults.house import House
from tests.faults.work import FULL, in_full, reminders_of

pytestmark = pytest.mark.fault

# Minutes. All that falls due does so at a multiple of five.
STEP = "1" if FULL else "5"


@dataclass(frozen=True)
class Night:
    """A local day on which the clock changes, and when (UTC) its jobs and the next midnight's fall due."""

    zone: str
    day: str
    midnight: str
    two: str
    nine: str
    next_midnight: str

    @property
    def runs(self) -> set[tuple[str, str]]:
        """Each job of the day with its instant, and those of the next midnight."""
        return {
            ("auto_cancel_unpaid", self.midnight),
            ("auto_assign_confirmed", self.midnight),
            ("validate_integrity", self.two),
            ("send_payment_reminders", self.nine),
            ("auto_cancel_unpaid", self.next_midnight),
            ("auto_assign_confirmed", self.next_midnight),
        }

    @property
    def eve(self) -> date:
        return self.on - timedelta(days=1)

    @property
    def on(self) -> date:
        return date.fromisoformat(self.day)

    def __str__(self) -> str:
        return f"{self.zone.rpartition('/')[2]} {self.day}"


NIGHTS = [
    # 02:00 to 03:00 is left out: what is due at two comes when it would have, by the old offset.
    Night("Europe/Madrid", "2027-03-28", "27T23:00", "28T01:00", "28T07:00", "28T22:00"),
    # 02:00 to 03:00 comes twice: due the first time.
    Night("Europe/Madrid", "2027-10-31", "30T22:00", "31T00:00", "31T08:00", "31T23:00"),
    Night("America/New_York", "2027-03-14", "14T05:00", "14T07:00", "14T13:00", "15T04:00"),
    # 01:00 to 02:00 comes twice.
    Night("America/New_York", "2027-11-07", "07T04:00", "07T07:00", "07T14:00", "08T05:00"),
    # There is no midnight: 00:00 to 01:00 is left out. The day begins at one, which is the same instant.
    Night("America/Santiago", "2027-09-05", "05T04:00", "05T05:00", "05T12:00", "06T03:00"),
    # At the end of the third of April the last hour comes twice: it is the day before that is longer.
    Night("America/Santiago", "2027-04-04", "04T04:00", "04T06:00", "04T13:00", "05T04:00"),
    # No midnight in spring, and two in autumn: 00:00 to 01:00 comes twice.
    Night("America/Havana", "2027-03-14", "14T05:00", "14T06:00", "14T13:00", "15T04:00"),
    Night("America/Havana", "2027-11-07", "07T04:00", "07T07:00", "07T14:00", "08T05:00"),
]
# In the whole suite the two in which midnight itself is touched: left out, and repeated.
USUAL = {"Santiago 2027-09-05", "Havana 2027-11-07"}


@pytest.fixture
def zone(night: Night) -> str:
    return night.zone


@pytest.mark.parametrize(
    "night", [pytest.param(night, id=str(night), marks=() if str(night) in USUAL else in_full) for night in NIGHTS]
)
def test_night_on_which_the_clock_changes(night: Night, house: House, tell):
    before, after = due_on(night.eve), due_on(night.on)
    seconds = [
        deadline + timedelta(seconds=step)
        for deadline in (before.payment_deadline, after.payment_deadline)
        for step in (-1, 0, 1)
    ]
    begin = at(night, night.midnight) - timedelta(hours=1)
    told = walked(house, begin, at(night, night.next_midnight) + timedelta(hours=1), seconds)

    # At 23:59:59 the client is in time, a second later no more; and then it is the next day, whatever its first hour.
    assert [line["would"] for line in told if "look" in line] == [0, 0, 1, 1, 1, 2]
    days = [each.astimezone(STUDIO.zone).date() for each in seconds]
    assert days == [night.eve, night.eve, night.on, night.on, night.on, night.on + timedelta(days=1)]

    ran = [line for line in told if "job" in line]
    # The first tick of all makes up for the day before; then each comes in its minute, once.
    in_time = [run for run in ran if run["at"] > f"{begin:%Y-%m-%dT%H:%M}"]
    assert sorted((run["job"], run["at"][8:]) for run in in_time) == sorted(night.runs)
    assert all(run["due"][:16] == run["at"] for run in in_time)
    assert {run["day"] for run in in_time} == {night.day, f"{night.on + timedelta(days=1)}"}
    assert max(Counter((run["job"], run["day"]) for run in ran).values()) == 1
    assert [run for run in ran if run["failed"]] == []

    for session in (before, after):
        session.refresh_from_db()
    assert (before.canceled_at, after.canceled_at) == (at(night, night.midnight), at(night, night.next_midnight))
    # The first one's morning was made up for an hour before its deadline (D5).
    assert (reminders_of(before), reminders_of(after)) == (1, 1)
    assert books.wrong(at(night, night.next_midnight)) == {}
    at_stake = f"{len(night.runs)} runs, 2 deadlines"
    tell(f"the clock changes: {night}", at_stake, lost=0, doubled=0, seen="each once, in its minute")


def due_on(day: date) -> Session:
    """A Pre-scheduled session with this payment deadline, which is some days after it became so (D3)."""
    studio = Studio(today=day - timedelta(days=STUDIO.payment_deadline_days))
    return studio.walk(workflow.PRE_SCHEDULED).equip().session


def at(night: Night, text: str) -> datetime:
    """`28T01:00` in the month of the night, UTC."""
    return datetime.fromisoformat(f"{night.day[:8]}{text}+00:00")


def walked(house: House, begin: datetime, end: datetime, looks: list[datetime]) -> list[dict[str, Any]]:
    """What a worker says whose clock goes from ``begin`` to ``end``, and before it what it sees at ``looks``."""
    instants = [each.astimezone(UTC).isoformat() for each in (begin, end, *looks)]
    walking = house.python("tests.faults.clock", *instants[:2], STEP, *instants[2:])
    assert walking.wait_for_end() == 0, walking.said
    return [json.loads(line) for line in walking.said.splitlines() if line.startswith("{")]
