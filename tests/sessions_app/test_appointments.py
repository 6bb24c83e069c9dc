"""Every sentence of the tattoo service and of its session model, by section. Dates and names are of our own shop."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from payments import ledger
from payments.models import CommissionLine, Payment
from scheduling.models import StaffReservation
from sessions_app.actions import appoint, pay, people, price
from sessions_app.actions.request import When
from sessions_app.appointments import (
    cancel_session,
    complete_session,
    create_session,
    list_sessions,
    update_session,
)
from sessions_app.models import Client, Session
from studio.conf import STUDIO
from studio.errors import AccessDenied, InvalidInput, PhotographerNotAvailable, SessionNotFound, StudioError
from studio.models import AuditEvent
from studio.roles import Role
from tests.factories.domain import ClientFactory, ItemFactory, Studio, at, person
from tests.factories.shop import MONDAY, Shop, span

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return Shop()


def payload(shop: Shop, begins: str = "10:00", ends: str = "13:00", **values: object) -> dict:
    return {
        "client_id": shop.client.pk,
        "artist_id": shop.artist.pk,
        "start": at(MONDAY, begins),
        "end": at(MONDAY, ends),
        "price": 5000.0,
        "notes": "Continuation of the sleeve",
    } | values


def made(shop: Shop, begins: str = "10:00", ends: str = "13:00", **values: object) -> Session:
    return Session.objects.get(pk=create_session(payload(shop, begins, ends, **values)))


def only(session_id: int) -> dict:
    [found] = [each for each in list_sessions({}) if each["id"] == session_id]
    return found


def history(session: Session) -> list[tuple]:
    return list(session.history.order_by("id").values_list("previous_status", "new_status", "changed_by"))


# -- create_session ------------------------------------------------------------------------------------------------


def test_create_returns_the_id_of_an_active_session_with_what_was_given(shop: Shop):
    """create_session: the payload's keys, the return value, the status that it sets."""
    session_id = create_session(payload(shop))
    assert only(session_id) == {
        "id": session_id,
        "client_id": shop.client.pk,
        "artist_id": shop.artist.pk,
        "start": at(MONDAY, "10:00"),
        "end": at(MONDAY, "13:00"),
        "status": "Activa",
        "price": 5000.0,
        "notes": "Continuation of the sleeve",
    }
    assert isinstance(only(session_id)["price"], float)
    assert history(Session.objects.get(pk=session_id)) == [(None, "Active", shop.artist.pk)]


def test_create_without_notes_and_with_a_price_that_nobody_knows(shop: Shop):
    """create_session: notes are optional. Best practices: a price may be missing."""
    told = payload(shop, price=None)
    del told["notes"]
    found = only(create_session(told))
    assert (found["price"], found["notes"]) == (None, "")


def test_create_takes_naive_datetimes_as_the_studios_clock(shop: Shop):
    """The requirement's own example gives ``datetime.now()``; notes: datetimes should be aware."""
    naive = datetime(2027, 3, 8, 14)  # noqa: DTZ001 - that is the point
    found = only(create_session(payload(shop, start=naive, end=naive + timedelta(hours=3))))
    assert found["start"] == naive.replace(tzinfo=STUDIO.zone)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": at(MONDAY, "13:00"), "end": at(MONDAY, "10:00")},
        {"start": at(MONDAY, "10:00"), "end": at(MONDAY, "10:00")},
        {"end": at(MONDAY, "10:00") + timedelta(hours=25)},
        {"start": "2027-03-08 10:00"},
        {"client_id": 0},
        {"client_id": None},
        {"client_id": "1"},
        {"artist_id": 2**70},
        {"price": -1},
        {"price": float("nan")},
        {"price": "a lot"},
        {"price": 1e15},
        {"surprise": 1},
    ],
    ids=str,
)
def test_create_raises_a_value_error_and_writes_nothing(wrong: dict, shop: Shop):
    """create_session, Raises: an invalid time range, and whatever else cannot be meant."""
    with pytest.raises(ValueError) as refused:
        create_session(payload(shop, **wrong))
    assert isinstance(refused.value, StudioError)
    assert not Session.objects.exists()
    assert not StaffReservation.objects.exists()


