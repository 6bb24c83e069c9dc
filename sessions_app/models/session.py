"""The session, and the one writer of its status."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from guardian.models import UserObjectPermissionBase

from payments import ledger
from scheduling.models import AssignmentStatus
from scheduling.slots import Span
from sessions_app import effects, sentences, workflow
from sessions_app.facts import load_facts
from sessions_app.models.history import StatusHistory
from sessions_app.queries import SessionQuerySet
from sessions_app.states import SessionType, Status
from studio import audit, errors
from studio.access import allows
from studio.conf import STUDIO
from studio.roles import Role, is_admin, roles_of

if TYPE_CHECKING:
    from payments.models import Payment
    from payments.money import Account
    from studio.models import User

LastLook = Callable[["Session", "Account"], None]

ZERO = Decimal("0.00")
LONGEST = timedelta(hours=24)


class Session(models.Model):
    """A photography session from request to delivery, or an artist's appointment (D25).

    ``status`` is written by ``move`` alone.
    """

    code = models.CharField(_("code"), max_length=20, unique=True, editable=False)
    client = models.ForeignKey(
        "sessions_app.Client", on_delete=models.CASCADE, related_name="sessions", verbose_name=_("client")
    )
    session_type = models.CharField(_("type"), max_length=12, choices=SessionType)
    status = models.CharField(_("state"), max_length=20, choices=Status, default=Status.REQUEST, editable=False)
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    location = models.CharField(_("place"), max_length=250, blank=True)
    room = models.ForeignKey(
        "scheduling.Room",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="sessions",
        verbose_name=_("room"),
    )
    event_description = models.CharField(_("what it is"), max_length=250, blank=True)
    special_notes = models.TextField(_("what the client wants"), blank=True)
    assigned_editor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="edited_sessions",
        verbose_name=_("editor"),
    )

    subtotal = models.DecimalField(_("subtotal"), max_digits=12, decimal_places=2, default=ZERO)
    transportation_cost = models.DecimalField(_("transportation"), max_digits=12, decimal_places=2, default=ZERO)
    discount = models.DecimalField(_("discount"), max_digits=12, decimal_places=2, default=ZERO)
    discount_reason = models.CharField(_("reason of the discount"), max_length=250, blank=True)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2, default=ZERO)
    # An appointment whose price nobody knows yet: until then its total says nothing (D39).
    price_is_open = models.BooleanField(_("price not agreed yet"), default=False, editable=False)
    deposit_percentage = models.PositiveSmallIntegerField(
        _("deposit percentage"), default=50, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    deposit_note = models.CharField(_("note on the deposit"), max_length=250, blank=True)
    deposit_amount = models.DecimalField(_("deposit"), max_digits=12, decimal_places=2, null=True, blank=True)

    # The refund percentages that were in force when it was confirmed: what the client agreed to (business rules 4, 7).
    refund_terms = models.JSONField(_("refund terms"), null=True, blank=True, editable=False)
    commission_override = models.DecimalField(
        _("commission agreed for this session"),
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )

    estimated_editing_days = models.PositiveSmallIntegerField(
        _("editing days"), default=5, validators=[MinValueValidator(1)]
    )
    estimated_delivery_date = models.DateField(_("delivery"), null=True, blank=True)
    payment_deadline = models.DateTimeField(_("payment deadline"), null=True, blank=True)
    changes_deadline = models.DateTimeField(_("changes deadline"), null=True, blank=True)
    # Until when a request or a negotiation keeps its room and people for the client, and why for longer than usual.
    held_until = models.DateTimeField(_("held until"), null=True, blank=True, editable=False)
    hold_reason = models.CharField(_("held longer because"), max_length=250, blank=True, editable=False)
    # The deadline that a Confirmed session had when it was reopened: its refund still goes by it (D14).
    kept_changes_deadline = models.DateTimeField(_("kept changes deadline"), null=True, blank=True, editable=False)

    reported_incidents = models.TextField(_("incidents"), blank=True)
    photographer_observations = models.TextField(_("photographer's observations"), blank=True)
    editor_observations = models.TextField(_("editor's observations"), blank=True)

    canceled_at = models.DateTimeField(_("canceled"), null=True, blank=True)
    cancellation_reason = models.TextField(_("reason for canceling"), blank=True)
    canceled_by_initiator = models.CharField(_("who canceled"), max_length=15, blank=True, editable=False)
    no_show = models.BooleanField(_("the client did not come"), default=False, editable=False)
    refund_reason = models.CharField(_("reason of the refund"), max_length=100, blank=True, editable=False)
    # What the refund rules left the studio: what arrives above it is owed back (D18, D19).
    kept_amount = models.DecimalField(
        _("kept when canceled"), max_digits=12, decimal_places=2, null=True, blank=True, editable=False
    )

    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    updated_at = models.DateTimeField(_("changed"))
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("changed by"),
    )
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        default_permissions = ()
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=workflow.ALL_STATES), name="session_status_known"),
            models.CheckConstraint(
                condition=Q(session_type=workflow.APPOINTMENT, status__in=workflow.APPOINTMENT_STATES)
                | ~Q(session_type=workflow.APPOINTMENT) & Q(status__in=workflow.STATES),
                name="session_status_of_its_machine",
            ),
            models.CheckConstraint(
                condition=Q(price_is_open=False)
                | Q(session_type=workflow.APPOINTMENT, total=0) & ~Q(status=workflow.COMPLETED),
                name="session_open_price_is_an_appointments",
            ),
            models.CheckConstraint(
                condition=Q(no_show=False)
                | Q(session_type=workflow.APPOINTMENT, status=workflow.CANCELED, canceled_by_initiator="client"),
                name="session_no_show_is_a_cancellation",
            ),
            models.CheckConstraint(condition=Q(session_type__in=SessionType.values), name="session_type_known"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="session_ends_after_it_starts",
                violation_error_message=_("A session ends after it starts."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at__lte=F("starts_at") + LONGEST),
                name="session_lasts_a_day_at_most",
                violation_error_message=_("A session lasts 24 hours at most."),
            ),
            models.CheckConstraint(
                condition=Q(subtotal__gte=0, transportation_cost__gte=0, discount__gte=0, total__gte=0)
                & (Q(kept_amount__isnull=True) | Q(kept_amount__gte=0)),
                name="session_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(total=F("subtotal") + F("transportation_cost") - F("discount")),
                name="session_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(session_type=workflow.EXTERNAL_SESSION) | Q(transportation_cost=0),
                name="session_transport_is_external",
            ),
            models.CheckConstraint(
                condition=~Q(session_type=workflow.EXTERNAL_SESSION) | ~Q(location=""),
                name="session_external_has_a_place",
                violation_error_message=_("An external session needs a place."),
            ),
            models.CheckConstraint(
                condition=~Q(session_type=workflow.STUDIO_SESSION, status__in=workflow.FROM_ASSIGNED_ON)
                | Q(room__isnull=False),
                name="session_studio_has_a_room_from_assigned_on",
            ),
            models.CheckConstraint(
                condition=Q(session_type=workflow.STUDIO_SESSION) | Q(room__isnull=True),
                name="session_room_is_for_studio",
            ),
            models.CheckConstraint(
                condition=Q(deposit_percentage__gte=0, deposit_percentage__lte=100), name="session_deposit_percentage"
            ),
            models.CheckConstraint(
                condition=Q(deposit_amount__isnull=True) | Q(deposit_amount__gte=0), name="session_deposit_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(status=workflow.PRE_SCHEDULED, payment_deadline__isnull=False, deposit_amount__isnull=False)
                | ~Q(status=workflow.PRE_SCHEDULED) & Q(payment_deadline__isnull=True),
                name="session_payment_deadline_when_pre_scheduled",
            ),
            models.CheckConstraint(
                condition=Q(held_until__isnull=False, status__in=[workflow.REQUEST, workflow.NEGOTIATION])
                | Q(held_until__isnull=True, hold_reason=""),
                name="session_time_is_held_in_negotiation",
            ),
            models.CheckConstraint(
                condition=Q(
                    # Sorted: a set has no order to migrate.
                    status__in=[workflow.CONFIRMED, *sorted(workflow.FROM_ASSIGNED_ON)],
                    changes_deadline__isnull=False,
                    deposit_amount__isnull=False,
                )
                | Q(
                    status__in=[workflow.REQUEST, workflow.NEGOTIATION, workflow.PRE_SCHEDULED],
                    changes_deadline__isnull=True,
                )
                | Q(status=workflow.CANCELED)
                | Q(session_type=workflow.APPOINTMENT, changes_deadline__isnull=True),
                name="session_changes_deadline_from_confirmed_on",
            ),
            models.CheckConstraint(
                condition=Q(status__in=workflow.WITH_EDITOR, assigned_editor__isnull=False)
                | ~Q(status__in=workflow.WITH_EDITOR) & (Q(assigned_editor__isnull=True) | Q(status=workflow.CANCELED))
                | Q(session_type=workflow.APPOINTMENT, assigned_editor__isnull=True),
                name="session_editor_from_editing_on",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=workflow.FROM_ASSIGNED_ON)
                | Q(estimated_delivery_date__isnull=False)
                | Q(session_type=workflow.APPOINTMENT),
                name="session_delivery_date_from_assigned_on",
            ),
            models.CheckConstraint(
                condition=Q(commission_override__isnull=True)
                | Q(commission_override__gte=0, commission_override__lte=1),
                name="session_commission_is_a_share",
            ),
            models.CheckConstraint(condition=Q(estimated_editing_days__gt=0), name="session_editing_days_positive"),
            models.CheckConstraint(
                condition=(
                    Q(status=workflow.CANCELED, canceled_at__isnull=False, kept_amount__isnull=False)
                    & ~Q(cancellation_reason="")
                    & Q(canceled_by_initiator__in=["client", "company", "force_majeure", "system"])
                )
                | ~Q(status=workflow.CANCELED)
                & Q(
                    canceled_at__isnull=True, cancellation_reason="", canceled_by_initiator="", kept_amount__isnull=True
                ),
                name="session_canceled_with_when_and_why",
            ),
        ]
        indexes = [
            models.Index(fields=["starts_at", "id"], name="session_by_start"),
            models.Index(fields=["status", "starts_at", "id"], name="session_by_status"),
            models.Index(fields=["client", "-starts_at"], name="session_of_client"),
            models.Index(fields=["room", "starts_at"], name="session_of_room"),
            models.Index(
                fields=["assigned_editor", "estimated_delivery_date"],
                condition=Q(assigned_editor__isnull=False),
                name="session_of_editor",
            ),
            models.Index(
                fields=["payment_deadline"], condition=Q(status=workflow.PRE_SCHEDULED), name="session_to_be_paid"
            ),
            models.Index(
                fields=["changes_deadline"], condition=Q(status=workflow.CONFIRMED), name="session_to_be_assigned"
            ),
            models.Index(fields=["held_until"], condition=Q(held_until__isnull=False), name="session_to_be_let_go"),
            models.Index(
                fields=["estimated_delivery_date", "id"],
                condition=Q(status__in=[workflow.ATTENDED, workflow.IN_EDITING]),
                name="session_to_be_edited",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("session-page", args=[self.code])

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What people call it: what it is, or else whose it is."""
        return self.event_description or self.client.full_name

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)

    @property
    def local_start(self) -> datetime:
        return self.starts_at.astimezone(STUDIO.zone)

    @property
    def local_end(self) -> datetime:
        return self.ends_at.astimezone(STUDIO.zone)

    @property
    def session_date(self) -> date:
        """The local date on which it starts (D2)."""
        return self.local_start.date()

    @property
    def start_time(self) -> time:
        return self.local_start.time()

    @property
    def end_time(self) -> time:
        return self.local_end.time()

    @property
    def place(self) -> str:
        """Where: the address of an external session, the room of a studio session, or nothing yet."""
        if self.session_type == SessionType.EXTERNAL:
            return self.location
        return self.room.name if self.room_id else ""

    @property
    def is_external(self) -> bool:
        return self.session_type == SessionType.EXTERNAL

    @property
    def is_appointment(self) -> bool:
        return self.session_type == SessionType.APPOINTMENT

    @property
    def is_canceled(self) -> bool:
        return self.status == Status.CANCELED

    @property
    def is_final(self) -> bool:
        return self.status in workflow.FINAL

    # -- what an appointment is (tattoo session model; D25, D28, D39) -------------------------------------------------

    @property
    def artist(self) -> "User | None":
        """Who does it: the one live assignment of an appointment; None for a photography session."""
        if not self.is_appointment:
            return None
        current = self.assignments.exclude(assignment_status=AssignmentStatus.REASSIGNED).select_related("staff")
        row = current.order_by("id").first()
        return row.staff if row is not None else None

    @property
    def price(self) -> Decimal | None:
        """The session's total; None while nobody knows it (D39)."""
        return None if self.price_is_open else self.total

    @property
    def transactions(self) -> "QuerySet[Payment]":
        """The payments by date, the voided ones left out (D28)."""
        return self.payments.filter(deleted_flag=False).order_by("payment_date", "registered_at", "id")

    @property
    def transaction(self) -> "Payment | None":
        """The latest of them."""
        return self.transactions.last()

    @property
    def total_paid(self) -> Decimal:
        """What was verified to have come in; voided payments do not count."""
        return ledger.account(self).total_paid

    @property
    def balance(self) -> Decimal:
        """What is left to pay, never below zero: ``max(0, price - total_paid)``, less what was paid back."""
        return ledger.account(self).still_to_pay

    @property
    def balance_follows_deposit(self) -> bool:
        """The rule of the photography machine that a balance comes after a deposit; one of nothing is none (D28)."""
        return not self.is_appointment and self.deposit_amount != 0

    # -- the doors, one for each row of the table -------------------------------------------------------------------

    def negotiate(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("negotiate", by=by, now=now, **payload)

    def preschedule(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("preschedule", by=by, now=now, **payload)

    def confirm(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        """``deposit`` (an ``effects.Deposit``) may come with it: recorded and verified in the same act (D20)."""
        return self.move("confirm", by=by, now=now, **payload)

    def reopen(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("reopen", by=by, now=now, **payload)

    def assign(self, *, by: "User | None", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("assign", by=by, now=now, **payload)

    def attend(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("attend", by=by, now=now, **payload)

    def take(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        """An Admin may name the ``editor`` who gets it (D11)."""
        return self.move("take", by=by, now=now, **payload)

    def ready(self, *, by: "User", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("ready", by=by, now=now, **payload)

    def complete(self, *, by: "User | None", now: datetime | None = None, **payload: Any) -> "Session":
        """An appointment takes the ``method`` by which the rest is paid (D27)."""
        return self.move("complete", by=by, now=now, **payload)

    def cancel(self, *, by: "User | None", now: datetime | None = None, **payload: Any) -> "Session":
        """``reason`` in words and ``initiator`` (client, company, force_majeure; system for ``by=None``).

        An appointment also takes ``no_show``, and whether an advance goes back: ``refund``, ``refund_note`` (D29, D40).
        """
        return self.move("cancel", by=by, now=now, **payload)

    def activate(self, *, by: "User | None", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("activate", by=by, now=now, **payload)

    def hold(self, *, by: "User | None", now: datetime | None = None, **payload: Any) -> "Session":
        return self.move("hold", by=by, now=now, **payload)

    # -- the one writer ---------------------------------------------------------------------------------------------

    def move(
        self,
        name: str,
        *,
        by: "User | None",
        now: datetime | None = None,
        unless: "LastLook | None" = None,
        **payload: Any,
    ) -> "Session":
        """Carry out one transition of the table, whole or not at all (business rules 1).

        ``by=None`` is the system; ``now`` is aware. The row is locked, permission is asked before the table, the
        table before the guards. ``unless`` is a last look under the lock, at the session and its account: what it
        raises ends the act. Raises ``SessionNotFound`` for a session out of the person's reach, ``AccessDenied``,
        ``InvalidStateTransition``, and the codes of the guards; then nothing is written. This instance carries the
        new values afterwards.
        """
        now = now or timezone.now()
        if name not in workflow.NAMES:
            raise KeyError(name)
        with audit.act():
            session = lock_session(self.pk)
            transition = workflow.row_of(session.session_type, name)
            override = session._require_may_move(transition, by, payload=payload)
            sources = transition.system if by is None else transition.sources
            if session.status not in sources:
                raise sentences.wrong_state(session, transition, by)
            unknown = set(payload) - {*transition.needs, *transition.optional, "reason"}
            if unknown:
                raise TypeError(f"{name} takes no {', '.join(sorted(unknown))}")
            act = effects.Act(transition=transition, source=session.status, by=by, now=now, payload=payload)
            effects.run(transition.prepare, session, act)
            act.account = ledger.account(session)
            if unless is not None:
                unless(session, act.account)
            act.facts = load_facts(session, [transition], by=by, now=now, payload=payload, account=act.account)
            found = workflow.blockers(transition, act.facts)
            if found:
                raise sentences.refusal(session, transition, found, act.facts)
            session.status = transition.target
            effects.run(transition.effects, session, act)
            session.updated_at, session.updated_by = now, by
            session.save()
            session._write_history(act)
            if override:
                audit.record("admin_override", by=by, about=session, transition=name, source=act.source)
            effects.run(transition.tells, session, act)
        self._take_over(session)
        return self

    def may(self, name: str, by: "User | None", *, within_reach: bool = False) -> bool:
        """Whether this person may ever do it, whatever the state: what decides if a button is there at all.

        ``within_reach`` spares the question whether they see the session to a page that has found it among those.
        """
        try:
            self._require_may_move(workflow.row_of(self.session_type, name), by, within_reach=within_reach)
        except errors.StudioError:
            return False
        return True

    def require_may(self, name: str, by: "User | None") -> None:
        """Raise what ``move`` would raise for somebody who may never do it, for the page before the act."""
        self._require_may_move(workflow.row_of(self.session_type, name), by)

    def _require_may_move(
        self,
        transition: workflow.Transition,
        by: "User | None",
        *,
        within_reach: bool = False,
        payload: Mapping[str, Any] | None = None,
    ) -> bool:
        """Raise unless ``by`` may do this row; true when only an Admin's override lets them (D15)."""
        if by is None:
            if not transition.system:
                raise errors.AccessDenied(user=None, perm=transition.permission, obj=self)
            return False
        if is_admin(by):
            return Role.ADMIN not in transition.roles
        reach = Session.objects.known_to(by) if transition.from_queue else Session.objects.visible_to(by)
        if not within_reach and not reach.filter(pk=self.pk).exists():
            raise errors.SessionNotFound(user=by, perm=transition.permission, obj=self)
        presumed = [name for name in transition.for_admin if (payload or {}).get(name) not in (None, by)]
        # The role first: it is known, while a grant has to be asked for.
        permitted = not transition.roles.isdisjoint(roles_of(by)) and (
            transition.permission is None or allows(by, transition.permission, None if transition.from_queue else self)
        )
        if presumed or not permitted:
            raise errors.AccessDenied(user=by, perm=transition.permission, obj=self)
        return False

    def _write_history(self, act: "effects.Act | None", **first: Any) -> None:
        if act is None:
            StatusHistory.objects.create(session=self, previous_status=None, new_status=self.status, **first)
            return
        act.history = StatusHistory.objects.create(
            session=self,
            previous_status=act.source,
            new_status=self.status,
            reason=str(act.payload.get("reason") or "").strip(),
            changed_at=act.now,
            changed_by=act.by,
        )

    def _take_over(self, other: "Session") -> None:
        """Carry the values that were written, for whoever holds this instance."""
        for each in self._meta.concrete_fields:
            setattr(self, each.attname, getattr(other, each.attname))
        self._state.fields_cache.update(other._state.fields_cache)
        self._prefetched_objects_cache = {}

    @classmethod
    def known_by(cls, pk: int) -> "Session":
        """A session by its key alone, to be moved: ``move`` locks and reads the row, and fills this instance in."""
        return cls(pk=pk)

    @classmethod
    def open(cls, *, by: "User", now: datetime, **values: Any) -> "Session":
        """Write a new session with its first history row. The actions ask for permission and check.

        A request unless ``status`` says where an appointment begins (D26).
        """
        session = cls(code=next_code(now), created_at=now, created_by=by, updated_at=now, updated_by=by, **values)
        session.save(force_insert=True)
        session._write_history(None, changed_at=now, changed_by=by)
        return session


class SessionUserObjectPermission(UserObjectPermissionBase):
    """Who is on a session, as grants: what django-guardian asks, with a real foreign key."""

    content_object = models.ForeignKey(
        Session, on_delete=models.CASCADE, related_name="grants", verbose_name=_("session")
    )

    class Meta(UserObjectPermissionBase.Meta):
        abstract = False
        verbose_name = _("grant on a session")
        verbose_name_plural = _("grants on sessions")
        default_permissions = ()
        indexes = [
            models.Index(fields=["user", "permission", "content_object"], name="session_grants_of_user"),
        ]


def lock_session(pk: int) -> Session:
    """The session, locked until the end of the transaction: the first lock of every act.

    Raises ``SessionNotFound`` when there is no such session any more.
    """
    # Not the room: whoever waited here for somebody who changed it would get the new id joined to no room at all.
    rows = Session.objects.select_for_update(no_key=True, of=("self",)).present().select_related("client")
    session = rows.filter(pk=pk).first()
    if session is None:
        raise errors.SessionNotFound
    return session


def next_code(now: datetime) -> str:
    """``S-2026-0412``: the local year and a number that is never given twice (gaps are harmless)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('sessions_app_session_code')")
        number = cursor.fetchone()[0]
    return f"S-{now.astimezone(STUDIO.zone).year}-{number:04d}"
