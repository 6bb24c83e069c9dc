"""E-mails, written with the act that causes them and sent by the worker.

A row is queued in the caller's transaction, so that there is no e-mail about what did not happen. `deliver` claims
the rows that are due one by one; each is checked again, its facts are read anew, it is sent and marked, so that a
worker that is killed leaves at most one e-mail in doubt. A mail server that is down delays e-mails and nothing else.

What an e-mail's attempts are: times that it was handed to the server, or that a worker died with it. After
MAX_ATTEMPTS of these it is given up, and at once when the server says that it will never take it. A server that takes
nothing at all (no connection, wrong password, everything refused) ends the round: the e-mail at hand is put back
without an attempt, no other is touched, and the next round is a minute later. An e-mail that has met nothing but such a
server for OUTAGE_LASTS is given up as well.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, Model, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from studio import access, audit, letters, mail_faults, notices
from studio.audit import plain
from studio.conf import LANGUAGES, STUDIO
from studio.mail_faults import Fault, Whose
from studio.models import OutgoingEmail, User
from studio.roles import Perm, Role

logger = logging.getLogger(__name__)

Status = OutgoingEmail.Status
StillTrue = Callable[[OutgoingEmail], bool]
Extra = Callable[[OutgoingEmail], dict[str, Any]]
Page = Callable[[OutgoingEmail], str]
Counts = dict[str, int]

ASIDE_FROM = (Status.DEAD, Status.WAITING)

KINDS: frozenset[str] = frozenset(letters.ROWS)

MAX_ATTEMPTS = 8
# Waits after the first, second, ... attempt; about a day in all.
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
# A claim that is older belongs to a worker that no longer lives: sending takes seconds.
CLAIM_LASTS = timedelta(minutes=10)
# How long a server may take nothing before the e-mails that it was tried with are given up.
OUTAGE_LASTS = timedelta(days=5)
# So soon after a round that ended with the server's fault, nobody begins another one.
SERVER_RESTS = timedelta(seconds=45)
HELD_FOR = timedelta(minutes=1)
# So many refusals of different e-mails one after the other are the server's, not theirs.
REFUSED_IN_A_ROW = 10
# Of a server that refused as many so lately, the first e-mail of a round tells whether it still does: not as many are
# given up again, each minute. One that was put back so often is judged by itself.
REFUSALS_COUNT_FOR = timedelta(minutes=15)
PUT_BACK_FOR_OTHERS = 30
# A round lasts so long; what is left goes on in a task of its own, so that others come in between.
TIME_BUDGET_SECONDS = 40
# The time limit of such a task: a server that answers each command at the last moment needs longer than the budget.
TASK_TIMEOUT_SECONDS = 300
# Who has claimed an e-mail so lately is at work, and goes on until nothing is due.
AT_WORK = timedelta(seconds=30)
# So many lines of what went wrong are kept.
TRIES_KEPT = 30


@dataclass(frozen=True, slots=True)
class Fresh:
    """What an e-mail says now: the facts, and to whom in which language ("" leaves these as they are)."""

    context: dict[str, Any]
    to: str = ""
    language: str = ""


Refresh = Callable[[OutgoingEmail], Fresh]


@dataclass(slots=True)
class Hooks:
    """What only other packages know about a kind."""

    still_true: list[StillTrue] = field(default_factory=list)
    refresh: Refresh | None = None
    extra: Extra | None = None
    shown: Extra | None = None
    attach: letters.Attach | None = None
    page: Page | None = None


_hooks: dict[str, Hooks] = {}
_find: list[Callable[[str], tuple[str, int] | None]] = []
_quiet: ContextVar[list[bool] | None] = ContextVar("atelier_outbox_quiet", default=None)


def register(
    kind: str,
    *,
    still_true: StillTrue | None = None,
    refresh: Refresh | None = None,
    extra: Extra | None = None,
    shown: Extra | None = None,
    attach: letters.Attach | None = None,
    page: Page | None = None,
) -> None:
    """What only other packages know about a kind; called in their `AppConfig.ready`.

    `still_true(row)` is asked right before sending, with the moment in `row.claimed_at`; a row that no longer is true
    is dropped. `refresh(row)` then reads its facts anew, which are written into the row before it is sent.
    `extra(row)` gives facts that must not lie in the table, such as a link with a token, and `shown(row)` what a page
    shows in their place. `attach(row, facts)` makes the attachments. `page(row)` is the address of what the e-mail is
    about, for coordinators, without a query.
    """
    _check_kind(kind)
    hooks = _hooks.setdefault(kind, Hooks())
    if still_true is not None and still_true not in hooks.still_true:
        hooks.still_true.append(still_true)
    for name, hook in (("refresh", refresh), ("extra", extra), ("shown", shown), ("attach", attach), ("page", page)):
        if hook is not None:
            setattr(hooks, name, hook)


def register_finder(find: Callable[[str], tuple[str, int] | None]) -> None:
    """`find(text)` says what a text names, such as a session's code: the kind of record and its id, or None."""
    if find not in _find:
        _find.append(find)


