"""The living style page, served for the tests of the look, with the frame's usual addresses around it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from django.utils import translation

from studio.conf import STUDIO
from studio.templatetags.atelier import STATE_CLASSES
from studio.timeline import Lane, Taken, draw
from tests.studio import frame_urls

NOW = datetime(2026, 11, 21, 10, 42, tzinfo=STUDIO.zone)
STYLE = Path(__file__).with_name("style.html")


class Wrong(forms.Form):
    """A form of every kind of field, each with an error."""

    client = forms.CharField(label="Cliente", help_text="Nombre, teléfono o correo.")
    kind = forms.ChoiceField(label="Tipo", choices=[("s", "Estudio"), ("e", "Externa")])
    date = forms.DateField(label="Fecha", widget=forms.DateInput(attrs={"type": "date"}))
    amount = forms.DecimalField(label="Depósito")
    minutes = forms.IntegerField(label="Viaje", help_text="Antes y después.")
    who = forms.ChoiceField(
        label="Quién cancela", choices=[("c", "Cliente"), ("s", "Estudio")], widget=forms.RadioSelect
    )
    notes = forms.CharField(label="Notas", widget=forms.Textarea(attrs={"rows": 3}))
    remote = forms.BooleanField(label="Fuera de la ciudad")

    def clean(self) -> None:
        raise forms.ValidationError("La sala A está tomada de 14:00 a 16:30.")


class Filter(forms.Form):
    q = forms.CharField(label="Buscar", required=False)
    state = forms.ChoiceField(label="Estado", choices=[("", "Todos"), ("a", "Confirmada")], required=False)
    since = forms.DateField(label="Desde", required=False, widget=forms.DateInput(attrs={"type": "date"}))


def hour(clock: float) -> datetime:
    return NOW.replace(hour=0, minute=0) + timedelta(hours=clock)


def context() -> dict[str, Any]:
    lanes = [
        Lane("Sala A", [Taken(hour(9), hour(11), "Retrato · López", "s-assigned", "#")]),
        Lane("Sala B", [Taken(hour(10), hour(12), "Retenido · Paz", "s-prescheduled held", "#")]),
        Lane("Diego", [Taken(hour(13), hour(19.5), "Boda Méndez (viaje incl.)", "s-confirmed", "#")]),
        Lane("Lucía", [Taken(hour(0), hour(24), "Día libre", "off")]),
    ]
    names = ["Solicitud", "Negociación", "Pre-agendada", "Confirmada", "Asignada", "Asistida", "En edición", "Lista"]
    return {
        "now": NOW,
        "day": draw(lanes, day=NOW.date(), zone=STUDIO.zone, now=NOW),
        "steps": [
            {
                "label": name,
                "when": NOW if place < 4 else None,
                "stage": "done" if place < 3 else "now" if place == 3 else "ahead",
            }
            for place, name in enumerate([*names, "Completada"])
        ],
        "moves": [
            {
                "name": "assign",
                "label": "Asignar",
                "url": "#",
                "kind": "primary",
                "reason": "posible desde el 21 de noviembre, cuando venza el plazo de cambios.",
            },
            {"name": "reopen", "label": "Reabrir negociación", "url": "#", "method": "post"},
            {"name": "cancel", "label": "Cancelar…", "url": "#", "kind": "danger"},
        ],
        "states": [(value, value) for value in STATE_CLASSES],
        "chips": [
            {"label": "Todas", "url": "?", "is_current": True, "count": 44},
            {"label": "Sin recursos", "url": "?", "is_current": False, "count": 0},
        ],
        "facts": [("Fecha", "sábado 28 nov, 14:00 a 16:30"), ("Sala", "Sala A"), ("Nada", None)],
        "money_lines": [
            {"label": "Total", "amount": Decimal("2300")},
            {"label": "Depósito", "amount": Decimal("1150"), "note": "verificado, transferencia"},
            {"label": "Reembolso pendiente", "amount": None, "kind": "bad"},
            {"label": "Saldo", "amount": Decimal("1150"), "kind": "sum"},
        ],
        "lines": [
            {"text": "Depósito verificado", "amount": Decimal("1150"), "why": "Transferencia BI-88213"},
            {"text": "Retenido", "amount": Decimal("-575"), "why": "50 % fuera del plazo"},
        ],
        "effects": [
            {"icon": "cash-coin", "text": "Se devuelven Q 1,150.00.", "why": "100 % dentro del plazo."},
            {"icon": "envelope", "text": "Se envía un correo a sofia@example.com."},
        ],
        "events": [
            {"at": NOW, "title": "Confirmada", "by": "Carlos", "why": "Correo enviado"},
            {"at": NOW, "title": "Solicitud", "by": ""},
        ],
        "page": Paginator(range(100), 10).page(3),
        "form": Wrong({"client": "x" * 80, "amount": "-"}),
        "filter_form": Filter({}),
    }


def style(request: HttpRequest, language: str) -> HttpResponse:
    """Every component once."""
    with translation.override(language):
        request.LANGUAGE_CODE = language
        template = engines["django"].from_string(STYLE.read_text())
        return HttpResponse(template.render(context(), request))


urlpatterns = [path("style/<str:language>/", style, name="style"), *frame_urls.urlpatterns]
handler404 = "studio.views.page_not_found"
