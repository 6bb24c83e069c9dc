"""Signing in and out, one's own password and language, and the staff list for Admins."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from studio import access
from studio.accounts import people
from studio.accounts.forms import (
    FirstPasswordForm,
    LanguageForm,
    OwnPasswordForm,
    SignInForm,
    StaffFilter,
    StaffForm,
)
from studio.answers import answer_error, wants_json
from studio.errors import InvalidInput, NotFound
from studio.models import User
from studio.roles import Perm, Role, roles_of

PAGE_SIZE = 50
# Django's form views also take a PUT, and read it as a form that was sent empty.
METHODS = ["get", "head", "post", "options"]


class SignIn(auth_views.LoginView):
    """The door. Throttled by django-axes, which answers through `locked_out`."""

    template_name = "accounts/login.html"
    http_method_names = METHODS
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        if self.request.user.is_authenticated and not roles_of(self.request.user):
            return resolve_url("no-role")
        return super().get_default_redirect_url()


class SignOut(auth_views.LogoutView):
    """By POST only, so that no link can sign a person out."""


class ChangePassword(auth_views.PasswordChangeView):
    """One's own password. Other sign-ins of the same person end with it."""

    template_name = "accounts/password_change.html"
    http_method_names = METHODS
    form_class = OwnPasswordForm
    success_url = reverse_lazy("password-change")

    def form_valid(self, form: Form) -> HttpResponse:
        response = super().form_valid(form)
        messages.success(self.request, _("Your password was changed. Other devices have to sign in again."))
        return response


class SetPassword(auth_views.PasswordResetConfirmView):
    """The page behind an invitation: a single-use link that expires."""

    template_name = "accounts/set_password.html"
    http_method_names = METHODS
    form_class = FirstPasswordForm
    success_url = reverse_lazy("login")
    post_reset_login = False

    def get_user(self, uidb64: str) -> User | None:
        person = super().get_user(uidb64)
        return person if person is not None and person.is_active else None

    def form_valid(self, form: Form) -> HttpResponse:
        response = super().form_valid(form)
        messages.success(self.request, _("Your password is set. You can sign in now."))
        return response


def client_address(request: HttpRequest) -> str | None:
    """Where the browser is, for the throttle: as the proxy tells, where its headers are trusted.

    The last address is the one that the proxy saw; what stands before it is the client's own claim.
    Without this everybody would come from the proxy, and anybody could lock a colleague out.
    """
    told = request.META.get("REMOTE_ADDR", "")
    if settings.TRUST_PROXY_HEADERS:
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or told
    try:
        return str(ip_address(told))
    except ValueError:
        return None  # a unix socket has no address


def locked_out(
    request: HttpRequest,
    original_response: HttpResponse | None = None,
    credentials: dict[str, Any] | None = None,
) -> HttpResponse:
    """The answer after too many wrong passwords: the form again, with the reason (429)."""
    minutes = max(round(float(settings.AXES_COOLOFF_TIME or 0) * 60), 1)
    sentence = _("Too many wrong attempts. Wait %(minutes)s minutes and try again.") % {"minutes": minutes}
    if wants_json(request):
        error = InvalidInput(sentence, details={"failed": "locked_out", "minutes": minutes})
        response = answer_error(request, error, status=429)
    else:
        form = SignInForm(request, initial={"username": (credentials or {}).get("username", "")})
        form.refuse(sentence)
        facts = {"form": form, "next": request.POST.get("next", "")}
        response = render(request, "accounts/login.html", facts, status=429)
    response["Retry-After"] = str(minutes * 60)
    return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Keep the language that was chosen, with the person and in this browser, and go back."""
    form = LanguageForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(_("This language is not spoken here."), details={"fields": ["language"]})
    language = form.cleaned_data["language"]
    if request.user.is_authenticated:
        User.objects.filter(pk=request.user.pk).update(language=language)
    translation.activate(language)
    response = HttpResponseRedirect(_way_back(request))
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@login_required
@require_safe
def no_role(request: HttpRequest) -> HttpResponse:
    """What a person without a role sees, instead of everything else."""
    return explain_no_role(request)


def explain_no_role(request: HttpRequest, status: int = 200) -> HttpResponse:
    """The explanation, in place of the page that was asked for."""
    admins = User.objects.active().in_role(Role.ADMIN).order_by("full_name")[:5]
    return render(request, "accounts/no_role.html", {"admins": admins}, status=status)


@login_required
@require_safe
def staff_list(request: HttpRequest) -> HttpResponse:
    """Everybody who has an account."""
    access.require(request.user, Perm.USER_VIEW)
    form = StaffFilter(request.GET)
    found = form.cleaned_data if form.is_valid() else {}
    rows = User.objects.prefetch_related("groups").order_by("full_name", "pk")
    state = found.get("state", "")
    if state in {"", "invited"}:
        rows = rows.active()
    elif state == "inactive":
        rows = rows.filter(is_active=False)
    if state == "invited":
        rows = rows.filter(password__startswith="!")
    if found.get("role"):
        rows = rows.in_role(Role(found["role"]))
    for word in found.get("q", "").split():
        rows = rows.filter(Q(full_name__icontains=word) | Q(email__icontains=word) | Q(phone__icontains=word))
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request,
        "accounts/staff_list.html",
        {
            "page": page,
            "people": [_row(person) for person in page],
            "filter": form,
            "is_filtered": any(found.values()),
        },
    )


@login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def staff_new(request: HttpRequest) -> HttpResponse:
    """Invite somebody."""
    access.require(request.user, Perm.USER_CREATE)
    form = StaffForm(request.POST or None)
    if request.method == "POST":

        def invite() -> User:
            return people.invite(
                by=request.user,
                now=timezone.now(),
                base_url=request.build_absolute_uri("/"),
                **form.values(),
            )

        person = _done(request, form, invite)
        if isinstance(person, HttpResponse):
            return person
        messages.success(
            request,
            _("%(name)s was invited; the link to set a password is on its way to %(email)s.")
            % {"name": person.full_name, "email": person.email},
        )
        return redirect("staff-list")
    return render(request, "accounts/staff_form.html", {"form": form, "person": None})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def staff_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change somebody's account, roles, and whether they may sign in."""
    access.require(request.user, Perm.USER_EDIT)
    person = _person(pk)
    form = StaffForm(request.POST or None, instance=person)
    if request.method == "POST":
        outcome = _done(
            request,
            form,
            lambda: people.change(person, by=request.user, **form.values()),
            person=_person(pk),
        )
        if isinstance(outcome, HttpResponse):
            return outcome
        messages.success(request, _("%(name)s was saved.") % {"name": outcome.full_name})
        return redirect("staff-list")
    return _staff_page(request, form, person)