# -- written ---------------------------------------------------------------------------------------


def queue(
    kind: str,
    *,
    to: str,
    language: str = "",
    context: dict[str, Any],
    key: str,
    about: Model | None = None,
) -> OutgoingEmail:
    """Write an e-mail into the caller's transaction. Idempotent: one row for each key, for ever.

    The worker is woken when the transaction has been committed.
    """
    _check_kind(kind)
    if not to or not key:
        raise ValueError("An e-mail needs an address and a key.")
    row = OutgoingEmail(
        key=key,
        kind=kind,
        to=to,
        language=_known(language),
        context=plain(context),
        about_type=about._meta.label_lower if about is not None else "",
        about_id=about.pk if about is not None else None,
    )
    OutgoingEmail.objects.bulk_create([row], ignore_conflicts=True)
    wake_after_commit()
    return OutgoingEmail.objects.get(key=key)


def is_queued(key: str) -> bool:
    """Whether an e-mail with this key was ever written."""
    return OutgoingEmail.objects.filter(key=key).exists()


def drop(about: Model, kinds: Iterable[str] | None = None) -> int:
    """Have no e-mail sent any more about `about` that was not sent yet; returns how many."""
    rows = OutgoingEmail.objects.filter(about_type=about._meta.label_lower, about_id=about.pk, status=Status.WAITING)
    if kinds is not None:
        rows = rows.filter(kind__in=list(kinds))
    return rows.update(status=Status.DROPPED)


def requeue(row: OutgoingEmail, *, now: datetime, by: User | None = None) -> bool:
    """Try a dropped or given-up e-mail again, from its first attempt; False when it was neither."""
    with transaction.atomic():
        rows = OutgoingEmail.objects.select_for_update().filter(pk=row.pk, status__in=[Status.DEAD, Status.DROPPED])
        found = rows.first()
        if found is None:
            return False
        OutgoingEmail.objects.filter(pk=found.pk).update(
            status=Status.WAITING,
            attempts=0,
            next_try_at=now,
            claimed_at=None,
            last_error="",
            tries=_noted(found, "again", now, by=by.full_name if by else ""),
        )
        wake_after_commit()
    return True


def send_again(rows: Iterable[OutgoingEmail], *, by: User, now: datetime) -> int:
    """Have given-up and dropped e-mails tried anew, audited one by one; returns how many. Raises `AccessDenied`."""
    count = 0
    with audit.act():
        access.require(by, Perm.SYSTEM_SETTINGS)
        for row in rows:
            if requeue(row, now=now, by=by):
                audit.record("email_resent", by=by, about=row, to=row.to)
                count += 1
    return count


def take_up_again(key: str, *, now: datetime) -> bool:
    """Try an e-mail again that was dropped as untrue and is true once more; False when there is no such one.

    What a person has set aside stays there.
    """
    row = OutgoingEmail.objects.filter(key=key, status=Status.DROPPED).first()
    if row is None or (row.tries and row.tries[-1]["what"] == "aside"):
        return False
    return requeue(row, now=now)


