"""The examples of the tattoo service as its page gives them, with the imports adapted: client 15, artist 3, session 42.

They print; what they print is what is asserted here, beside what they leave behind.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Model

from payments.models import CommissionLine, Payment
from sessions_app.actions import appoint
from sessions_app.models import Client, Session
from studio.models import User
from studio.roles import Role
from tests.factories.domain import ClientFactory, person
from tests.factories.shop import Shop, span

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    for model in (Client, User, Session):
        _leave_the_first_numbers_to_us(model)
    ClientFactory(pk=15)
    person(Role.ARTIST, pk=3)
    return Shop(artist=User.objects.get(pk=3), client=Client.objects.get(pk=15))


def _leave_the_first_numbers_to_us(model: type[Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [model._meta.db_table])
        [sequence] = cursor.fetchone()
        cursor.execute("SELECT setval(%s, nextval(%s) + 100)", [sequence, sequence])


@pytest.fixture
def session_42(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Session]:
    """An appointment under the number that the examples use."""
    monkeypatch.setattr(Session, "open", _open_as(42))
    session = appoint.book(
        client=shop.client, artist_id=3, span=span(), price=None, notes="First", by=shop.coordinator, now=shop.now
    )
    monkeypatch.undo()
    assert session.pk == 42
    return lambda: Session.objects.get(pk=42)


def _open_as(pk: int) -> classmethod:
    opened = Session.open.__func__
    return classmethod(lambda cls, **values: opened(cls, pk=pk, **values))


def test_create_session_example(shop: Shop, capsys: pytest.CaptureFixture[str]):
    def example() -> None:
        from sessions_app.appointments import create_session

        # Schedule a new tattoo session
        now = datetime.now()  # noqa: DTZ005 - as the page has it
        session_data = {
            "client_id": 15,
            "artist_id": 3,
            "start": now.replace(hour=14, minute=0),
            "end": now.replace(hour=17, minute=0),
            "price": 5000.0,
            "notes": "Continuation of sleeve tattoo",
        }

        try:
            session_id = create_session(session_data)
            print(f"Session created with ID: {session_id}")
        except ValueError as e:
            print(f"Cannot create session: {e}")

    example()
    session = Session.objects.get()
    assert capsys.readouterr().out == f"Session created with ID: {session.pk}\n"
    assert (session.local_start.hour, session.local_end.hour, session.status) == (14, 17, "Active")
    example()
    assert capsys.readouterr().out.startswith("Cannot create session: Choque de horario")
    assert Session.objects.count() == 1


def test_update_session_example(session_42: Callable[[], Session], capsys: pytest.CaptureFixture[str]):
    from sessions_app.appointments import update_session

    # Update session time and price
    update_session(
        session_id=42,
        payload={
            "start": datetime(2026, 3, 10, 11, 0),  # noqa: DTZ001
            "end": datetime(2026, 3, 10, 14, 0),  # noqa: DTZ001
            "price": 4000.0,
            "notes": "Client requested earlier time",
        },
    )
    print("Session updated successfully")
    assert capsys.readouterr().out == "Session updated successfully\n"
    session = session_42()
    assert f"{session.local_start:%Y-%m-%d %H:%M} {session.local_end:%H:%M}" == "2026-03-10 11:00 14:00"
    assert (session.price, session.special_notes) == (4000, "Client requested earlier time")


def test_complete_session_example(session_42: Callable[[], Session], capsys: pytest.CaptureFixture[str]):
    def example() -> None:
        from sessions_app.appointments import complete_session

        # Complete session with cash payment
        try:
            transaction_id = complete_session(session_id=42, payment={"method": "Efectivo"})
            print(f"Session completed. Transaction ID: {transaction_id}")
        except ValueError as e:
            print(f"Cannot complete session: {e}")

    example()
    payment = Payment.objects.get()
    assert capsys.readouterr().out == f"Session completed. Transaction ID: {payment.pk}\n"
    assert (session_42().status, payment.payment_method, payment.amount) == ("Completed", "Cash", 0)
    assert CommissionLine.objects.get().person_id == 3
    example()
    assert capsys.readouterr().out.startswith("Cannot complete session: ")
    assert Payment.objects.count() == 1


def test_cancel_session_example(session_42: Callable[[], Session], capsys: pytest.CaptureFixture[str]):
    from sessions_app.appointments import cancel_session

    # Cancel a session
    try:
        cancel_session(session_id=42)
        print("Session cancelled")
    except ValueError as e:
        print(f"Cannot cancel: {e}")
    assert capsys.readouterr().out == "Session cancelled\n"
    assert session_42().status == "Canceled"


def test_list_sessions_example(shop: Shop, capsys: pytest.CaptureFixture[str]):
    from sessions_app.appointments import create_session, list_sessions

    soon = datetime.now() + timedelta(days=2)  # noqa: DTZ005
    hours = {"start": soon, "end": soon + timedelta(hours=1)}
    session_id = create_session({"client_id": 15, "artist_id": 3, "price": 1.0, **hours})

    # Get all sessions for next week
    today = datetime.now()  # noqa: DTZ005
    next_week = today + timedelta(days=7)

    sessions = list_sessions({"from": today, "to": next_week})

    for session in sessions:
        print(f"Session {session['id']}: {session['start']} - {session['status']}")
    [only] = sessions
    assert capsys.readouterr().out == f"Session {session_id}: {only['start']} - Activa\n"
