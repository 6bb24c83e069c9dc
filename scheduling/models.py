"""Rooms, and who and what is taken when. The exclusion constraints here are what makes a double booking impossible."""

from datetime import date, datetime, time
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateTimeRangeField, RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import DateTimeField, F, Func, Q, QuerySet, Value
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from scheduling.slots import Span
from studio.conf import STUDIO


class RoomStatus(models.TextChoices):
    ACTIVE = "Active", pgettext_lazy("room", "Active")
    INACTIVE = "Inactive", pgettext_lazy("room", "Inactive")
    MAINTENANCE = "Maintenance", pgettext_lazy("room", "Maintenance")


class Weekday(models.IntegerChoices):
    """As ``date.weekday()`` counts."""

    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class Room(models.Model):
    code = models.CharField(_("code"), max_length=20)
    name = models.CharField(_("name"), max_length=100)
    description = models.TextField(_("description"), blank=True)
    capacity = models.PositiveIntegerField(_("capacity"), null=True, blank=True, validators=[MinValueValidator(1)])
    status = models.CharField(_("status"), max_length=12, choices=RoomStatus, default=RoomStatus.ACTIVE)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        default_permissions = ()
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                Upper("code"), name="room_code_unique", violation_error_message=_("Another room has this code.")
            ),
            models.CheckConstraint(
                condition=Q(capacity__isnull=True) | Q(capacity__gt=0), name="room_capacity_positive"
            ),
            models.CheckConstraint(condition=Q(status__in=RoomStatus.values), name="room_status_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.code = self.code.strip().upper()
        self.name = self.name.strip()

    def get_absolute_url(self) -> str:
        return reverse("room-edit", args=[self.pk])


class ReservationQuerySet(QuerySet["Reservation"]):
    def holding(self) -> "ReservationQuerySet":
        """Those that block their time."""
        return self.filter(released_at__isnull=True)

    def overlapping(self, span: Span) -> "ReservationQuerySet":
        return self.filter(during__overlap=(span.start, span.end))


class Begins(Func):
    """When a range begins."""

    function = "lower"
    output_field = DateTimeField()


class Ends(Func):
    """When a range ends."""

    function = "upper"
    output_field = DateTimeField()


def _same(resource: str) -> Func:
    """Equality of a foreign key as a range, so that a GiST index can hold it without the btree_gist extension."""
    return Func(F(resource), F(resource), Value("[]"), function="int8range", output_field=BigIntegerRangeField())


def never_twice(resource: str, name: str) -> ExclusionConstraint:
    """No two live reservations of one resource overlap (business rules 3.1, 3.2)."""
    return ExclusionConstraint(
        name=name,
        expressions=[(_same(resource), RangeOperators.OVERLAPS), ("during", RangeOperators.OVERLAPS)],
        condition=Q(released_at__isnull=True),
    )


def proper_span(name: str) -> models.CheckConstraint:
    """Half open, bounded, not empty: an empty range would never conflict with anything."""
    return models.CheckConstraint(
        condition=Q(
            during__isempty=False,
            during__lower_inc=True,
            during__upper_inc=False,
            during__lower_inf=False,
            during__upper_inf=False,
        ),
        name=name,
    )


class Reservation(models.Model):
    """A resource is taken ``during`` a span until ``released_at`` says that the time is free again (D34)."""

    resource_field: ClassVar[str]

    during = DateTimeRangeField(_("during"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    notes = models.TextField(_("notes"), blank=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        abstract = True
        default_permissions = ()
        ordering = ["during", "id"]

    @property
    def span(self) -> Span:
        return Span(self.during.lower, self.during.upper)

    @property
    def starts_at(self) -> datetime:
        return self.during.lower.astimezone(STUDIO.zone)

    @property
    def ends_at(self) -> datetime:
        return self.during.upper.astimezone(STUDIO.zone)


class RoomReservation(Reservation):
    resource_field = "room"

    room = models.ForeignKey(Room, on_delete=models.PROTECT, related_name="reservations", verbose_name=_("room"))
    session = models.ForeignKey(
        "sessions_app.Session",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="room_reservations",
        verbose_name=_("session"),
    )

    class Meta(Reservation.Meta):
        verbose_name = _("room reservation")
        verbose_name_plural = _("room reservations")
        constraints = [
            never_twice("room", "room_never_twice"),
            proper_span("room_reservation_span"),
            models.UniqueConstraint(
                fields=["session"], condition=Q(released_at__isnull=True), name="room_reservation_one_per_session"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.room} {self.starts_at:%Y-%m-%d %H:%M}"


class AssignmentStatus(models.TextChoices):
    ASSIGNED = "Assigned", _("Assigned")
    CONFIRMED = "Confirmed", _("Confirmed")
    REASSIGNED = "Reassigned", _("Reassigned")


class StaffReservation(Reservation):
    """Somebody on a session ("session photographer" of the records), or their time off when ``session`` is empty."""

    resource_field = "staff"

    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reservations", verbose_name=_("person")
    )
    session = models.ForeignKey(
        "sessions_app.Session",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="assignments",
        verbose_name=_("session"),
    )
    is_lead_photographer = models.BooleanField(_("lead photographer"), default=False)
    assignment_status = models.CharField(
        _("assignment"), max_length=12, choices=AssignmentStatus, default=AssignmentStatus.ASSIGNED
    )
    attended_at = models.DateTimeField(_("attended"), null=True, blank=True)

    class Meta(Reservation.Meta):
        verbose_name = _("staff reservation")
        verbose_name_plural = _("staff reservations")
        constraints = [
            never_twice("staff", "staff_never_twice"),
            proper_span("staff_reservation_span"),
            models.CheckConstraint(
                condition=Q(assignment_status__in=AssignmentStatus.values), name="assignment_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(assignment_status=AssignmentStatus.REASSIGNED) | Q(released_at__isnull=False),
                name="assignment_reassigned_is_released",
            ),
            models.CheckConstraint(
                condition=Q(session__isnull=False) | Q(is_lead_photographer=False, attended_at__isnull=True),
                name="time_off_leads_nothing",
            ),
            models.UniqueConstraint(
                fields=["session", "staff"],
                condition=~Q(assignment_status=AssignmentStatus.REASSIGNED),
                name="assignment_once_per_session",
            ),
            models.UniqueConstraint(
                fields=["session"],
                condition=Q(is_lead_photographer=True) & ~Q(assignment_status=AssignmentStatus.REASSIGNED),
                name="assignment_one_lead",
            ),
        ]
        indexes = [
            # An artist's schedule, canceled appointments included (tattoo session model, composite index).
            models.Index("staff", Begins("during"), name="reservation_of_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.staff} {self.starts_at:%Y-%m-%d %H:%M}"

    @property
    def is_current(self) -> bool:
        """The person is on the session, whether or not the time is still held (D34)."""
        return self.session_id is not None and self.assignment_status != AssignmentStatus.REASSIGNED

    @property
    def assignment_date(self) -> date:
        return self.starts_at.date()

    @property
    def coverage_start_time(self) -> time:
        return self.starts_at.time()

    @property
    def coverage_end_time(self) -> time:
        return self.ends_at.time()


class OpeningHours(models.Model):
    """When the studio is open in every week. A weekday may have several rows, and none: then it is closed.

    Without any row at all nobody has said when it is open, and nothing lies outside (``scheduling.opening``).
    """

    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    opens = models.TimeField(_("opens"))
    # Midnight is the end of the day.
    closes = models.TimeField(_("closes"))

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        default_permissions = ()
        ordering = ["weekday", "opens"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__in=Weekday.values), name="opening_weekday_known"),
            models.CheckConstraint(
                condition=Q(closes__gt=F("opens")) | Q(closes=time(0)), name="opening_closes_after_it_opens"
            ),
            models.UniqueConstraint(fields=["weekday", "opens"], name="opening_once_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}-{self.closes:%H:%M}"


class OpeningException(models.Model):
    """A day with other hours than its weekday's; without times the studio is closed on it, as on a holiday."""

    day = models.DateField(_("day"))
    opens = models.TimeField(_("opens"), null=True, blank=True)
    closes = models.TimeField(_("closes"), null=True, blank=True)
    note = models.CharField(_("why"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("day with other hours")
        verbose_name_plural = _("days with other hours")
        default_permissions = ()
        ordering = ["day", "opens"]
        constraints = [
            models.CheckConstraint(
                condition=Q(opens__isnull=True, closes__isnull=True)
                | Q(opens__isnull=False, closes__isnull=False) & (Q(closes__gt=F("opens")) | Q(closes=time(0))),
                name="opening_exception_closes_after_it_opens",
            ),
            # One row that says "closed", or rows of hours that begin at different times.
            models.UniqueConstraint(
                fields=["day", "opens"], nulls_distinct=False, name="opening_exception_once_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.note}".strip()