def set_aside(row: OutgoingEmail, *, by: User, now: datetime) -> bool:
    """An e-mail that was given up, or waits, is not to be sent: it was told otherwise, or was sent before the database
    was put back. Audited.

    False when it is in another state. Raises `AccessDenied`.
    """
    with audit.act():
        access.require(by, Perm.SYSTEM_SETTINGS)
        found = OutgoingEmail.objects.select_for_update().filter(pk=row.pk, status__in=ASIDE_FROM).first()
        if found is None:
            return False
        tries = _noted(found, "aside", now, by=by.full_name)
        OutgoingEmail.objects.filter(pk=found.pk).update(status=Status.DROPPED, tries=tries)
        notices.drop(found, ["email_given_up"])
        audit.record("email_set_aside", by=by, about=found, to=found.to)
    return True


def wake_after_commit() -> None:
    """Ask the worker to look, once for each transaction."""
    waiting = _quiet.get()
    if waiting is not None:
        waiting[0] = True
        return
    connection = transaction.get_connection()
    if any(entry[1] is _wake for entry in connection.run_on_commit):
        return
    transaction.on_commit(_wake, robust=True)


@contextmanager
def woken_once() -> Iterator[None]:
    """Around a job that queues thousands of e-mails in as many transactions: one wake-up at the
    end.
    """
    waiting = [False]
    token = _quiet.set(waiting)
    try:
        yield
    finally:
        _quiet.reset(token)
        if waiting[0]:
            wake_after_commit()


# -- sent ------------------------------------------------------------------------------------------


def deliver_waiting() -> Counts:
    """The worker's entry point. Leaves the work to whoever is at it: they go on until nothing is due."""
    if _somebody_delivers(timezone.now()):
        return _counts()
    return deliver()


def deliver(
    now: datetime | None = None,
    limit: int | None = None,
    *,
    seconds: float = TIME_BUDGET_SECONDS,
    knock: bool = False,
) -> Counts:
    """Send what is due, for so many `seconds`, or at most `limit` e-mails; returns how many were sent, dropped, failed,
    given up (`dead`) and put back (`held`).

    Any number of workers may do this at once: a row is claimed by one of them. What is due when the time is over goes
    on in another task. After a round that ended with the server's fault nothing is tried for a while, unless `knock`
    says so.
    """
    ends = time.monotonic() + seconds
    if not knock and _server_rests(now or timezone.now()):
        return _counts()
    delivery = _Round(now)
    handled = 0
    try:
        while limit is None or handled < limit:
            row = _claim(now or timezone.now())
            if row is None:
                break
            delivery.handle(row)
            handled += 1
            if delivery.is_over:
                break
            if time.monotonic() > ends:
                _go_on(now or timezone.now())
                break
    finally:
        delivery.line.hang_up()
    return delivery.counts


def plan(now: datetime) -> Iterator[tuple[OutgoingEmail, str]]:
    """What `deliver` would do with each row that is due: "send", "drop", or "give up". Writes nothing."""
    for row in OutgoingEmail.objects.filter(_due(now)).order_by("next_try_at", "pk").iterator(chunk_size=200):
        if row.attempts >= MAX_ATTEMPTS:
            yield row, "give up"
        elif not is_still_true(row, now):
            yield row, "drop"
        elif _is_address(as_it_is_now(row).to):
            yield row, "send"
        else:
            yield row, "give up"


class _Line:
    """The connection to the mail server: made with the first e-mail, made anew after it broke."""

    def __init__(self) -> None:
        self._backend = get_connection()

    def open(self) -> None:
        self._backend.open()

    def send(self, mail: EmailMultiAlternatives) -> None:
        mail.connection = self._backend
        mail.send()

    def hang_up(self, *, at_once: bool = False) -> None:
        """`at_once`: without a word of goodbye, for which a server that hangs would have to be waited."""
        smtp = getattr(self._backend, "connection", None)
        with suppress(Exception):
            if at_once and smtp is not None:
                smtp.close()
        with suppress(Exception):
            self._backend.close()