def test_create_refuses_somebody_who_is_no_artist_and_a_client_who_is_gone(shop: Shop):
    photographer = person(Role.PHOTOGRAPHER)
    gone = person(Role.ARTIST, is_active=False)
    inactive = ClientFactory(active=False)
    for wrong in ({"artist_id": photographer.pk}, {"artist_id": gone.pk}, {"client_id": inactive.pk}):
        with pytest.raises(ValueError):
            create_session(payload(shop, **wrong))
    assert not Session.objects.exists()


def test_sessions_may_be_entered_for_the_past(shop: Shop):
    """D38: who walked in is written down afterwards."""
    session_id = create_session(payload(shop, start=at("2020-01-06", "10:00"), end=at("2020-01-06", "12:00")))
    assert only(session_id)["status"] == "Activa"


# -- schedule conflict detection -----------------------------------------------------------------------------------

CONFLICTS = [("09:00", "11:00"), ("11:00", "14:00"), ("09:00", "14:00"), ("11:00", "12:00"), ("10:00", "13:00")]
FREE = [("08:00", "10:00"), ("13:00", "15:00"), ("14:00", "16:00")]


@pytest.mark.parametrize(("begins", "ends"), CONFLICTS)
def test_overlap_is_refused_by_the_word_and_names_what_is_in_the_way(begins: str, ends: str, shop: Shop):
    """Overlap rules: the four examples of a conflict, and the same hours; D31."""
    first = made(shop)
    with pytest.raises(ValueError, match=r"^Choque de horario") as refused:
        create_session(payload(shop, begins, ends))
    assert first.code in str(refused.value)
    assert Session.objects.count() == 1


@pytest.mark.parametrize(("begins", "ends"), FREE)
def test_touching_and_apart_is_no_conflict(begins: str, ends: str, shop: Shop):
    """Overlap rules: the three examples of none."""
    made(shop)
    assert create_session(payload(shop, begins, ends))


def test_conflict_is_of_the_same_artist_only(shop: Shop):
    """Conflict detection behaviour: only the same artist is looked at."""
    made(shop)
    assert create_session(payload(shop, artist_id=shop.other.pk))


def test_only_canceled_sessions_leave_their_time(shop: Shop):
    """Conflict detection behaviour: canceled ones are ignored; D34: completed and tentative ones are not."""
    canceled, completed = made(shop), made(shop, "14:00", "16:00")
    waiting = made(shop, "17:00", "18:00")
    cancel_session(canceled.pk)
    complete_session(completed.pk, {"method": "Efectivo"})
    update_session(waiting.pk, {"status": "En espera"})
    assert create_session(payload(shop))
    for begins, ends in (("15:00", "16:00"), ("17:00", "18:00")):
        with pytest.raises(ValueError, match=r"^Choque de horario"):
            create_session(payload(shop, begins, ends))


def test_session_does_not_meet_itself(shop: Shop):
    """Conflict detection behaviour: an update leaves the session itself out."""
    session = made(shop)
    update_session(session.pk, {"start": at(MONDAY, "11:00"), "end": at(MONDAY, "14:00")})
    assert only(session.pk)["start"] == at(MONDAY, "11:00")


def test_one_person_is_never_at_a_shoot_and_at_an_appointment(shop: Shop):
    """D25: one truth of who is busy when, in both directions."""
    studio, both = Studio(), person(Role.ARTIST, Role.PHOTOGRAPHER)
    shoot = studio.request()
    people.assign_photographer(shoot, photographer_id=both.pk, coverage=shoot.span, by=shop.coordinator, now=shop.now)
    taken = {"artist_id": both.pk, "start": shoot.starts_at, "end": shoot.ends_at}
    with pytest.raises(ValueError, match=r"^Choque de horario") as refused:
        create_session(payload(shop, **taken))
    assert shoot.code in str(refused.value)
    booked = made(shop, artist_id=both.pk)
    with pytest.raises(PhotographerNotAvailable, match=booked.code):
        people.assign_photographer(
            studio.request(when=When(session_date=at(MONDAY).date(), start_time=time(9), end_time=time(11))),
            photographer_id=both.pk,
            coverage=booked.span,
            by=shop.coordinator,
            now=shop.now,
        )


# -- update_session ------------------------------------------------------------------------------------------------


