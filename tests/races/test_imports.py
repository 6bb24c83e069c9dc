"""An import that many start at the same instant, and many workers that are given it: it is written once."""

from datetime import datetime
from functools import partial

import pytest
from django.utils import timezone

from scheduling.slots import Span
from sessions_app.actions import appoint
from sessions_app.importing import acts, task, writing
from sessions_app.models import Client, Import, ImportState, Session
from studio import jobs
from studio.models import AuditEvent, User
from tests.factories.domain import ClientFactory, at
from tests.factories.shop import Shop
from tests.races.together import WIDTH, Act, Crowd, Tally, show, untyped, winners

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def queued(monkeypatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(jobs, "_async_task", lambda path, import_id, *args, **how: found.append(import_id))
    return found


def tried_out(studio) -> Import:
    raw = b"Name,E-mail,Phone\nAna,ana@example.test,5555-0101\nEva,eva@example.test,5555-0102\n"
    now = timezone.now()
    found = acts.upload(kind="Clients", file_name="x.csv", raw=raw, by=studio.coordinator, now=now)
    acts.check(found, by=studio.coordinator, now=now)
    task.work(found.pk, "en")
    return Import.objects.get(pk=found.pk)


def clicks(studio, found: Import) -> list[Act]:
    now = timezone.now()
    return [partial(acts.run, Import.objects.get(pk=found.pk), by=studio.coordinator, now=now) for _ in range(WIDTH)]


def test_many_clicks_and_many_workers_write_it_once(studio, crowd: Crowd, tally, queued):
    found = tried_out(studio)
    queued.clear()
    line = tally("import, clicked")
    outcomes = crowd.race(clicks(studio, found))
    line.add(outcomes, broken=len(queued) - 1, won=sum(bool(each.value) for each in outcomes))
    assert (untyped(outcomes), line.broken, line.winners) == (0, 0, 1)
    line = tally("import, delivered often")
    before = Client.objects.count()
    outcomes = crowd.race([partial(task.work, found.pk, "en")] * WIDTH)
    written = AuditEvent.objects.filter(event="import_written").count()
    line.add(outcomes, broken=abs(Client.objects.count() - before - 2) + written - 1, won=written)
    assert (len(winners(outcomes)), line.broken) == (WIDTH, 0)
    assert Import.objects.get(pk=found.pk).state == ImportState.DONE


def test_who_looks_first_and_then_writes_starts_it_several_times(studio, crowd: Crowd, tally, queued, monkeypatch):
    def looked_at_before(found: Import, sources: list[str], state: str, *, by: User, now: datetime) -> bool:
        if Import.objects.get(pk=found.pk).state not in sources:
            return False
        Import.objects.filter(pk=found.pk).update(state=state, beat_at=now, started_at=None)
        jobs.later(acts.TASK, found.pk, "en", by.pk)
        return True

    line = tally("import, clicked, CONTROL")
    found = tried_out(studio)
    monkeypatch.setattr(acts, "_queue", looked_at_before)

    def attempt() -> int:
        queued.clear()
        Import.objects.filter(pk=found.pk).update(state=ImportState.CHECKED)
        outcomes = crowd.race(clicks(studio, found))
        line.add(outcomes, broken=len(queued) - 1, won=sum(bool(each.value) for each in outcomes))
        return len(queued) - 1

    show(attempt)


ROWS = 20


def beside_bookings(shop: Shop, crowd: Crowd, line: Tally, number: int) -> int:
    """A file of one artist and two clients in turn, while others book the second one; how many were undone."""
    late = ClientFactory(email=f"late{number}@example.test")
    days = [f"{2030 + number}-03-{day:02}" for day in range(1, ROWS + 1)]
    text = "Date,Time,Lasts,Artist,Client email\n" + "".join(
        f"{day},10:00,60,{shop.artist.email},{(shop.client, late)[place % 2].email}\n" for place, day in enumerate(days)
    )
    now = timezone.now()
    found = acts.upload(kind="Appointments", file_name="x.csv", raw=text.encode(), by=shop.coordinator, now=now)
    Import.objects.filter(pk=found.pk).update(state=ImportState.RUNNING)
    before = Session.objects.count()
    bookings: list[Act] = [
        partial(
            appoint.book,
            client=late,
            artist_id=shop.artist.pk,
            span=Span(at(day, hour), at(day, f"{hour[:2]}:45")),
            by=shop.coordinator,
            now=now,
        )
        for day in days[:2]
        for hour in [f"{hour:02}:00" for hour in range(24) if hour not in (9, 10, 11)]
    ]
    bookings = bookings[: WIDTH - 1]
    half = len(bookings) // 2
    outcomes = crowd.race([*bookings[:half], partial(task.work, found.pk, "en", shop.coordinator.pk), *bookings[half:]])
    report = Import.objects.get(pk=found.pk).report
    assert not report.get("errors"), report
    # The worker never raises: it says that it was undone, and leaves all rows out.
    is_undone = "crossed" in report
    booked = len(winners(outcomes)) - 1
    assert Session.objects.count() - before == booked + (0 if is_undone else ROWS)
    undone = len(bookings) - booked + is_undone
    line.add(outcomes, broken=undone)
    return undone


def test_a_file_and_bookings_of_the_same_people_wait_for_each_other(studio, crowd: Crowd, tally):
    assert beside_bookings(Shop(), crowd, tally("import, beside bookings"), 0) == 0


def test_row_by_row_a_file_and_a_booking_cross(studio, crowd: Crowd, tally, monkeypatch):
    crowd.deadlock_timeout = "10ms"
    monkeypatch.setattr(writing, "_lock", lambda bookings: None)
    line, shop = tally("import, beside bookings, CONTROL"), Shop()
    numbers = iter(range(100))
    show(lambda: beside_bookings(shop, crowd, line, next(numbers)))