class _Round:
    """One worker's way through what is due: what has become of it, and what the server seems to be up to."""

    def __init__(self, now: datetime | None) -> None:
        self._now = now
        self.line = _Line()
        self.counts = _counts()
        self.is_over = False
        self._refused = 0
        self._broke = False

    def now(self) -> datetime:
        # Sending takes its own time.
        return self._now or timezone.now()

    def handle(self, row: OutgoingEmail) -> None:
        """Check, read anew, send and mark one claimed row."""
        if row.attempts > MAX_ATTEMPTS:
            # Claimed again and again by workers that died with it: trying on would kill the next ones.
            self._give_up(row, mail_faults.WORKER_DIED)
            return
        try:
            if not all(holds(row) for holds in hooks_of(row.kind).still_true):
                self._count(_mark(row, status=Status.DROPPED, tries=_noted(row, "dropped", self.now())), "dropped")
                return
            if not _read_anew(row):
                return
            mail = render(row)
        except Exception as error:
            self._failed(row, mail_faults.in_the_program(error), error)
            return
        if not _is_address(row.to):
            self._failed(row, mail_faults.INVALID_ADDRESS)
            return
        try:
            self.line.open()
        except Exception as error:
            self.line.hang_up(at_once=True)
            self._failed(row, mail_faults.on_opening(error), error)
            return
        try:
            self.line.send(mail)
        except Exception as error:
            self._not_taken(row, mail_faults.on_sending(error), error)
            return
        self._refused, self._broke = 0, False
        self._sent(row)

    def _sent(self, row: OutgoingEmail) -> None:
        if self._count(_mark(row, status=Status.SENT, sent_at=self.now(), last_error=""), "sent") and any(
            each["what"] == "dead" for each in row.tries
        ):
            notices.drop(row, ["email_given_up"])

    def _not_taken(self, row: OutgoingEmail, fault: Fault, error: Exception) -> None:
        """Once may be this e-mail's fault. Several in a row are the server's."""
        if not self._refused and fault.whose in (Whose.MAIL, Whose.MAIL_NOW) and _refused_all_lately(self.now()):
            self._refused = REFUSED_IN_A_ROW - 1
        self._refused += 1
        if fault.whose is Whose.CONNECTION:
            self.line.hang_up(at_once=True)
            if self._broke:
                fault = fault.of_the_server
            self._broke = True
        if self._refused >= REFUSED_IN_A_ROW and _times_put_back(row) < PUT_BACK_FOR_OTHERS:
            fault = fault.of_the_server
        self._failed(row, fault, error)

    def _failed(self, row: OutgoingEmail, fault: Fault, error: Exception | None = None) -> None:
        # Of a server's answer only the codes are written down: it may quote what was sent to it.
        ours = error if fault.word == "program" else None
        logger.warning("E-mail %s was not sent: %s", row.pk, fault, exc_info=ours)
        if fault.whose is Whose.SERVER:
            self.is_over = True
            self._put_back(row, fault)
        elif fault.whose is Whose.MAIL or row.attempts >= MAX_ATTEMPTS:
            self._give_up(row, fault)
        else:
            wait = BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
            now = self.now()
            self._count(
                _mark(
                    row,
                    status=Status.WAITING,
                    next_try_at=now + wait,
                    last_error=str(fault),
                    tries=_noted(row, "failed", now, error=str(fault)),
                ),
                "failed",
            )

    def _put_back(self, row: OutgoingEmail, fault: Fault) -> None:
        """Behind the others that are due, without an attempt: the next round begins with another one."""
        now = self.now()
        tries = _noted(row, "held", now, error=str(fault))
        if now - datetime.fromisoformat(tries[-1]["at"]) >= OUTAGE_LASTS:
            self._give_up(row, fault)
            return
        values = {"next_try_at": now + HELD_FOR, "attempts": row.attempts - 1, "last_error": str(fault)}
        self._count(_mark(row, status=Status.WAITING, tries=tries, **values), "held")

    def _give_up(self, row: OutgoingEmail, fault: Fault) -> None:
        """Dead letters are seen: coordination and Admins are told of each, once."""
        with transaction.atomic():
            tries = _noted(row, "dead", self.now(), error=str(fault))
            if self._count(_mark(row, status=Status.DEAD, last_error=str(fault), tries=tries), "dead"):
                _tell_given_up(row)

    def _count(self, is_mine: bool, what: str) -> bool:
        self.counts[what] += is_mine
        return is_mine