def test_update_changes_what_is_named_and_leaves_the_rest(shop: Shop):
    """update_session: the requirement's example, and that it returns nothing."""
    session = made(shop)
    before = only(session.pk)
    told = {
        "start": at(MONDAY, "11:00"),
        "end": at(MONDAY, "14:00"),
        "price": 4000.0,
        "notes": "Client requested another time",
    }
    assert update_session(session.pk, told) is None
    assert only(session.pk) == before | told
    update_session(session.pk, {"notes": "Only this"})
    assert only(session.pk) == before | told | {"notes": "Only this"}


def test_update_to_another_artist(shop: Shop):
    """update_session, updatable fields: artist_id. The old one is free and may not see it any more."""
    session = made(shop)
    made(shop, "15:00", "16:00", artist_id=shop.other.pk)
    update_session(session.pk, {"artist_id": shop.other.pk})
    assert only(session.pk)["artist_id"] == shop.other.pk
    assert [seen.pk for seen in Session.objects.visible_to(shop.artist)] == []
    assert session.pk in {seen.pk for seen in Session.objects.visible_to(shop.other)}
    assert create_session(payload(shop))
    with pytest.raises(ValueError, match=r"^Choque de horario"):
        update_session(session.pk, {"start": at(MONDAY, "15:30"), "end": at(MONDAY, "17:00")})


def test_update_into_a_conflict_changes_nothing(shop: Shop):
    """update_session, Raises: a schedule conflict; then all of it stays as it was."""
    made(shop)
    second = made(shop, "14:00", "15:00")
    before = only(second.pk)
    with pytest.raises(ValueError, match=r"^Choque de horario"):
        update_session(second.pk, {"price": 1.0, "notes": "x", "start": at(MONDAY, "12:00")})
    assert only(second.pk) == before


@pytest.mark.parametrize("wrong", [{"status": "Completada"}, {"status": "Lista"}, {"status": None}, {"code": "S-1"}])
def test_update_raises_for_an_invalid_status_and_never_completes(wrong: dict, shop: Shop):
    """update_session, Raises: an invalid status; the warning that only complete_session completes."""
    session = made(shop)
    with pytest.raises(ValueError):
        update_session(session.pk, wrong | {"notes": "not kept"})
    assert only(session.pk)["status"] == "Activa"
    assert only(session.pk)["notes"] != "not kept"


def test_every_function_raises_for_a_session_that_is_not_there(shop: Shop):
    """Raises: session not found. A photography session is none either."""
    shoot = Studio().request()
    for missing in (987_654, shoot.pk, "1", None):
        for call in (
            lambda pk: update_session(pk, {"notes": ""}),
            lambda pk: complete_session(pk, {"method": "Efectivo"}),
            cancel_session,
        ):
            with pytest.raises(SessionNotFound):
                call(missing)


def test_commission_override_persists_until_it_is_named_again(shop: Shop):
    """Best practices: from 0.0 to 1.0, and it stays when something else is updated."""
    session = made(shop)
    update_session(session.pk, {"commission_override": 0.6})
    update_session(session.pk, {"price": 100})
    session.refresh_from_db()
    assert session.commission_override == Decimal("0.6")
    for wrong in (1.1, -0.1, float("nan"), "x"):
        with pytest.raises(ValueError):
            update_session(session.pk, {"commission_override": wrong})
    update_session(session.pk, {"commission_override": None})
    session.refresh_from_db()
    assert session.commission_override is None


# -- transitions ---------------------------------------------------------------------------------------------------


def test_valid_transitions(shop: Shop):
    """Valid transitions: En espera to Activa (D26: and back), Activa to Completada, any to Cancelada."""
    session = made(shop)
    update_session(session.pk, {"status": "En espera"})
    update_session(session.pk, {"status": "Activa"})
    complete_session(session.pk, {"method": "Tarjeta"})
    assert [new for _old, new, _by in history(session)] == ["Active", "Waiting", "Active", "Completed"]
    waiting, active = made(shop, "14:00", "15:00"), made(shop, "16:00", "17:00")
    update_session(waiting.pk, {"status": "En espera"})
    update_session(waiting.pk, {"status": "Cancelada"})
    cancel_session(active.pk)
    assert {each["status"] for each in list_sessions({"status": ["Cancelada"]})} == {"Cancelada"}
    assert only(waiting.pk)["status"] == only(active.pk)["status"] == "Cancelada"


