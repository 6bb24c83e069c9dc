"""The days that a report looks at, and the steps in which it shows them. Pure: days of the studio's zone (D1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

# Two years, one of them a leap year: what is longer is asked for in parts.
LONGEST_DAYS = 731
DAYS_BY_DAY, DAYS_BY_WEEK = 31, 183
A_DAY = timedelta(days=1)


class Step(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """From ``first`` to ``last``, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def step(self) -> Step:
        """By day up to a month, by week (from Monday) up to half a year, by month beyond: at most 31 steps."""
        if self.days <= DAYS_BY_DAY:
            return Step.DAY
        return Step.WEEK if self.days <= DAYS_BY_WEEK else Step.MONTH

    def steps(self) -> Iterator["Period"]:
        """The period in its steps, in order and without a gap; the first and the last are cut to its days."""
        begins = self.first
        while begins <= self.last:
            ends = min(_end_of_step(begins, self.step), self.last)
            yield Period(begins, ends)
            begins = ends + A_DAY

    def step_of(self, day: date) -> date:
        """The first day of the step in which ``day`` lies."""
        match self.step:
            case Step.DAY:
                begins = day
            case Step.WEEK:
                begins = day - timedelta(days=day.weekday())
            case Step.MONTH:
                begins = day.replace(day=1)
        return max(begins, self.first)


def _end_of_step(begins: date, step: Step) -> date:
    match step:
        case Step.DAY:
            return begins
        case Step.WEEK:
            return begins + timedelta(days=6 - begins.weekday())
        case Step.MONTH:
            return end_of_month(begins)


def end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - A_DAY


def this_month(today: date) -> Period:
    return Period(today.replace(day=1), end_of_month(today))


def last_month(today: date) -> Period:
    before = today.replace(day=1) - A_DAY
    return Period(before.replace(day=1), before)


def this_year(today: date) -> Period:
    return Period(today.replace(month=1, day=1), today.replace(month=12, day=31))


def last_12_months(today: date) -> Period:
    """This month and the eleven before it."""
    months = today.year * 12 + today.month - 1 - 11
    return Period(date(months // 12, months % 12 + 1, 1), end_of_month(today))