def _counts() -> Counts:
    return {"sent": 0, "dropped": 0, "failed": 0, "dead": 0, "held": 0}


def _wake() -> None:
    from django_q.tasks import async_task

    async_task("studio.outbox.deliver_waiting", timeout=TASK_TIMEOUT_SECONDS)


def _go_on(now: datetime) -> None:
    """Have what is still due delivered by another task, unless somebody does it anyway.

    There is never more than one such task for those that end, and none while others wait to be begun: chains do not
    multiply, and the minute's tick takes up one that was not begun.
    """
    if not OutgoingEmail.objects.filter(_due(now)).exists() or _somebody_delivers(now):
        return
    try:
        from django_q.brokers import get_broker

        if get_broker().queue_size() == 0:
            _wake()
    except Exception:
        logger.exception("The delivery of e-mails goes on with the next minute.")


def _due(now: datetime) -> Q:
    waiting = Q(status=Status.WAITING, next_try_at__lte=now)
    lost = Q(status=Status.CLAIMED, claimed_at__lt=now - CLAIM_LASTS)
    # Once more in one piece, for the index of what is not sent.
    return (waiting | lost) & Q(status__in=[Status.WAITING, Status.CLAIMED])


def _claim(now: datetime) -> OutgoingEmail | None:
    """Take the next row for this worker, in a transaction of its own; None when nothing is due."""
    with transaction.atomic():
        row = (
            OutgoingEmail.objects.select_for_update(skip_locked=True)
            .filter(_due(now))
            .order_by("next_try_at", "pk")
            .first()
        )
        if row is None:
            return None
        OutgoingEmail.objects.filter(pk=row.pk).update(
            status=Status.CLAIMED, claimed_at=now, attempts=F("attempts") + 1
        )
    row.status = Status.CLAIMED
    row.claimed_at = now
    row.attempts += 1
    return row


def _mark(row: OutgoingEmail, **values: Any) -> bool:
    """Write what became of the row; False when another worker has taken it over meanwhile."""
    mine = OutgoingEmail.objects.filter(
        pk=row.pk, status=Status.CLAIMED, claimed_at=row.claimed_at, attempts=row.attempts
    )
    return bool(mine.update(**values))


def _read_anew(row: OutgoingEmail) -> bool:
    """Have the row say what is so now, before it is sent, so that what it shows is what was sent."""
    fresh = as_it_is_now(row)
    now_says = {"context": fresh.context, "to": fresh.to, "language": fresh.language}
    if all(getattr(row, name) == value for name, value in now_says.items()):
        return True
    for name, value in now_says.items():
        setattr(row, name, value)
    return _mark(row, **now_says)


def _noted(row: OutgoingEmail, what: str, at: datetime, *, error: str = "", by: str = "") -> list[dict[str, Any]]:
    """The row's tries with one more. Rounds that end with the server's fault are one line, however many they are."""
    tries = list(row.tries)
    last = tries[-1] if tries else None
    if last is not None and what == last["what"] == "held":
        tries[-1] = {**last, "until": at.isoformat(), "times": last.get("times", 1) + 1, "error": error}
        return tries
    line = {"what": what, "at": at.isoformat(), "error": error, "by": by}
    return [*tries, {name: value for name, value in line.items() if value}][-TRIES_KEPT:]


def _somebody_delivers(now: datetime) -> bool:
    return OutgoingEmail.objects.filter(
        status=Status.CLAIMED, claimed_at__gt=now - AT_WORK, claimed_at__lte=now + AT_WORK
    ).exists()


def _server_rests(now: datetime) -> bool:
    """Whether somebody, in any process, found out a moment ago that the server takes nothing.

    An e-mail that was put back says so by itself: it carries the server's fault and the time of its claim.
    """
    faults = Q()
    for word in mail_faults.OF_THE_SERVER:
        faults |= Q(last_error__startswith=word)
    lately = Q(status=Status.WAITING, claimed_at__gt=now - SERVER_RESTS, claimed_at__lte=now)
    return OutgoingEmail.objects.filter(lately & faults).exists()


