"""The states of a session: their words, their order, and what each one means for time, people and edits."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from sessions_app import workflow


class Status(models.TextChoices):
    """The words of business rules 1.1; the labels are translated."""

    REQUEST = workflow.REQUEST, _("Request")
    NEGOTIATION = workflow.NEGOTIATION, _("Negotiation")
    PRE_SCHEDULED = workflow.PRE_SCHEDULED, _("Pre-scheduled")
    CONFIRMED = workflow.CONFIRMED, _("Confirmed")
    ASSIGNED = workflow.ASSIGNED, _("Assigned")
    ATTENDED = workflow.ATTENDED, _("Attended")
    IN_EDITING = workflow.IN_EDITING, _("In editing")
    READY = workflow.READY, _("Ready for delivery")
    COMPLETED = workflow.COMPLETED, _("Completed")
    CANCELED = workflow.CANCELED, _("Canceled")
    # The appointment machine (D26).
    WAITING = workflow.WAITING, pgettext_lazy("appointment", "On hold")
    ACTIVE = workflow.ACTIVE, pgettext_lazy("appointment", "Active")


class SessionType(models.TextChoices):
    STUDIO = workflow.STUDIO_SESSION, _("Studio")
    EXTERNAL = workflow.EXTERNAL_SESSION, _("External")
    APPOINTMENT = workflow.APPOINTMENT, _("Appointment")


# What a coordinator may choose for a request; an appointment has forms of its own.
SHOOTS = [(each, SessionType(each).label) for each in workflow.SHOOTS]

PATH = workflow.PATH
FINAL = workflow.FINAL
# Whose act the studio is waiting for, in each state: drives the homes.
TURN = {
    Status.REQUEST: _("Coordination"),
    Status.NEGOTIATION: _("Client and coordination"),
    Status.PRE_SCHEDULED: _("Client: deposit"),
    Status.CONFIRMED: _("Coordination: people and room"),
    Status.ASSIGNED: _("Photographer"),
    Status.ATTENDED: _("Editor: to be taken"),
    Status.IN_EDITING: _("Editor"),
    Status.READY: _("Coordination: delivery"),
    Status.WAITING: _("Client: yes or no"),
    Status.ACTIVE: _("Artist"),
}
