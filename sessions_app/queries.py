"""Questions about clients and sessions that more than one place asks."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Count, Exists, F, Func, OuterRef, Q, QuerySet, Value

from scheduling.models import AssignmentStatus, StaffReservation
from sessions_app import workflow
from sessions_app.search import word_prefixes, word_vector
from studio.access import allows, permission_id
from studio.roles import Perm, Role, roles_of

if TYPE_CHECKING:
    from scheduling.slots import Span
    from studio.models import User

CLIENT_WORDS = ("full_name", "email", "primary_phone", "secondary_phone")


class ClientQuerySet(QuerySet):
    def present(self) -> "ClientQuerySet":
        return self.filter(deleted_at__isnull=True)

    def bookable(self) -> "ClientQuerySet":
        return self.present().filter(active=True)

    def search(self, text: str) -> "ClientQuerySet":
        """Clients by the beginnings of words of name, e-mail and phones; everybody for an empty text."""
        query = word_prefixes(text)
        if query is None:
            return self if not text.strip() else self.none()
        return self.annotate(words=word_vector(*CLIENT_WORDS)).filter(words=query)

    def with_record(self) -> "ClientQuerySet":
        """With ``sessions_count`` and ``own_cancellations``: the client's and the system's unpaid ones (D24, D35).

        Of them ``no_shows``, to which the client did not come (D29).
        """
        return self.annotate(
            no_shows=Count("sessions", filter=Q(sessions__deleted_at__isnull=True, sessions__no_show=True)),
            sessions_count=Count("sessions", filter=Q(sessions__deleted_at__isnull=True)),
            own_cancellations=Count(
                "sessions",
                filter=Q(
                    sessions__deleted_at__isnull=True,
                    sessions__status=workflow.CANCELED,
                    sessions__canceled_by_initiator__in=["client", "system"],
                ),
            ),
        )


class SessionQuerySet(QuerySet):
    def not_within(self, times: "Iterable[Span]") -> "SessionQuerySet":
        """Those of which some time lies outside all of these; spans that touch are one."""
        ranges = ",".join(f"[{each.start.isoformat()},{each.end.isoformat()})" for each in times)
        within = Func(
            Func(Value(f"{{{ranges}}}"), template="%(expressions)s::tstzmultirange"),
            Func(F("starts_at"), F("ends_at"), function="tstzrange"),
            template="%(expressions)s",
            arg_joiner=" @> ",
            output_field=models.BooleanField(),
        )
        return self.alias(is_within=within).filter(is_within=False)

    def present(self) -> "SessionQuerySet":
        return self.filter(deleted_at__isnull=True)

    def visible_to(self, user: "User | None") -> "SessionQuerySet":
        """The sessions that this person may know of (permissions, object level).

        Coordinators and Admins: all. Others: those that they are on, by their grants, and for editors the queue of
        attended sessions without an editor.
        """
        present = self.present()
        if allows(user, Perm.SESSION_VIEW_ALL):
            return present
        if not allows(user, Perm.SESSION_VIEW_OWN):
            return present.none()
        reach = Q(Exists(self._grants(user)))
        if Role.EDITOR in roles_of(user):
            reach |= Q(status=workflow.ATTENDED, assigned_editor__isnull=True)
        return present.filter(reach)

    def known_to(self, user: "User | None") -> "SessionQuerySet":
        """As ``visible_to``, and for editors every session that once was in their queue.

        Each editor was told of it, so "another editor has it" (D8) tells them nothing that they do not know.
        """
        if allows(user, Perm.SESSION_VIEW_ALL) or Role.EDITOR not in roles_of(user):
            return self.visible_to(user)
        # A completed appointment shares the state of a delivered shoot, and was never in the queue.
        queued = Q(session_type__in=workflow.SHOOTS, status__in=[workflow.ATTENDED, *workflow.WITH_EDITOR])
        return self.present().filter(Q(Exists(self._grants(user))) | queued)

    def _grants(self, user: "User") -> QuerySet:
        grant = self.model._meta.get_field("grants").related_model
        return grant.objects.filter(
            content_object=OuterRef("pk"), user_id=user.pk, permission_id=permission_id(Perm.SESSION_VIEW_OWN)
        )

    def active(self) -> "SessionQuerySet":
        return self.present().filter(status__in=workflow.UNDER_WAY)

    def starting_in(self, start: datetime, end: datetime) -> "SessionQuerySet":
        """Sessions that start in ``[start, end)``."""
        return self.filter(starts_at__gte=start, starts_at__lt=end)

    def for_board(self) -> "SessionQuerySet":
        """Client, room, editor, and the photographers who are on it, in three queries for any number of rows."""
        current = StaffReservation.objects.exclude(assignment_status=AssignmentStatus.REASSIGNED)
        return self.select_related("client", "room", "assigned_editor").prefetch_related(
            models.Prefetch(
                "assignments",
                queryset=current.select_related("staff").order_by("-is_lead_photographer", "during", "id"),
                to_attr="current_assignments",
            )
        )

    def search(self, text: str, *, whole_book: bool = True) -> "SessionQuerySet":
        """By code, by what it is, or by the client's name, e-mail and phone.

        Without ``whole_book`` only by what everybody on a session may see of its client: a hit on the second
        phone would tell it (permissions, object level).
        """
        text = text.strip()
        if not text:
            return self
        what = Q(code__iexact=text) | Q(code__iendswith="-" + text) | Q(event_description__icontains=text)
        if not whole_book:
            query = word_prefixes(text)
            shown = word_vector("client__full_name", "client__email", "client__primary_phone")
            return self.annotate(shown_words=shown).filter(what | Q(shown_words=query)) if query else self.filter(what)
        clients = self.model._meta.get_field("client").related_model.objects.search(text)
        return self.filter(what | Q(client__in=clients.values("pk")))

    def photographed_by(self, user: Any) -> "SessionQuerySet":
        mine = StaffReservation.objects.filter(session=OuterRef("pk"), staff=user)
        return self.filter(Exists(mine.exclude(assignment_status=AssignmentStatus.REASSIGNED)))