def _refused_all_lately(now: datetime) -> bool:
    """Whether another e-mail was put back since the server refused one after the other."""
    lately = OutgoingEmail.objects.filter(status=Status.WAITING, claimed_at__gt=now - REFUSALS_COUNT_FOR)
    return lately.filter(last_error__startswith="refusing").exists()


def _times_put_back(row: OutgoingEmail) -> int:
    last = row.tries[-1] if row.tries else {}
    return last.get("times", 1) if last.get("what") == "held" else 0


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def _tell_given_up(row: OutgoingEmail) -> None:
    """Admins are led to the e-mail; coordinators to what it is about, where they have something to do with it."""
    admins = list(User.objects.active().in_role(Role.ADMIN))
    facts = {"about": row, "key": f"email_given_up:{row.pk}", "to": row.to}
    notices.notify(admins, "email_given_up", url=reverse("outbox-page", args=[row.pk]), **facts)
    if page := page_of(row):
        coordinators = User.objects.active().in_role(Role.COORDINATOR).exclude(pk__in=[each.pk for each in admins])
        notices.notify(coordinators, "email_given_up", url=page, **facts)


# -- looked at -------------------------------------------------------------------------------------


def hooks_of(kind: str) -> Hooks:
    return _hooks.get(kind) or Hooks()


def render(row: OutgoingEmail) -> EmailMultiAlternatives:
    """The e-mail as it is sent now, with what must not be shown: for the worker."""
    hooks = hooks_of(row.kind)
    extra = hooks.extra(row) if hooks.extra else None
    return letters.compose(row, at=row.claimed_at or row.created_at, extra=extra, attach=hooks.attach)


def preview(row: OutgoingEmail, now: datetime) -> EmailMultiAlternatives:
    """The e-mail as it was sent, or as it would be sent now, without its secrets: for pages. Writes nothing."""
    hooks = hooks_of(row.kind)
    if row.status == Status.SENT:
        at = row.sent_at or now
    else:
        row, at = as_it_is_now(row), now
    shown = hooks.shown(row) if hooks.shown else None
    return letters.compose(row, at=at, extra=shown, attach=hooks.attach)


def as_it_is_now(row: OutgoingEmail) -> OutgoingEmail:
    """A copy with the facts, the address and the language of this moment. Writes nothing."""
    fresh = copy.copy(row)
    refresh = hooks_of(row.kind).refresh
    if refresh is not None:
        says = refresh(row)
        fresh.context = plain(says.context)
        fresh.to = says.to or row.to
        fresh.language = _known(says.language or row.language)
    return fresh


def is_still_true(row: OutgoingEmail, now: datetime) -> bool:
    """Whether what the row says would be so if it were sent now."""
    then = copy.copy(row)
    then.claimed_at = now
    return all(holds(then) for holds in hooks_of(row.kind).still_true)


def why_not_again(row: OutgoingEmail, now: datetime) -> str:
    """Why it cannot be sent again, in a sentence; "" when it can."""
    if row.status == Status.SENT:
        return _("It was sent. Nothing is sent twice.")
    if row.status in (Status.WAITING, Status.CLAIMED):
        return _("It is on its way: it is tried again by itself.")
    if not is_still_true(row, now):
        return _("What it says is no longer so: it would be dropped again.")
    return ""


def page_of(row: OutgoingEmail) -> str:
    """The address of what the e-mail is about, or "". Asks the database nothing."""
    page = hooks_of(row.kind).page
    return page(row) if page is not None else ""


def search(text: str) -> QuerySet[OutgoingEmail]:
    """E-mails to addresses that begin with `text`, or about what it names."""
    found = Q(to__istartswith=text)
    for find in _find:
        if named := find(text):
            found |= Q(about_type=named[0], about_id=named[1])
    return OutgoingEmail.objects.filter(found)


def given_up() -> QuerySet[OutgoingEmail]:
    """The e-mails that wait for somebody to look at them."""
    return OutgoingEmail.objects.filter(status=Status.DEAD)


def _known(language: str) -> str:
    return language if language in LANGUAGES else STUDIO.language


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"There is no e-mail of the kind {kind!r}.")
