"""The studio's hours in the database."""

from datetime import date, time

import pytest

from scheduling import hours
from scheduling.models import OpeningException, OpeningHours
from scheduling.opening import Hours, Interval

HOLIDAY, LATE = date(2026, 12, 25), date(2026, 12, 31)


@pytest.mark.django_db
def test_hours_are_read_in_one_query(django_assert_num_queries):
    OpeningHours.objects.create(weekday=0, opens=time(14), closes=time(18))
    OpeningHours.objects.create(weekday=0, opens=time(8), closes=time(12))
    OpeningException.objects.create(day=HOLIDAY, note="Christmas")
    OpeningException.objects.create(day=LATE, opens=time(8), closes=time(0))
    OpeningException.objects.create(day=date(2027, 1, 1), note="New Year")
    with django_assert_num_queries(1):
        found = hours.load(HOLIDAY, LATE)
    assert found == Hours(
        {0: (Interval(time(8), time(12)), Interval(time(14), time(18)))},
        {HOLIDAY: (), LATE: (Interval(time(8), time(0)),)},
        {HOLIDAY: "Christmas", LATE: ""},
    )


@pytest.mark.django_db
def test_without_rows_nobody_knows_the_hours():
    assert not hours.load(HOLIDAY, LATE).is_known
