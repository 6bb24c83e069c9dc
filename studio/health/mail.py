"""E-mails: none waits for long, none was given up, and the mail server takes us in."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends import console, dummy, filebased, locmem, smtp
from django.db.models import Count, Max, Min, Q
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from studio import mail_faults, outbox
from studio.health.look import Look, Verdict, bad, ok, warn, within
from studio.health.words import length
from studio.models import OutgoingEmail
from studio.navigation import address

WAITS, WAITS_TOO_LONG = timedelta(minutes=10), timedelta(hours=1)
# Whoever claims an e-mail sends it within seconds; a claim that was left behind is taken over after CLAIM_LASTS.
CLAIMED_TOO_LONG = outbox.CLAIM_LASTS + timedelta(minutes=5)
# What was given up is an alarm for a week, and worth a look for a month; then nobody will send it any more.
GIVEN_UP_LATELY, GIVEN_UP_ONCE = timedelta(days=7), timedelta(days=30)
NOT_SENDING = (console.EmailBackend, dummy.EmailBackend, filebased.EmailBackend, locmem.EmailBackend)

Status = OutgoingEmail.Status


def waiting(look: Look) -> Iterator[Verdict]:
    """The outbox: what is due goes out, nothing was given up, no claim was left behind."""
    told = _outbox(look)
    url = address("outbox-list")
    age = look.now - told["oldest"] if told["oldest"] else timedelta()
    if told["due"]:
        says = ngettext(
            "%(n)s e-mail is due, for %(age)s.", "%(n)s e-mails are due, the oldest for %(age)s.", told["due"]
        ) % {"n": told["due"], "age": length(age)}
    else:
        says = _("No e-mail is due.")
    advice = _("See that the worker lives and that the mail server answers.")
    if age > WAITS_TOO_LONG:
        yield bad(says, advice, url=url)
    elif age > WAITS:
        yield warn(says, advice, url=url)
    elif told["retried"]:
        retried = ngettext(
            "%(n)s e-mail could not be sent for more than an hour, and is tried again. %(why)s",
            "%(n)s e-mails could not be sent for more than an hour, and are tried again. %(why)s",
            told["retried"],
        )
        why = mail_faults.in_words(told["error"])
        yield warn(retried % {"n": told["retried"], "why": why}, _("Look at them in the outbox."), url=url)
    else:
        yield ok(says)
    yield from _given_up(told, url)
    if told["claimed"]:
        claimed = ngettext(
            "%(n)s e-mail has been claimed for long and was not sent.",
            "%(n)s e-mails have been claimed for long and were not sent.",
            told["claimed"],
        )
        yield bad(claimed % {"n": told["claimed"]}, _("See that the worker lives: it takes them over."), url=url)


def _outbox(look: Look) -> dict[str, Any]:
    """All figures in one query."""
    waits = Q(status=Status.WAITING)
    due = waits & Q(next_try_at__lte=look.now)
    # Not for the first time. When it fails, the next try lies ahead: it is not due.
    again = waits & ~Q(last_error="") & Q(created_at__lt=look.now - WAITS_TOO_LONG)
    dead = Q(status=Status.DEAD)
    return OutgoingEmail.objects.exclude(status__in=[Status.SENT, Status.DROPPED]).aggregate(
        due=Count("pk", filter=due),
        oldest=Min("next_try_at", filter=due),
        retried=Count("pk", filter=again),
        error=Max("last_error", filter=again),
        claimed=Count("pk", filter=Q(status=Status.CLAIMED, claimed_at__lt=look.now - CLAIMED_TOO_LONG)),
        lately=Count("pk", filter=dead & Q(claimed_at__gte=look.now - GIVEN_UP_LATELY)),
        once=Count("pk", filter=dead & Q(claimed_at__gte=look.now - GIVEN_UP_ONCE)),
    )


def _given_up(told: dict[str, Any], url: str) -> Iterator[Verdict]:
    if not told["once"]:
        return
    says = ngettext(
        "%(n)s e-mail could not be sent and was given up.",
        "%(n)s e-mails could not be sent and were given up.",
        told["once"],
    ) % {"n": told["once"]}
    advice = _("Look at their addresses and errors in the outbox, and send them again or tell the clients otherwise.")
    yield (bad if told["lately"] else warn)(says, advice, url=url)


def server(look: Look) -> Verdict:
    """The mail server lets us in: connect, greet, sign in, NOOP; no e-mail is sent."""
    backend = import_string(settings.EMAIL_BACKEND)
    if issubclass(backend, NOT_SENDING):
        if issubclass(backend, filebased.EmailBackend):
            says = _("E-mails are written as files into %(place)s, and not sent.") % {"place": settings.EMAIL_FILE_PATH}
        else:
            says = _("E-mails are not sent: %(backend)s.") % {"backend": settings.EMAIL_BACKEND}
        return ok(says) if settings.DEMO else warn(says, _("Set EMAIL_URL to the studio's mail server."))
    if not issubclass(backend, smtp.EmailBackend):
        return ok(
            _("E-mails go through %(backend)s, which can only be asked by sending.") % {"backend": backend.__name__}
        )
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    error = look.answers.of(
        f"smtp:{settings.EMAIL_HOST_USER}@{where}", lambda: within(look.patience, lambda: _greet(look.patience))
    )
    if not isinstance(error, Exception):
        return ok(_("The mail server %(where)s answers and lets us in.") % {"where": where})
    return bad(
        _("The mail server %(where)s cannot be used: %(why)s.") % {"where": where, "why": _why(error, look.patience)},
        _("Mend EMAIL_URL, or the server. Meanwhile e-mails wait in the outbox for about a day."),
    )


def sender(look: Look) -> Verdict:
    """Answers, and reports of what could not be delivered, go to this address."""
    told = {"address": settings.DEFAULT_FROM_EMAIL}
    if settings.DEMO or not settings.DEFAULT_FROM_EMAIL.rstrip("> ").endswith("@localhost"):
        return ok(_("E-mails come from %(address)s.") % told)
    return warn(
        _("E-mails come from %(address)s, which nobody can answer and many servers refuse.") % told,
        _("Set DEFAULT_FROM_EMAIL to an address of the studio."),
    )


def _greet(patience: float) -> None:
    """Raises what the way there raises: OSError (of smtplib and ssl, too), or ValueError for unfit settings."""
    backend = get_connection(timeout=patience)
    try:
        backend.open()
        code, said = backend.connection.noop()
        if code != 250:
            raise smtplib.SMTPResponseException(code, said)
    finally:
        with suppress(Exception):
            backend.close()


def _why(error: BaseException, patience: float) -> str:
    """The error without its text: a server's answer may quote what was sent to it."""
    # smtplib calls a server that says nothing in time one that has hung up.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return _("no answer within %(n)s seconds") % {"n": f"{patience:g}"}
    if isinstance(error, ConnectionRefusedError):
        return _("it refuses connections")
    if isinstance(error, socket.gaierror):
        return _("its name is not known")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _("its certificate is not valid for this name")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _("it refuses the user name or the password (%(code)s)") % {"code": error.smtp_code}
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return _("it hung up")
    code = getattr(error, "smtp_code", None) or getattr(error, "errno", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
