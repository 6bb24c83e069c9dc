"""The catalogue: everybody with a role reads it, Admins write it."""

from collections.abc import Mapping
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from catalog import editing
from catalog.forms import (
    MOST_ROWS,
    PREFIX,
    SPARE_ROWS,
    CatalogueFilter,
    ItemForm,
    PackageFilter,
    PackageForm,
)
from catalog.models import Item, Package, PackageItem
from studio.access import allows, require
from studio.acting import Done, act
from studio.errors import NotFound
from studio.roles import Perm

PAGE_SIZE = 50
LARGEST_ID = 2**63 - 1


@require_safe
def item_list(request: HttpRequest) -> HttpResponse:
    """What is sold one by one."""
    form = CatalogueFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    items = _narrowed(Item.objects.annotate(packages_count=Count("in_packages")), wanted)
    if wanted.get("type"):
        items = items.filter(item_type=wanted["type"])
    page = Paginator(items.order_by("name", "id"), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "catalog/item_list.html", _list_context(request, "items", form, wanted, page))


@require_safe
def package_list(request: HttpRequest) -> HttpResponse:
    """What is sold together, and what that saves."""
    form = PackageFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    packages = _narrowed(Package.objects.priced(), wanted).prefetch_related(
        Prefetch("content", PackageItem.objects.select_related("item").order_by("display_order", "id"))
    )
    page = Paginator(packages.order_by("name", "id"), PAGE_SIZE).get_page(request.GET.get("page"))
    for package in page.object_list:
        package.saving = max(package.items_total - package.base_price, 0)
    return render(request, "catalog/package_list.html", _list_context(request, "packages", form, wanted, page))


def _narrowed(rows: QuerySet, wanted: Mapping[str, Any]) -> QuerySet:
    for word in wanted.get("q", "").split():
        rows = rows.filter(Q(name__icontains=word) | Q(code__icontains=word))
    show = wanted.get("show", "")
    return rows if show == "all" else rows.filter(active=show != "inactive")


def _list_context(request: HttpRequest, here: str, form: Any, wanted: Mapping[str, Any], page: Any) -> dict[str, Any]:
    is_items = here == "items"
    return {
        "chips": [
            {"label": _("Items"), "url": reverse("item-list"), "is_current": is_items},
            {"label": _("Packages"), "url": reverse("package-list"), "is_current": not is_items},
        ],
        "form": form,
        "page": page,
        "is_filtered": any(wanted.values()) or not form.is_valid(),
        "may_create": allows(request.user, Perm.ITEM_CREATE if is_items else Perm.PACKAGE_CREATE),
        "may_edit": allows(request.user, Perm.ITEM_EDIT if is_items else Perm.PACKAGE_EDIT),
        "nav": "item-list",
    }


