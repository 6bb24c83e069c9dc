"""Every way in which Atelier says no: a code, a status, a sentence and details for a machine.

`business rules 11` and the table of errors in the design. Messages are translated when the error is
raised; `details` are not translated.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext, gettext_noop


class StudioError(ValueError):
    """A rule that was broken. A ValueError, as callers of the appointment functions were promised.

    `field` names the form field that the sentence concerns, where there is one.
    """

    code: ClassVar[str] = "STUDIO_ERROR"
    status: ClassVar[int] = 422
    default_message: ClassVar[str] = gettext_noop("This is not possible.")

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        field: str | None = None,
    ) -> None:
        self.message: str = str(message) if message else gettext(self.default_message)
        self.details: dict[str, Any] = dict(details or {})
        self.field = field
        super().__init__(self.message)

    def as_dict(self) -> dict[str, Any]:
        """The answer to a machine."""
        return {"code": self.code, "message": self.message, "details": self.details}


class Denial(StudioError):
    """An error that is also a denial, to be written to the audit log once (permissions, Logged).

    `user`, `perm` and `obj` say who was denied what; `recorded` that the log already has it. They
    stay on the exception and never reach the answer.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        field: str | None = None,
        user: Any = None,
        perm: str | None = None,
        obj: Any = None,
    ) -> None:
        super().__init__(message, details=details, field=field)
        self.user = user
        self.perm = perm
        self.obj = obj
        self.recorded = False

    @property
    def is_denial(self) -> bool:
        """Whether somebody was refused something, rather than a thing simply being absent."""
        return self.user is not None


class AccessDenied(Denial):
    """The person may not do this, whatever the state (D36)."""

    code = "PERMISSION_DENIED"
    status = 403
    default_message = gettext_noop("You do not have permission to do this.")


class NotFound(Denial):
    """There is no such thing, or none that this person may know of."""

    code = "NOT_FOUND"
    status = 404
    default_message = gettext_noop("This page does not exist, or not for you.")


class SessionNotFound(NotFound):
    """There is no such session, or none that this person may know of (permissions, Object level)."""

    code = "SESSION_NOT_FOUND"
    status = 404
    default_message = gettext_noop("Session not found.")


class InvalidStateTransition(StudioError):
    """The table has no such edge, or a guard without a code of its own is broken (D8)."""

    code = "INVALID_STATE_TRANSITION"
    status = 409
    default_message = gettext_noop("This is not possible in the session's current state.")


class RoomNotAvailable(StudioError):
    """The room is taken; `details` name the sessions in the way (business rules 3.1)."""

    code = "ROOM_NOT_AVAILABLE"
    status = 409
    default_message = gettext_noop("The room is occupied during the requested time.")


class PhotographerNotAvailable(StudioError):
    """The person is busy; `details` name the sessions in the way (business rules 3.2)."""

    code = "PHOTOGRAPHER_NOT_AVAILABLE"
    status = 409
    default_message = gettext_noop("The photographer is busy during the requested time.")


class PaymentDeadlineExpired(StudioError):
    """The deposit came too late (business rules 2.1)."""

    code = "PAYMENT_DEADLINE_EXPIRED"
    default_message = gettext_noop("The payment deadline has passed.")


class ChangesDeadlineExpired(StudioError):
    """The session can no longer be changed (business rules 2.2)."""

    code = "CHANGES_DEADLINE_EXPIRED"
    default_message = gettext_noop("The changes deadline has passed.")


class InsufficientPayment(StudioError):
    """Less was paid, or verified, than is asked for."""

    code = "INSUFFICIENT_PAYMENT"
    default_message = gettext_noop("The payment is less than the amount required.")


class InvalidSessionDate(StudioError):
    """The session would start in the past (business rules 3.3, D16)."""

    code = "INVALID_SESSION_DATE"
    default_message = gettext_noop("The session's date cannot be in the past.")


class MissingResources(StudioError):
    """A photographer or a room is missing (business rules 1.3)."""

    code = "MISSING_RESOURCES"
    default_message = gettext_noop("The session still needs people or a room.")


class PaymentExceedsTotal(StudioError):
    """More would be paid than the session costs (business rules 5.3, D20)."""

    code = "PAYMENT_EXCEEDS_TOTAL"
    default_message = gettext_noop("The payments would exceed the session's total.")


class ImmutableSession(StudioError):
    """The person may edit, but not in this state (business rules 6.3, D36)."""

    code = "IMMUTABLE_SESSION"
    default_message = gettext_noop("The session can no longer be changed in its current state.")


class InvalidInput(StudioError):
    """What was sent cannot be understood; `details` name the fields."""

    code = "INVALID_INPUT"
    default_message = gettext_noop("Some of what was sent is not valid.")


BY_CODE: dict[str, type[StudioError]] = {
    error.code: error
    for error in (
        SessionNotFound,
        NotFound,
        AccessDenied,
        InvalidStateTransition,
        RoomNotAvailable,
        PhotographerNotAvailable,
        PaymentDeadlineExpired,
        ChangesDeadlineExpired,
        InsufficientPayment,
        InvalidSessionDate,
        MissingResources,
        PaymentExceedsTotal,
        ImmutableSession,
        InvalidInput,
    )
}
