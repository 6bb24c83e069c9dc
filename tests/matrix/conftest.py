"""Ten sessions, one in each state, built once for a module; every try on one of them is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction

from sessions_app import workflow
from sessions_app.actions import people, price
from sessions_app.models import Session
from studio.models import User
from studio.roles import Role
from tests.factories.domain import Studio, Walk, at, person


@dataclass
class Ten:
    """``photographer`` and ``photographer_editor`` shoot all ten; ``editor`` is on those from In Editing on.

    The canceled one was canceled from In Editing, so that people of every kind were on it.
    """

    studio: Studio
    actors: dict[str, Any]
    walks: dict[str, Walk]

    def session(self, state: str) -> Session:
        """A fresh instance: what one try has left in memory is no business of the next."""
        return Session.objects.get(pk=self.walks[state].session.pk)

    def moment(self, transition: str, state: str) -> datetime:
        """When the guards of the row hold for the session in this state."""
        walk = self.walks[state]
        if (transition, state) == ("assign", workflow.CONFIRMED):
            return walk.session.changes_deadline + timedelta(seconds=1)
        if (transition, state) == ("attend", workflow.ASSIGNED):
            return at(walk.session.session_date, "00:00")
        return walk.now

    def payload(self, transition: str, actor: str) -> dict[str, Any]:
        if transition == "confirm":
            return {"deposit": self.walks[workflow.PRE_SCHEDULED].deposit()}
        if transition == "cancel":
            return {"reason": "The bride has a fever", "initiator": "system" if actor == "system" else "client"}
        return {}

    def by(self, actor: str) -> User | None:
        return self.actors[actor]


def build() -> Ten:
    studio = Studio()
    dual = person(Role.PHOTOGRAPHER, Role.EDITOR)
    former = person(Role.PHOTOGRAPHER)
    walks = {}
    for place, state in enumerate(workflow.STATES):
        session = studio.request(
            when=studio.when(days=20 + place),
            room_id=studio.room.pk,
            photographer_ids=(studio.photographer.pk, dual.pk, former.pk),
        )
        left = session.assignments.get(staff=former)
        people.take_off(session, assignment_id=left.pk, by=studio.coordinator, now=studio.now)
        walk = walks[state] = Walk(studio, session)
        if state == workflow.CANCELED:
            walk.to(workflow.IN_EDITING)
        walk.to(state)
        if state == workflow.NEGOTIATION:
            price.add_package(session, package=studio.package, by=studio.coordinator, now=studio.now)
        session.refresh_from_db()
    with connection.cursor() as cursor:  # what waits for the end of the transaction is checked now
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    actors = {
        "system": None,
        "anonymous": AnonymousUser(),
        "no_role": person(),
        "inactive_coordinator": person(Role.COORDINATOR, is_active=False),
        "admin": studio.admin,
        "coordinator": studio.coordinator,
        "photographer": studio.photographer,
        "photographer_editor": dual,
        "other_photographer": person(Role.PHOTOGRAPHER),
        "former_photographer": former,
        "editor": studio.editor,
        "other_editor": person(Role.EDITOR),
        "artist": person(Role.ARTIST),
    }
    return Ten(studio, actors, walks)


@pytest.fixture(scope="module")
def ten(django_db_setup: None, django_db_blocker: Any) -> Iterator[Ten]:
    with django_db_blocker.unblock():
        block = transaction.atomic()
        block._from_testcase = True  # as Django's own test case says: not somebody's transaction
        block.__enter__()
        try:
            yield build()
        finally:
            transaction.set_rollback(True)
            block.__exit__(None, None, None)


@contextmanager
def tried() -> Iterator[None]:
    """Whatever is done inside is undone at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def footprint(session: Session) -> tuple:
    """All that is written of a session, but for the audit log: equal means that nothing was written."""
    about = (session._meta.label_lower, session.pk)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT s::text FROM sessions_app_session s WHERE s.id = %(id)s),
                   (SELECT count(*) FROM sessions_app_statushistory WHERE session_id = %(id)s),
                   (SELECT array_agg(p::text ORDER BY id) FROM payments_payment p WHERE session_id = %(id)s),
                   (SELECT array_agg(r::text ORDER BY id) FROM scheduling_staffreservation r WHERE session_id = %(id)s),
                   (SELECT array_agg(r::text ORDER BY id) FROM scheduling_roomreservation r WHERE session_id = %(id)s),
                   (SELECT array_agg((user_id, permission_id)::text ORDER BY user_id, permission_id)
                      FROM sessions_app_sessionuserobjectpermission WHERE content_object_id = %(id)s),
                   (SELECT array_agg((kind, status)::text ORDER BY id) FROM studio_outgoingemail
                     WHERE about_type = %(type)s AND about_id = %(id)s),
                   (SELECT count(*) FROM studio_notice WHERE about_type = %(type)s AND about_id = %(id)s)
            """,
            {"id": about[1], "type": about[0]},
        )
        return cursor.fetchone()