def test_invalid_transitions(shop: Shop):
    """Invalid: Completada to anything, Cancelada to Completada; D26: both are final, and a hold is not completed."""
    completed, canceled, waiting = made(shop), made(shop, "14:00", "15:00"), made(shop, "16:00", "17:00")
    complete_session(completed.pk, {"method": "Efectivo"})
    cancel_session(canceled.pk)
    update_session(waiting.pk, {"status": "En espera"})
    for session, call in (
        (completed, lambda pk: update_session(pk, {"status": "Activa"})),
        (completed, lambda pk: update_session(pk, {"status": "En espera"})),
        (completed, lambda pk: update_session(pk, {"status": "Cancelada"})),
        (completed, lambda pk: update_session(pk, {"price": 1})),
        (completed, lambda pk: complete_session(pk, {"method": "Efectivo"})),
        (completed, cancel_session),
        (canceled, lambda pk: complete_session(pk, {"method": "Efectivo"})),
        (canceled, lambda pk: update_session(pk, {"status": "Activa"})),
        (canceled, lambda pk: update_session(pk, {"notes": "x"})),
        (waiting, lambda pk: complete_session(pk, {"method": "Efectivo"})),
    ):
        before = only(session.pk)
        with pytest.raises(ValueError):
            call(session.pk)
        assert only(session.pk) == before
    assert Payment.objects.count() == 1


# -- complete_session ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "method"), [("Efectivo", "Cash"), ("Tarjeta", "Card"), ("Transferencia", "Transfer")])
def test_complete_returns_the_transaction_that_it_made(word: str, method: str, shop: Shop):
    """complete_session and payment methods: the price by one of the three, as a transaction of its own."""
    session = made(shop)
    payment = Payment.objects.get(pk=complete_session(session.pk, {"method": word}))
    assert (payment.session_id, payment.amount, payment.payment_method) == (session.pk, Decimal("5000.00"), method)
    assert payment.payment_status == "Verified"
    session.refresh_from_db()
    assert (session.status, session.balance) == ("Completed", Decimal("0.00"))


@pytest.mark.parametrize("payment", [{}, {"method": "Cheque"}, {"method": "Cash"}, {"method": None}])
def test_complete_by_another_method_is_refused(payment: dict, shop: Shop):
    session = made(shop)
    with pytest.raises(ValueError):
        complete_session(session.pk, payment)
    assert not Payment.objects.exists()
    assert only(session.pk)["status"] == "Activa"


def test_complete_without_a_price_makes_a_transaction_of_nothing(shop: Shop):
    """Best practices: a price of None is 0.0 on completion; D27: and still makes a transaction."""
    session = made(shop, price=None)
    payment = Payment.objects.get(pk=complete_session(session.pk, {"method": "Efectivo"}))
    assert payment.amount == 0
    assert only(session.pk)["price"] == 0.0
    assert CommissionLine.objects.get(session=session).amount == 0


def test_complete_takes_what_is_left_after_an_advance(shop: Shop):
    """D27, D28: the advance counts, the rest is taken; of nothing left it is a transaction of 0.00."""
    session = made(shop)
    advance = ledger.register_advance(
        session,
        amount=Decimal("1500.00"),
        method="Transfer",
        document_number="T-1",
        payment_date=shop.today,
        by=shop.coordinator,
        now=shop.now,
    )
    pay.verify(advance, by=shop.coordinator, now=shop.now)
    rest = Payment.objects.get(pk=complete_session(session.pk, {"method": "Efectivo"}))
    assert rest.amount == Decimal("3500.00")
    assert (session.total_paid, session.balance) == (Decimal("5000.00"), Decimal("0.00"))


# -- commission calculation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "own", "amount", "source"),
    [
        (0.6, Decimal("0.4"), "3000.00", "Session"),
        (0.0, Decimal("0.4"), "0.00", "Session"),
        (None, Decimal("0.4"), "2000.00", "Person"),
        (None, Decimal("0"), "0.00", "Person"),
        (None, None, "2500.00", "Default"),
    ],
)
def test_commission_is_price_by_override_else_rate_else_one_half(
    override: float | None, own: Decimal | None, amount: str, source: str, shop: Shop
):
    """Commission calculation, 1 to 4: the precedence, and that it is price by rate; zero is a rate."""
    shop.artist.commission_rate = own
    shop.artist.save()
    session = made(shop)
    update_session(session.pk, {"commission_override": override})
    complete_session(session.pk, {"method": "Efectivo"})
    line = CommissionLine.objects.get(session=session)
    assert (line.person_id, line.amount, line.rate_source) == (shop.artist.pk, Decimal(amount), source)
    # D27: never reckoned again when rates change later.
    shop.artist.commission_rate = Decimal("0.9")
    shop.artist.save()
    assert CommissionLine.objects.get(session=session).amount == Decimal(amount)


