"""The picture of a day: what is cut, what stretches it, what is left out."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from studio.conf import STUDIO
from studio.timeline import LEFT, Lane, Taken, draw, shortened

DAY = date(2026, 11, 28)


def at(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    return datetime(2026, 11, 28, hour, minute, tzinfo=STUDIO.zone) + timedelta(days=days)


def test_blocks_lie_between_their_hours() -> None:
    picture = draw([Lane("Sala A", [Taken(at(8), at(20), "All day")])], day=DAY, zone=STUDIO.zone)
    (block,) = picture.lanes[0].blocks
    assert block.x == LEFT == picture.ticks[0].x
    assert block.x + block.width == picture.ticks[-1].x
    assert block.hours == "08:00–20:00"


def test_work_outside_of_the_usual_hours_stretches_the_day_but_time_off_does_not() -> None:
    early = Lane("Ana", [Taken(at(5, 30), at(7), "Sunrise")])
    off = Lane("Lucía", [Taken(at(0), at(0, days=1), "Day off", css="off")])
    labels = [tick.label for tick in draw([early, off], day=DAY, zone=STUDIO.zone).ticks]
    assert labels[0] == "5:00"
    assert [tick.label for tick in draw([off], day=DAY, zone=STUDIO.zone).ticks][0] == "8:00"


def test_what_goes_past_midnight_is_cut_there() -> None:
    party = Taken(at(22, days=-1), at(2), "Party")
    (block,) = draw([Lane("Ana", [party])], day=DAY, zone=STUDIO.zone).lanes[0].blocks
    assert block.hours == "0:00–02:00"
    assert draw([Lane("Ana", [party])], day=DAY + timedelta(days=1), zone=STUDIO.zone).lanes[0].blocks == ()


def test_now_is_drawn_only_today() -> None:
    assert draw([], day=DAY, zone=STUDIO.zone, now=at(10)).now_x is not None
    assert draw([], day=DAY, zone=STUDIO.zone, now=at(10, days=1)).now_x is None
    assert draw([], day=DAY, zone=STUDIO.zone, now=at(23)).now_x is None


@pytest.mark.parametrize(
    ("text", "width", "short"), [("Retrato", 60, "Retrato"), ("Maternidad", 36, "Mater…"), ("Boda", 12, "")]
)
def test_labels_are_cut_to_their_width(text: str, width: float, short: str) -> None:
    assert shortened(text, width) == short


def test_picture_is_drawn_in_whole_units_in_every_language() -> None:
    picture = draw(
        [Lane("Sala A", [Taken(at(9, 20), at(10, 10), "Retrato", "s-assigned", "/s/")])],
        day=DAY,
        zone=STUDIO.zone,
        now=at(9, 41),
    )
    with translation.override("es"):
        page = render_to_string("components/day.html", {"day": picture, "label": "Hoy"})
    assert ",5" not in page
    assert 'aria-label="Sala A, 09:20–10:10: Retrato"' in page