# -- items -------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def item_new(request: HttpRequest) -> HttpResponse:
    require(request.user, Perm.ITEM_CREATE)
    form = ItemForm(request.POST if request.method == "POST" else None)

    def do(_values: dict[str, Any]) -> Done:
        item = editing.add_item(by=request.user, **form.values())
        return Done(
            _("%(item)s is in the catalogue.") % {"item": item.name},
            reverse("item-list"),
            reverse("item-new"),
            _("Add another item"),
            {"id": item.pk},
        )

    context = {
        "page_title": _("New item"),
        "submit_label": _("Add to the catalogue"),
        "cancel_url": reverse("item-list"),
        "nav": "item-list",
    }
    return act(request, form, do, template="catalog/item_form.html", context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def item_edit(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, Perm.ITEM_EDIT)
    item = _found(Item, pk)
    title = item.name
    form = ItemForm(request.POST if request.method == "POST" else None, instance=item)

    def do(_values: dict[str, Any]) -> Done:
        changed = editing.change_item(item, by=request.user, **form.values())
        text = _("%(item)s was saved.") if changed.active else _("%(item)s is not sold any more.")
        return Done(text % {"item": changed.name}, reverse("item-list"))

    def context() -> dict[str, Any]:
        packages = Package.objects.filter(content__item_id=pk).order_by("name")
        return {
            "page_title": title,
            "cancel_url": reverse("item-list"),
            "packages": list(packages),
            "nav": "item-list",
        }

    return act(request, form, do, template="catalog/item_form.html", context=context)


# -- packages ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def package_new(request: HttpRequest) -> HttpResponse:
    require(request.user, Perm.PACKAGE_CREATE)
    items = _items_by_id()

    def do(form: PackageForm) -> Done:
        package = editing.add_package(by=request.user, **form.values())
        return Done(
            _("%(package)s can be sold from now on.") % {"package": package.name},
            reverse("package-list"),
            facts={"id": package.pk},
        )

    context = {
        "page_title": _("New package"),
        "submit_label": _("Add to the catalogue"),
        "has_items": bool(items),
    }
    return _package_page(request, do, context, items=items, instance=Package(), spare=SPARE_ROWS + 1)


@require_http_methods(["GET", "HEAD", "POST"])
def package_edit(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, Perm.PACKAGE_EDIT)
    package = _found(Package, pk)
    content = list(package.content.order_by("display_order", "id").values_list("item_id", "quantity"))

    def do(form: PackageForm) -> Done:
        changed = editing.change_package(package, by=request.user, **form.values())
        text = _("%(package)s was saved.") if changed.active else _("%(package)s is not sold any more.")
        return Done(text % {"package": changed.name}, reverse("package-list"))

    context = {"page_title": package.name, "submit_label": _("Save"), "has_items": True}
    items = _items_by_id(also=[item_id for item_id, _quantity in content])
    return _package_page(request, do, context, items=items, instance=package, content=content)


def _package_page(
    request: HttpRequest, do: Any, context: dict[str, Any], *, spare: int = SPARE_ROWS, **parts: Any
) -> HttpResponse:
    """The form; with ``preview`` or ``more``, the same again with the sums or with more rows, and nothing saved."""
    context |= {"cancel_url": reverse("package-list"), "nav": "item-list"}
    if request.method != "POST":
        form = PackageForm(spare=spare, **parts)
    elif "preview" in request.POST or "more" in request.POST:
        preview = PackageForm(request.POST, **parts).preview()
        form = _as_typed(request.POST, more="more" in request.POST, **parts)
        return render(request, "catalog/package_form.html", {"form": form, "preview": preview, **context})
    else:
        form = PackageForm(request.POST, **parts)
    return act(
        request,
        form,
        lambda _values: do(form),
        template="catalog/package_form.html",
        context=lambda: {"preview": form.preview(), **context},
    )


def _as_typed(typed: QueryDict, *, more: bool, **parts: Any) -> PackageForm:
    """The form as it was filled in, not yet judged."""
    names = ("name", "code", "session_type", "description", "base_price", "estimated_editing_days", "active")
    initial = {name: typed.get(name, "") for name in names}
    rows = [
        (typed.get(f"{PREFIX}-{index}-item", ""), typed.get(f"{PREFIX}-{index}-quantity", ""))
        for index in range(MOST_ROWS)
        if f"{PREFIX}-{index}-DELETE" not in typed
    ]
    content = [row for row in rows if any(row)]
    return PackageForm(initial=initial, spare=SPARE_ROWS * 2 if more else SPARE_ROWS, **{**parts, "content": content})


def _items_by_id(also: list[int] | None = None) -> dict[int, Item]:
    """What may be put in a package: what is sold, and what is in it already."""
    rows = Item.objects.filter(Q(active=True) | Q(pk__in=also or [])).order_by("name", "id")
    return {item.pk: item for item in rows}


def _found(model: Any, pk: int) -> Any:
    record = model.objects.filter(pk=pk).first() if pk <= LARGEST_ID else None
    if record is None:
        raise NotFound
    return record