# -- cancel_session ------------------------------------------------------------------------------------------------


def test_cancel_returns_nothing_and_keeps_the_notes(shop: Shop):
    session = made(shop)
    assert cancel_session(session_id=session.pk) is None
    assert (only(session.pk)["status"], only(session.pk)["notes"]) == ("Cancelada", "Continuation of the sleeve")
    assert cancel_session(session.pk) is None
    assert [new for _old, new, _by in history(session)] == ["Active", "Canceled"]


def test_no_show_stands_in_front_of_the_notes_once(shop: Shop):
    """cancel_session: as_no_show; D29: once, and it counts in the client's history."""
    session, bare, marked = made(shop), made(shop, "14:00", "15:00", notes=""), made(shop, "16:00", "17:00")
    update_session(marked.pk, {"notes": "[No-show] last time, too"})
    for each in (session, bare, marked):
        cancel_session(each.pk, as_no_show=True)
    assert only(session.pk)["notes"] == "[No-show] Continuation of the sleeve"
    assert only(bare.pk)["notes"] == "[No-show]"
    assert only(marked.pk)["notes"] == "[No-show] last time, too"
    assert Session.objects.filter(client=shop.client, no_show=True).count() == 3


def test_advance_is_kept_after_a_no_show_and_owed_back_otherwise(shop: Shop):
    """D40: the defaults; a program gives no reason."""
    for as_no_show, kept, owed in ((True, "200.00", "0.00"), (False, "0.00", "200.00")):
        session = made(shop, "10:00", "11:00")
        advance = ledger.register_advance(
            session,
            amount=Decimal("200.00"),
            method="Cash",
            document_number=f"D{as_no_show}",
            payment_date=shop.today,
            by=shop.coordinator,
            now=shop.now,
        )
        pay.verify(advance, by=shop.coordinator, now=shop.now)
        cancel_session(session.pk, as_no_show=as_no_show)
        session.refresh_from_db()
        assert session.kept_amount == Decimal(kept)
        assert ledger.account(session).refund_owed == Decimal(owed)


# -- list_sessions -------------------------------------------------------------------------------------------------


def test_list_is_by_start_and_filters_by_from_to_artist_and_status(shop: Shop):
    """list_sessions: every filter, a status or a list of them, ascending by start, the keys of each."""
    late = made(shop, "16:00", "17:00")
    early = made(shop, "08:00", "09:00")
    others = made(shop, "12:00", "13:00", artist_id=shop.other.pk)
    tomorrow = made(shop, start=at("2027-03-09", "10:00"), end=at("2027-03-09", "11:00"))
    cancel_session(late.pk)
    update_session(early.pk, {"status": "En espera"})

    def ids(**filters: object) -> list[int]:
        return [each["id"] for each in list_sessions({key.rstrip("_"): value for key, value in filters.items()})]

    assert ids() == [early.pk, others.pk, late.pk, tomorrow.pk]
    assert ids(artist_id=shop.other.pk) == [others.pk]
    assert ids(status="Cancelada") == [late.pk]
    assert ids(status=["Activa", "En espera"]) == [early.pk, others.pk, tomorrow.pk]
    assert ids(status=[]) == []
    assert ids(from_=at(MONDAY, "12:00")) == [others.pk, late.pk, tomorrow.pk]
    assert ids(to=at(MONDAY, "12:00")) == [early.pk, others.pk]
    assert ids(from_=at(MONDAY), to=at(MONDAY, "23:59"), artist_id=shop.artist.pk, status=["Activa"]) == []
    assert set(list_sessions({})[0]) == {"id", "client_id", "artist_id", "start", "end", "status", "price", "notes"}
    for wrong in ({"status": "Lista"}, {"status": 3}, {"from": "yesterday"}, {"artist_id": "x"}, {"color": "red"}):
        with pytest.raises(ValueError):
            list_sessions(wrong)


