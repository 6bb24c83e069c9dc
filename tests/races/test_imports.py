"""An import that many start at the same instant, and many workers that are given it: it is written once."""

from datetime import datetime
from functools import partial

import pytest
from django.utils import timezone

from sessions_app.importing import acts, task
from sessions_app.models import Client, Import, ImportState
from studio import jobs
from studio.models import AuditEvent, User
from tests.races.together import WIDTH, Act, Crowd, show, untyped, winners

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
