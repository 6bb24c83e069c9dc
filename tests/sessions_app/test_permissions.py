"""Who sees which session: grants that come and go, lists for every role (permissions, Object level; D34)."""

import pytest
from django.contrib.auth.models import AnonymousUser

from sessions_app import workflow
from sessions_app.actions import people
from sessions_app.actions.book import delete_session
from sessions_app.models import Session
from studio.access import allows
from studio.roles import Perm, Role, forget_roles
from tests.factories.domain import Studio, Walk, person

pytestmark = pytest.mark.django_db

SHOOTS = {Perm.SESSION_VIEW_OWN.value, Perm.SESSION_MARK_ATTENDED.value}
EDITS = {Perm.SESSION_VIEW_OWN.value, Perm.SESSION_MARK_READY.value}


def grants(session: Session, user) -> set[str]:
    return set(session.grants.filter(user=user).values_list("permission__codename", flat=True))


def sees(user, session: Session) -> bool:
    return Session.objects.visible_to(user).filter(pk=session.pk).exists()


def put(studio: Studio, session: Session, user):
    return people.assign_photographer(
        session, photographer_id=user.pk, coverage=session.span, by=studio.coordinator, now=studio.now
    )


def replace(studio: Studio, session: Session, assignment, user):
    return people.reassign(
        session, assignment_id=assignment.pk, photographer_id=user.pk, by=studio.coordinator, now=studio.now
    )


def test_assignment_gives_the_grants_and_taking_off_takes_them_back():
    studio = Studio()
    session, shooter = studio.request(), studio.photographer
    assert not sees(shooter, session)
    assignment = put(studio, session, shooter)
    assert grants(session, shooter) == SHOOTS
    assert sees(shooter, session)
    people.take_off(session, assignment_id=assignment.pk, by=studio.coordinator, now=studio.now)
    assert grants(session, shooter) == set()
    assert not sees(shooter, session)


def test_reassignment_there_and_back_leaves_each_with_what_is_theirs():
    """D34: A -> B -> A; the old rows stay, and grant nothing."""
    studio = Studio()
    session, a, b = studio.request(), studio.photographer, person(Role.PHOTOGRAPHER)
    first = put(studio, session, a)
    second = replace(studio, session, first, b)
    assert (grants(session, a), grants(session, b)) == (set(), SHOOTS)
    assert (sees(a, session), sees(b, session)) == (False, True)
    third = replace(studio, session, second, a)
    assert (grants(session, a), grants(session, b)) == (SHOOTS, set())
    assert third.is_lead_photographer
    statuses = list(session.assignments.order_by("pk").values_list("assignment_status", flat=True))
    assert statuses == ["Reassigned", "Reassigned", "Assigned"]
    assert session.assignments.filter(released_at=None).count() == 1


def test_photographer_who_also_edits_keeps_what_the_other_part_gives():
    """Taking one part back leaves the grants of the other."""
    studio = Studio()
    both = person(Role.PHOTOGRAPHER, Role.EDITOR)
    session = studio.request(photographer_ids=(studio.photographer.pk, both.pk))
    walk = Walk(studio, session).to(workflow.ATTENDED)
    session.take(by=both, now=walk.now)
    assert grants(session, both) == SHOOTS | EDITS
    own = session.assignments.get(staff=both)
    people.take_off(session, assignment_id=own.pk, by=studio.coordinator, now=walk.now)
    assert grants(session, both) == EDITS
    people.change_editor(session, editor=studio.editor, by=studio.admin, now=walk.now)
    assert grants(session, both) == set()
    assert grants(session, studio.editor) == EDITS


def test_canceled_session_stays_in_sight_of_who_was_on_it():
    """D34: they can still open it and see that it is off."""
    studio = Studio()
    session = studio.walk(workflow.IN_EDITING, photographer_ids=(studio.photographer.pk,)).to(workflow.CANCELED).session
    assert sees(studio.photographer, session)
    assert sees(studio.editor, session)


def test_completed_session_is_read_only_for_who_was_on_it():
    """Business rules 1.3; D34."""
    studio = Studio()
    walk = studio.walk(workflow.COMPLETED)
    for user in (studio.photographer, studio.editor, studio.coordinator):
        assert sees(user, walk.session)
        assert not any(
            row.sources & {workflow.COMPLETED}
            for row in workflow.PHOTOGRAPHY.values()
            if walk.session.may(row.name, user)
        )


def test_lists_hold_what_each_role_may_see():
    """visible_to, for every role and for nobody."""
    studio = Studio()
    own = studio.request(photographer_ids=(studio.photographer.pk,))
    foreign = studio.request(when=studio.when(days=25))
    queued = studio.walk(workflow.ATTENDED, when=studio.when(days=30)).session
    edited = studio.walk(workflow.IN_EDITING, when=studio.when(days=35)).session
    other_editor = person(Role.EDITOR)
    everything = {own, foreign, queued, edited}
    expected = {
        studio.admin: everything,
        studio.coordinator: everything,
        studio.photographer: {own, queued, edited},
        person(Role.PHOTOGRAPHER): set(),
        studio.editor: {queued, edited},
        other_editor: {queued},
        person(Role.ARTIST): set(),
        person(): set(),
        person(Role.ADMIN, is_active=False): set(),
    }
    for user, visible in expected.items():
        assert set(Session.objects.visible_to(user)) == visible, user
    for stranger in (AnonymousUser(), None):
        assert not Session.objects.visible_to(stranger).exists()
    assert set(Session.objects.known_to(other_editor)) == {queued, edited}
    assert set(Session.objects.known_to(studio.photographer)) == {own, queued, edited}
    assert not Session.objects.known_to(person(Role.ARTIST)).exists()


def test_queue_is_for_editors_and_ends_when_one_takes_it():
    studio = Studio()
    walk = studio.walk(workflow.ATTENDED)
    second = person(Role.EDITOR)
    assert sees(studio.editor, walk.session)
    assert sees(second, walk.session)
    walk.session.take(by=studio.editor, now=walk.now)
    assert sees(studio.editor, walk.session)
    assert not sees(second, walk.session)


def test_role_that_is_taken_away_takes_the_permission_with_it():
    """A grant alone is not enough: the role has to hold the permission as well."""
    studio = Studio()
    session = studio.request(photographer_ids=(studio.photographer.pk,))
    assert allows(studio.photographer, Perm.SESSION_MARK_ATTENDED, session)
    studio.photographer.groups.clear()
    forget_roles(studio.photographer)
    assert not allows(studio.photographer, Perm.SESSION_MARK_ATTENDED, session)
    assert not sees(studio.photographer, session)


def test_deleted_session_is_in_nobodys_sight():
    studio = Studio()
    session = studio.request(photographer_ids=(studio.photographer.pk,))
    delete_session(session, by=studio.admin, now=studio.now)
    for user in (studio.admin, studio.coordinator, studio.photographer):
        assert not sees(user, session)
    assert not session.assignments.filter(released_at=None).exists()