def test_list_asks_twice_however_many_there_are(shop: Shop):
    for hour in range(8, 18):
        made(shop, f"{hour:02}:00", f"{hour:02}:30")
    with CaptureQueriesContext(connection) as queries:
        assert len(list_sessions({"artist_id": shop.artist.pk})) == 10
    assert len(queries) == 2


def test_with_a_person_it_asks_for_permission(shop: Shop):
    """permissions: artists manage their own only; nobody learns of what they may not see."""
    mine = made(shop)
    theirs = made(shop, "14:00", "15:00", artist_id=shop.other.pk)
    assert [each["id"] for each in list_sessions({}, by=shop.artist)] == [mine.pk]
    update_session(mine.pk, {"notes": "mine"}, by=shop.artist)
    with pytest.raises(SessionNotFound):
        update_session(theirs.pk, {"notes": "x"}, by=shop.artist)
    with pytest.raises(AccessDenied):
        update_session(mine.pk, {"artist_id": shop.other.pk}, by=shop.artist)
    with pytest.raises(AccessDenied):
        update_session(mine.pk, {"commission_override": 1}, by=shop.artist)
    with pytest.raises(AccessDenied):
        create_session(payload(shop, "16:00", "17:00", artist_id=shop.other.pk), by=shop.artist)
    for stranger in (person(), person(Role.PHOTOGRAPHER), person(Role.EDITOR)):
        with pytest.raises(StudioError):
            create_session(payload(shop, "16:00", "17:00"), by=stranger)
        with pytest.raises(SessionNotFound):
            cancel_session(mine.pk, by=stranger)


# -- the model -----------------------------------------------------------------------------------------------------


def test_deleting_a_client_takes_sessions_and_payments_along(shop: Shop):
    """Relationships: the client's deletion cascades, through transactions as well (D30)."""
    session = made(shop)
    complete_session(session.pk, {"method": "Efectivo"})
    shop.client.delete()
    assert not Session.objects.exists()
    assert not Payment.objects.exists()


def test_artist_with_sessions_cannot_be_deleted(shop: Shop):
    """Relationships: restricted, also when all of them are canceled."""
    cancel_session(made(shop).pk)
    with pytest.raises(ProtectedError):
        shop.artist.delete()
    shop.other.delete()


def test_computed_properties(shop: Shop):
    """Computed properties: transactions by date, the latest, the sum without voided ones, no balance below zero."""
    session = made(shop, price=500)
    rows = []
    for number, (amount, day) in enumerate([("100.00", 3), ("50.00", 1), ("25.00", 2)]):
        register = ledger.register_advance if number == 0 else ledger.register_balance
        row = register(
            session,
            amount=Decimal(amount),
            method="Cash",
            document_number=f"D-{number}",
            payment_date=at(f"2027-02-0{day}").date(),
            by=shop.coordinator,
            now=shop.now,
        )
        rows.append(pay.verify(row, by=shop.coordinator, now=shop.now))
    assert [row.pk for row in session.transactions] == [rows[1].pk, rows[2].pk, rows[0].pk]
    assert session.transaction == rows[0]
    assert (session.total_paid, session.balance) == (Decimal("175.00"), Decimal("325.00"))
    pay.void(rows[0], reason="typed twice", by=shop.coordinator, now=shop.now)
    assert (session.total_paid, session.balance) == (Decimal("75.00"), Decimal("425.00"))
    assert session.transaction == rows[2]
    update_session(session.pk, {"price": 60})
    session.refresh_from_db()
    assert session.balance == 0


def test_artists_schedule_is_answered_by_an_index(shop: Shop):
    """Database schema, composite index: an artist's day, canceled ones included, without reading the table."""
    made(shop)
    day = (at(MONDAY), at("2027-03-09"))
    rows = StaffReservation.objects.filter(staff=shop.artist).extra(
        where=["lower(during) >= %s AND lower(during) < %s"], params=day
    )
    with connection.cursor() as cursor:
        # Three rows are cheaper to read than any index.
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = rows.explain()
    assert "reservation_of_staff" in plan
    assert rows.count() == 1


# -- what a second look found ------------------------------------------------------------------------------------------