@login_required
@require_POST
def staff_invite(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a new link to set a password."""
    person = _person(pk, by=request.user)
    people.send_link_again(person, by=request.user, now=timezone.now(), base_url=request.build_absolute_uri("/"))
    messages.success(
        request,
        _("A new link to set a password is on its way to %(email)s.") % {"email": person.email},
    )
    return redirect("staff-edit", pk=person.pk)


@login_required
@require_POST
def staff_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete an account that was never used."""
    person = _person(pk, by=request.user)
    people.remove(person, by=request.user)
    messages.success(request, _("%(name)s was deleted.") % {"name": person.full_name})
    return redirect("staff-list")


def _person(pk: int, *, by: User | None = None) -> User:
    """The person of an address; only Admins learn whether there is one."""
    if by is not None:
        access.require(by, Perm.USER_VIEW)
    try:
        return User.objects.get(pk=pk)
    except (User.DoesNotExist, OverflowError) as missing:
        raise NotFound() from missing


def _done(
    request: HttpRequest,
    form: StaffForm,
    act: Callable[[], User],
    *,
    person: User | None = None,
) -> User | HttpResponse:
    """Do it when the form is valid; else the form again, with what was typed and the error's
    status.
    """
    if not form.is_valid():
        if wants_json(request):
            return answer_error(request, InvalidInput(details={"fields": _errors(form)}))
        return _staff_page(request, form, person, status=422)
    try:
        return act()
    except InvalidInput as error:
        if wants_json(request):
            raise
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return _staff_page(request, form, person, status=error.status)


def _staff_page(request: HttpRequest, form: StaffForm, person: User | None, *, status: int = 200) -> HttpResponse:
    is_self = person is not None and person.pk == request.user.pk
    facts = {
        "form": form,
        "person": person,
        "is_self": is_self,
        "may_delete": person is not None and not is_self and not people.traces_of(person),
    }
    return render(request, "accounts/staff_form.html", facts, status=status)


def _row(person: User) -> dict[str, Any]:
    """A line of the list; roles of inactive people are shown as well, as what they were."""
    names = {group.name for group in person.groups.all()}
    return {
        "person": person,
        "roles": [role.label for role in Role if role.value in names],
        "invited": person.is_active and person.is_invited,
        "url": reverse("staff-edit", kwargs={"pk": person.pk}),
    }


def _errors(form: Form) -> dict[str, list[str]]:
    return {name: [str(each) for each in errors] for name, errors in form.errors.items()}


def _way_back(request: HttpRequest) -> str:
    """Where the person came from, when that is a page of ours."""
    for candidate in (request.POST.get("next"), request.headers.get("Referer")):
        if candidate and url_has_allowed_host_and_scheme(
            candidate, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        ):
            return candidate
    return resolve_url("home") if request.user.is_authenticated else resolve_url("login")
