"""The appointment machine: each row x state x kind of person, and what every edge writes, to the cent.

Written down from the requirement and the permission matrix, not computed from the code; the letters are those of
``test_transitions``. ``artist`` has all four, ``former_artist`` had them before, ``other_artist`` never.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction

from payments.models import CommissionLine, Payment, Receipt
from scheduling.slots import Span
from sessions_app import workflow
from sessions_app.actions import appoint, pay
from sessions_app.models import Session
from studio.errors import StudioError
from studio.models import AuditEvent, Notice, OutgoingEmail, User
from studio.roles import Role
from tests.factories.domain import person
from tests.factories.shop import Shop, span
from tests.matrix.conftest import footprint, tried
from tests.matrix.test_transitions import OUTCOMES

pytestmark = pytest.mark.django_db

STATES = ("Waiting", "Active", "Completed", "Canceled")
TABLE = {
    "activate": """
        system                +xxx
        admin                 +xxx
        coordinator           +xxx
        artist                +xxx
        other_artist          0000
        former_artist         0000
        photographer          0000
        editor                0000
        no_role               0000
        inactive_coordinator  0000
        anonymous             0000
    """,
    "hold": """
        system                x+xx
        admin                 x+xx
        coordinator           x+xx
        artist                x+xx
        other_artist          0000
        former_artist         0000
        photographer          0000
        editor                0000
        no_role               0000
        inactive_coordinator  0000
        anonymous             0000
    """,
    "complete": """
        system                x+xx
        admin                 x+xx
        coordinator           x+xx
        artist                x+xx
        other_artist          0000
        former_artist         0000
        photographer          0000
        editor                0000
        no_role               0000
        inactive_coordinator  0000
        anonymous             0000
    """,
    "cancel": """
        system                ++xx
        admin                 ++xx
        coordinator           ++xx
        artist                ++xx
        other_artist          0000
        former_artist         0000
        photographer          0000
        editor                0000
        no_role               0000
        inactive_coordinator  0000
        anonymous             0000
    """,
}
# Of the other machine's rows: from no state, and by those who could do them with a shoot.
FOREIGN = {
    "negotiate": "-xx-",
    "preschedule": "-xx-",
    "confirm": "-xx-",
    "reopen": "-xx-",
    "assign": "xxx-",
    "attend": "-x--",
    "take": "-x--",
    "ready": "-x--",
}
TARGETS = {
    ("activate", "Waiting"): "Active",
    ("hold", "Active"): "Waiting",
    ("complete", "Active"): "Completed",
    ("cancel", "Waiting"): "Canceled",
    ("cancel", "Active"): "Canceled",
}
PAYLOADS: dict[str, dict[str, Any]] = {
    "complete": {"method": "Card"},
    "cancel": {"reason": "Ill", "initiator": "client"},
}


@dataclass
class Four:
    shop: Shop
    actors: dict[str, Any]
    ids: dict[str, int]
    now: datetime

    def session(self, state: str) -> Session:
        """A fresh instance: what one try has left in memory is no business of the next."""
        return Session.objects.get(pk=self.ids[state])

    def by(self, actor: str) -> User | None:
        return self.actors[actor]


def build() -> Four:
    """1,000.00 each, of which 300.00 are paid in advance."""
    shop = Shop()
    former = person(Role.ARTIST)
    ids = {}
    for place, state in enumerate(STATES):
        begins = Span(*(each + timedelta(days=place) for each in (span().start, span().end)))
        session = shop.book(begins, artist_id=former.pk, tentative=state == "Waiting", notes="Left arm")
        appoint.change(session, artist_id=shop.artist.pk, by=shop.coordinator, now=shop.now)
        advance = pay.register_advance(
            session,
            amount=Decimal("300.00"),
            method="Transfer",
            document_number=f"BI-{place}",
            payment_date=shop.today,
            by=shop.coordinator,
            now=shop.now,
        )
        pay.verify(advance, by=shop.coordinator, now=shop.now)
        if state == "Completed":
            session.complete(by=shop.artist, now=shop.now, method="Cash")
        if state == "Canceled":
            session.cancel(by=shop.artist, now=shop.now, reason="Ill", initiator="client")
        ids[state] = session.pk
    with connection.cursor() as cursor:  # what waits for the end of the transaction is checked now
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    actors = {
        "system": None,
        "admin": person(Role.ADMIN),
        "coordinator": shop.coordinator,
        "artist": shop.artist,
        "other_artist": shop.other,
        "former_artist": former,
        "photographer": person(Role.PHOTOGRAPHER),
        "editor": person(Role.EDITOR),
        "no_role": person(),
        "inactive_coordinator": person(Role.COORDINATOR, is_active=False),
        "anonymous": AnonymousUser(),
    }
    return Four(shop, actors, ids, shop.later(hours=1))


@pytest.fixture(scope="module")
def four(django_db_setup: None, django_db_blocker: Any) -> Iterator[Four]:
    with django_db_blocker.unblock():
        block = transaction.atomic()
        block._from_testcase = True  # as Django's own test case says: not somebody's transaction
        block.__enter__()
        try:
            yield build()
        finally:
            transaction.set_rollback(True)
            block.__exit__(None, None, None)


# -- who may, from which state -----------------------------------------------------------------------------------------


def attempt(four: Four, name: str, state: str, actor: str) -> str:
    """What comes of one try; a refusal has written nothing, and a denial of somebody is in the audit log."""
    session = four.session(state)
    with tried():
        before, denials = footprint(session), AuditEvent.objects.filter(event="denied").count()
        try:
            session.move(name, by=four.by(actor), now=four.now, **PAYLOADS.get(name, {}))
        except StudioError as refused:
            assert footprint(session) == before, f"{actor} was refused and something was written"
            denied = refused.status in (403, 404) and four.by(actor) is not None
            assert AuditEvent.objects.filter(event="denied").count() - denials == int(denied)
            return refused.code
        assert four.session(state).status == session.status == TARGETS[name, state]
        return "done"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", TABLE)
def test_every_kind_of_person_tries_every_move(four, name, state):
    rows = dict(line.split() for line in TABLE[name].strip().splitlines())
    expected = {actor: OUTCOMES[letters[STATES.index(state)]] for actor, letters in rows.items()}
    assert {actor: attempt(four, name, state, actor) for actor in rows} == expected
    assert set(rows) == set(four.actors)


@pytest.mark.parametrize("name", FOREIGN)
def test_the_moves_of_a_shoot_are_none_of_an_appointment(four, name):
    """Also from the states that both share; and who does not see it learns nothing, whatever they could take."""
    office = dict(zip(("system", "admin", "coordinator", "artist"), FOREIGN[name], strict=True))
    expected = {actor: OUTCOMES[office.get(actor, "0")] for actor in four.actors}
    for state in STATES:
        assert {actor: attempt(four, name, state, actor) for actor in four.actors} == expected, state


def test_the_tables_are_whole():
    edges = {(row.name, source): row.target for row in workflow.APPOINTMENTS.values() for source in row.sources}
    assert edges == TARGETS
    assert set(TABLE) == set(workflow.APPOINTMENTS)
    assert workflow.APPOINTMENT_STATES == STATES
    assert set(FOREIGN) == set(workflow.NAMES) - set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_the_button_is_there_exactly_for_those_who_may(four, name):
    rows = dict(line.split() for line in TABLE[name].strip().splitlines())
    for actor in ("admin", "coordinator", "artist", "other_artist", "photographer", "editor"):
        for state, letter in zip(STATES, rows[actor], strict=True):
            assert four.session(state).may(name, four.by(actor)) == (letter in "+x"), (actor, state)


# -- what it writes ----------------------------------------------------------------------------------------------------

# Notices by kind and recipient, when the coordinator does it; and lines of the audit log.
TOLD: dict[tuple[str, str], tuple[dict[str, str], list[str]]] = {
    ("activate", "Waiting"): ({"appointment_changed": "artist"}, []),
    ("hold", "Active"): ({"appointment_changed": "artist"}, []),
    ("complete", "Active"): ({}, []),
    ("cancel", "Waiting"): ({"assignment_off": "artist"}, ["session_canceled"]),
    ("cancel", "Active"): ({"assignment_off": "artist"}, ["session_canceled"]),
}


def carry_out(four: Four, name: str, state: str, actor: str = "coordinator", **payload: Any) -> Session:
    session = four.session(state)
    session.move(name, by=four.by(actor), now=four.now, **{**PAYLOADS.get(name, {}), **payload})
    return Session.objects.get(pk=session.pk)


@pytest.mark.parametrize(("name", "state"), TOLD)
def test_an_edge_writes_its_history_and_tells_whom_it_should(four, name, state):
    notices, audited = TOLD[name, state]
    assert set(TOLD) == set(TARGETS)
    with tried():
        models = (AuditEvent, Notice, OutgoingEmail)
        before = {model: set(model.objects.values_list("pk", flat=True)) for model in models}
        session = carry_out(four, name, state)
        new = {model: model.objects.exclude(pk__in=known) for model, known in before.items()}
        row = session.history.last()
        assert (row.previous_status, row.new_status, row.changed_at) == (state, TARGETS[name, state], four.now)
        assert (row.changed_by, row.reason) == (four.by("coordinator"), PAYLOADS.get(name, {}).get("reason", ""))
        told = Counter((notice.kind, notice.recipient_id) for notice in new[Notice])
        assert told == Counter((kind, four.by(who).pk) for kind, who in notices.items())
        # No client of an appointment gets an e-mail of a shoot.
        assert not new[OutgoingEmail].exists()
        assert sorted(new[AuditEvent].values_list("event", flat=True)) == audited


def test_nobody_is_told_of_what_they_did(four):
    with tried():
        before = set(Notice.objects.values_list("pk", flat=True))
        carry_out(four, "activate", "Waiting", "artist")
        assert not Notice.objects.exclude(pk__in=before).exists()


@pytest.mark.parametrize(("name", "held"), [("activate", True), ("complete", True), ("cancel", False)])
def test_only_canceling_frees_the_time(four, name, held):
    """D26, D34; its artist sees it afterwards all the same."""
    with tried():
        session = carry_out(four, name, "Waiting" if name == "activate" else "Active")
        assert session.assignments.filter(released_at=None).exists() == held
        assert Session.objects.visible_to(four.by("artist")).filter(pk=session.pk).exists()


# price, the session's own rate, the artist's; what is taken, the commission and where its rate comes from (D27).
COMPLETIONS = [
    ("1000.00", None, None, "700.00", "500.00", "Default"),
    ("1000.00", None, "0.400", "700.00", "400.00", "Person"),
    ("1000.00", "0.625", "0.400", "700.00", "625.00", "Session"),
    ("1000.00", "0.000", "0.400", "700.00", "0.00", "Session"),
    ("1000.00", None, "0.000", "700.00", "0.00", "Person"),
    ("333.33", None, None, "33.33", "166.67", "Default"),
    ("333.35", None, "0.333", "33.35", "111.01", "Person"),
    ("300.00", None, None, "0.00", "150.00", "Default"),
]


@pytest.mark.parametrize(("price", "override", "own", "taken", "earned", "source"), COMPLETIONS)
def test_completing_takes_the_rest_and_fixes_the_commission(four, price, override, own, taken, earned, source):
    with tried():
        session = four.session("Active")
        artist = four.by("artist")
        User.objects.filter(pk=artist.pk).update(commission_rate=own and Decimal(own))
        appoint.change(
            session,
            by=four.by("coordinator"),
            now=four.now,
            price=Decimal(price),
            commission_override=override and Decimal(override),
        )
        session = carry_out(four, "complete", "Active", "artist", document_number="V-7")
        settled = session.payments.order_by("id").last()
        assert (str(settled.amount), settled.payment_type, settled.payment_status) == (taken, "Balance", "Verified")
        assert (settled.payment_method, settled.document_number, settled.verified_by) == ("Card", "V-7", artist)
        assert settled.cash_day is not None
        assert Receipt.objects.filter(payment=settled).exists() == (Decimal(taken) > 0)
        [line] = CommissionLine.objects.filter(session=session)
        assert (line.person, str(line.base), str(line.amount), line.rate_source) == (artist, price, earned, source)
        # Once: other rates later change nothing.
        User.objects.filter(pk=artist.pk).update(commission_rate=Decimal("0.9"))
        assert str(CommissionLine.objects.get(session=session).amount) == earned
        assert (session.balance, session.price_is_open) == (0, False)


def test_a_price_that_nobody_named_settles_as_nothing(four):
    """D27: 0.00, and a transaction of 0.00 all the same."""
    with tried():
        begins = Span(*(each + timedelta(days=9) for each in (span().start, span().end)))
        session = four.shop.book(begins, price=None)
        session.complete(by=four.by("artist"), now=four.now, method="Cash")
        assert [str(row.amount) for row in session.payments.all()] == ["0.00"]
        assert [str(line.amount) for line in CommissionLine.objects.filter(session=session)] == ["0.00"]
        assert (session.price, session.price_is_open) == (Decimal("0.00"), False)


# Who cancels, whether they came, the choice; what goes back, what is kept of 300.00 (D40). None is the default.
CANCELLATIONS = [
    ("client", False, None, "300.00", "0.00"),
    ("company", False, None, "300.00", "0.00"),
    ("force_majeure", False, None, "300.00", "0.00"),
    ("client", True, None, "0.00", "300.00"),
    ("client", False, False, "0.00", "300.00"),
    ("company", False, False, "0.00", "300.00"),
    ("client", True, True, "300.00", "0.00"),
    ("client", False, True, "300.00", "0.00"),
    ("client", True, False, "0.00", "300.00"),
]


@pytest.mark.parametrize("state", ["Waiting", "Active"])
@pytest.mark.parametrize(("initiator", "no_show", "refund", "back", "kept"), CANCELLATIONS)
def test_canceling_pays_the_advance_back_or_keeps_it(four, state, initiator, no_show, refund, back, kept):
    with tried():
        session = carry_out(
            four, "cancel", state, initiator=initiator, no_show=no_show, refund=refund, refund_note="So agreed"
        )
        owed = Payment.objects.filter(session=session, payment_type="Refund")
        expected = [("Pending", back, "So agreed")] if Decimal(back) else []
        assert [(row.payment_status, str(row.amount), row.notes) for row in owed] == expected
        assert str(session.kept_amount) == kept
        assert session.refund_reason == ("Advance paid back" if Decimal(back) else "Advance kept")
        assert (session.canceled_by_initiator, session.no_show) == (initiator, no_show)
        assert session.special_notes == ("[No-show] Left arm" if no_show else "Left arm")
        told = AuditEvent.objects.filter(event="session_canceled").latest("pk").details
        assert (told["no_show"], told["refund"], told["note"]) == (no_show, back, "So agreed")
        assert not CommissionLine.objects.filter(session=session).exists()


def test_what_was_paid_above_the_price_goes_back_even_when_the_advance_is_kept(four):
    with tried():
        session = four.session("Active")
        appoint.change(session, by=four.by("coordinator"), now=four.now, price=Decimal("250.00"))
        session = carry_out(four, "cancel", "Active", no_show=True)
        assert [str(row.amount) for row in Payment.objects.filter(session=session, payment_type="Refund")] == ["50.00"]
        assert str(session.kept_amount) == "250.00"


REFUSED = [
    ("complete", {"method": ""}, "unknown_method"),
    ("complete", {"method": "Bitcoin"}, "unknown_method"),
    ("cancel", {"reason": " "}, "no_reason"),
    ("cancel", {"initiator": "system"}, "unknown_initiator"),
    ("cancel", {"initiator": "company", "no_show": True}, "no_show_of_another"),
    ("cancel", {"refund": False}, "no_refund_note"),
    ("cancel", {"no_show": True, "refund": True, "refund_note": " "}, "no_refund_note"),
]


@pytest.mark.parametrize(("name", "payload", "failed"), REFUSED, ids=str)
def test_what_the_guards_refuse_has_its_sentence_and_its_field(four, name, payload, failed):
    with tried():
        session = four.session("Active")
        before = footprint(session)
        with pytest.raises(StudioError) as refused:
            carry_out(four, name, "Active", "artist", **payload)
        assert refused.value.details["failed"] == [failed]
        assert refused.value.message != failed and refused.value.field
        assert footprint(session) == before


def test_a_payment_that_waits_blocks_completing(four):
    with tried():
        session = four.session("Active")
        pay.register_balance(
            session,
            amount=Decimal("100.00"),
            method="Cash",
            document_number="R-1",
            payment_date=four.now.date(),
            by=four.by("coordinator"),
            now=four.now,
        )
        with pytest.raises(StudioError) as refused:
            carry_out(four, "complete", "Active", "artist")
        assert refused.value.details["failed"] == ["payments_pending"]
        assert "100.00" in refused.value.message