def test_nobody_learns_by_an_empty_change_that_it_is_there(shop: Shop):
    theirs = made(shop, artist_id=shop.other.pk)
    cancel_session(theirs.pk)
    for call in (
        lambda: update_session(theirs.pk, {}, by=shop.artist),
        lambda: update_session(theirs.pk, {"status": "Cancelada"}, by=shop.artist),
        lambda: cancel_session(theirs.pk, by=shop.artist),
        lambda: complete_session(theirs.pk, {"method": "Efectivo"}, by=shop.artist),
    ):
        with pytest.raises(SessionNotFound):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda pk: update_session(pk, {"price": 1e30}),
        lambda pk: update_session(pk, {"notes": 5}),
        lambda pk: update_session(pk, {"status": [["Activa"]]}),
        lambda pk: complete_session(pk, {"method": ["Efectivo"]}),
    ],
)
def test_what_cannot_be_meant_is_a_value_error(call: Callable[[int], object], shop: Shop):
    session = made(shop)
    before = only(session.pk)
    with pytest.raises(StudioError):
        call(session.pk)
    assert only(session.pk) == before


def test_artist_who_left_is_no_conflict(shop: Shop):
    """D31: nothing is in the way."""
    session = made(shop)
    shop.artist.is_active = False
    shop.artist.save()
    with pytest.raises(ValueError) as refused:
        update_session(session.pk, {"start": at(MONDAY, "15:00"), "end": at(MONDAY, "16:00")})
    assert not str(refused.value).startswith("Choque de horario")


def test_half_an_hour_of_the_hour_that_comes_twice(shop: Shop):
    """By the clock it ends before it begins: 01:45, and 01:15 an hour later."""
    with STUDIO.overridden(time_zone="America/New_York"):
        start = at("2027-11-07", "01:45")
        told = payload(shop, start=start, end=(start.astimezone(UTC) + timedelta(minutes=30)))
        assert only(create_session(told))["end"].hour == 1
        with pytest.raises(ValueError):
            create_session(payload(shop, start=datetime(2027, 3, 14, 2, 30), end=datetime(2027, 3, 14, 4)))  # noqa: DTZ001


def test_pending_advance_goes_the_way_that_was_chosen(shop: Shop):
    """D40: an artist cannot verify, so a transfer is often seen to arrive after the no-show."""
    for number, (no_show, kept, owed) in enumerate(((True, "300.00", "0.00"), (False, "0.00", "300.00"))):
        session = made(shop)
        advance = pay.register_advance(
            session,
            amount=Decimal("300.00"),
            method="Transfer",
            document_number=f"T-{number}",
            payment_date=shop.today,
            by=shop.coordinator,
            now=shop.now,
        )
        cancel_session(session.pk, as_no_show=no_show)
        pay.verify(advance, by=shop.coordinator, now=shop.now)
        session.refresh_from_db()
        assert session.kept_amount == Decimal(kept)
        assert ledger.account(session).refund_owed == Decimal(owed)


def test_entered_price_outlives_the_page_of_lines(shop: Shop):
    """D39: one figure until the first line is sold, and open again when the last one goes."""
    session = made(shop, price=1000)
    price.set_price(session, by=shop.coordinator, now=shop.now)
    with pytest.raises(InvalidInput):
        price.set_price(session, by=shop.coordinator, now=shop.now, discount=Decimal("10.00"), discount_reason="Friend")
    session.refresh_from_db()
    assert session.price == 1000
    line = price.add_item(session, item=ItemFactory(), quantity=2, by=shop.coordinator, now=shop.now)
    session.refresh_from_db()
    assert session.price == Decimal("90.00")
    price.remove_line(session, line_id=line.pk, by=shop.coordinator, now=shop.now)
    session.refresh_from_db()
    assert (session.price, session.total) == (None, 0)


def test_artist_who_types_an_e_mail_of_the_book_books_that_client(shop: Shop):
    """ADR 13: nothing is doubled, and the log keeps it."""
    typed = Client(full_name="Somebody", email=shop.client.email.upper(), primary_phone="1")
    session = appoint.book_for_new_client(typed, artist_id=shop.artist.pk, span=span(), by=shop.artist, now=shop.now)
    assert session.client == shop.client
    assert AuditEvent.objects.filter(event="client_found_by_email", actor_id=shop.artist.pk).count() == 1
    shop.client.active = False
    shop.client.save()
    again = Client(full_name="Somebody", email=shop.client.email, primary_phone="1")
    with pytest.raises(InvalidInput):
        appoint.book_for_new_client(
            again, artist_id=shop.artist.pk, span=span("15:00", "16:00"), by=shop.artist, now=shop.now
        )
