"""Documents as PDF: letterhead, headings, facts, tables and a footer with pages, in one look.

    document = Document(_("Quote"), language="es", made_at=now, reference="S-2026-0042")
    document.facts([(_("Client"), session.client.name)])
    document.table([_("What"), _("Amount")], rows, align="lr", totals=[(_("Total"), money(total))])
    return pdf_response(document.build(), "quote-S-2026-0042.pdf")

All text is data: nothing in it is read as markup. Whoever writes the sentences does so in the document's language
(``translation.override``); only the footer is written here. The same calls give the same bytes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import cache
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from studio.conf import STUDIO
from studio.templatetags.atelier import clock

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, MUTED, RULE, TINT = HexColor("#1d2327"), HexColor("#5c666d"), HexColor("#c9cfd3"), HexColor("#f2f4f5")
MARGIN, FOOT = 18 * mm, 20 * mm
PAD = 6
WIDTH = letter[0] - 2 * MARGIN

# A cell of a table: a text, or a text with a smaller one below it.
Cell = str | tuple[str, str]

# ReportLab keeps its parser of paragraphs and its fonts in the module: two threads would mix theirs up.
_ONE_AT_A_TIME = threading.Lock()
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


class Document:
    """One document. The methods add to its end; ``build`` gives the bytes."""

    def __init__(self, title: str, language: str, *, made_at: datetime, reference: str = "") -> None:
        """``title`` and ``reference`` (a code, a number) stand in the letterhead, beside the studio's name; ``made_at``
        (aware) is said in the footer in the studio's zone."""
        self.title, self.reference, self.language, self.made_at = str(title), str(reference), language, made_at
        self._parts: list[Callable[[], list[Flowable]]] = []

    # --- What stands in it --------------------------------------------------------------

    def heading(self, text: str) -> None:
        # Not "keep with next": that would push a table of many pages off the page of its heading.
        self._parts.append(lambda: [CondPageBreak(30 * mm), Paragraph(_markup(text), _style("heading"))])

    def paragraph(self, text: str, *, muted: bool = False, strong: bool = False) -> None:
        name = "muted" if muted else "strong" if strong else "text"
        self._parts.append(lambda: [Paragraph(_markup(text), _style(name)), Spacer(0, 4)])

    def space(self, points: float = 8) -> None:
        self._parts.append(lambda: [Spacer(0, points)])

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Labels with their values, one below the other; a pair without a value is left out."""
        rows = [(str(label), str(value)) for label, value in pairs if value not in (None, "")]
        if rows:
            self._parts.append(lambda: [_facts(rows), Spacer(0, 8)])

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        *,
        align: str = "",
        totals: Sequence[tuple[Cell, str]] = (),
    ) -> None:
        """Rows under a header that is repeated on each page.

        ``align`` has a letter for each column, ``l`` or ``r``; columns on the right are as wide as they need, the
        others share the rest and wrap. ``totals`` stand below, a label and a figure each, the last one strong.
        """
        align = align or "l" * len(columns)
        body = [tuple(row) for row in rows]
        if len(align) != len(columns) or any(len(row) != len(columns) for row in body):
            raise ValueError("a table has as many cells in each row as it has columns")
        heads = [str(each) for each in columns]
        self._parts.append(lambda: [_table(heads, body, align), *_totals(totals), Spacer(0, 10)])

    # --- The bytes ----------------------------------------------------------------------

    def build(self) -> bytes:
        with _ONE_AT_A_TIME, translation.override(self.language):
            _fonts()
            story = [*self._letterhead(), *(flowable for part in self._parts for flowable in part())]
            target = BytesIO()
            template = SimpleDocTemplate(
                target,
                pagesize=letter,
                leftMargin=MARGIN - 6,  # a frame has a padding of its own
                rightMargin=MARGIN - 6,
                topMargin=MARGIN,
                bottomMargin=FOOT,
                title=f"{self.title} {self.reference}".strip(),
                author=STUDIO.name,
                creator="Atelier",
                producer="Atelier",
                lang=self.language,
                displayDocTitle=True,
                invariant=1,
                initialFontName=REGULAR,
            )
            template.build(story, canvasmaker=self._canvas)
            return target.getvalue()

    def _canvas(self, *args: Any, **kwargs: Any) -> Canvas:
        made = _("Made %(day)s at %(time)s (%(zone)s)") % {
            "day": full_day(self.made_at),
            "time": clock(self.made_at),
            "zone": STUDIO.time_zone,
        }
        running = " · ".join(filter(None, (STUDIO.name, self.title, self.reference)))
        return _NumberedCanvas(
            *args, running=_plain(running), made=made, pages=_("Page %(page)s of %(pages)s"), **kwargs
        )

    def _letterhead(self) -> list[Flowable]:
        title = [Paragraph(_markup(self.title), _style("title"))]
        if self.reference:
            title.append(Paragraph(_markup(self.reference), _style("reference")))
        head = Table(
            [[Paragraph(_markup(STUDIO.name), _style("studio")), title]],
            colWidths=[WIDTH * 0.55, WIDTH * 0.45],
            style=TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
                    ("LINEBELOW", (0, 0), (-1, -1), 1.2, INK),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
                ]
            ),
        )
        return [head, Spacer(0, 12)]


def full_day(value: date | datetime) -> str:
    """A day with its year, in the language in force: a document is read in another year too."""
    local = value.astimezone(STUDIO.zone) if isinstance(value, datetime) else value
    if (translation.get_language() or STUDIO.language).startswith("es"):
        return date_format(local, r"j \d\e F \d\e Y").lower()
    return date_format(local, "j F Y")


def pdf_response(content: bytes, filename: str) -> HttpResponse:
    """Shown by the browser, saved under its name, kept by no cache in between."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(as_attachment=False, filename=filename)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


# --- Type -----------------------------------------------------------------------------------


@cache
def _fonts() -> None:
    """DejaVu knows the signs that the fonts of PDF itself do not: ñ is in both, the minus and the euro are not."""
    directory = settings.BASE_DIR / "static" / "vendor" / "dejavu"
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(directory / f"{name}.ttf"), shapable=False))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


@cache
def _style(name: str) -> ParagraphStyle:
    base = {"fontName": REGULAR, "fontSize": 9, "leading": 12.5, "textColor": INK, "splitLongWords": 1}
    own: dict[str, dict[str, Any]] = {
        "text": {},
        "muted": {"textColor": MUTED, "fontSize": 8, "leading": 11},
        "strong": {"fontName": BOLD},
        "right": {"alignment": TA_RIGHT},
        "right-strong": {"alignment": TA_RIGHT, "fontName": BOLD},
        "right-muted": {"alignment": TA_RIGHT, "textColor": MUTED, "fontSize": 8, "leading": 11},
        "heading": {"fontName": BOLD, "fontSize": 11, "leading": 15, "spaceBefore": 6, "spaceAfter": 4},
        "studio": {"fontName": BOLD, "fontSize": 15, "leading": 19},
        "title": {"fontName": BOLD, "fontSize": 13, "leading": 17, "alignment": TA_RIGHT},
        "reference": {"textColor": MUTED, "alignment": TA_RIGHT},
    }
    return ParagraphStyle(name, **(base | own[name]))


def _plain(text: Any) -> str:
    """Without the signs that no font has: control characters, and those that turn the direction of what follows."""
    return _NOT_TEXT.sub("", str(text).replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))


def _markup(text: Any) -> str:
    """Text for a paragraph: escaped, its own line breaks kept."""
    return escape(_plain(text)).replace("\n", "<br/>")


# --- Tables ---------------------------------------------------------------------------------


def _cell(cell: Cell, side: str, *, strong: bool = False) -> list[Flowable]:
    text, note = cell if isinstance(cell, tuple) else (cell, "")
    right = side == "r"
    name = ("right-strong" if right else "strong") if strong else ("right" if right else "text")
    found: list[Flowable] = [Paragraph(_markup(text), _style(name))]
    if note:
        found.append(Paragraph(_markup(note), _style("right-muted" if right else "muted")))
    return found


def _natural(cell: Cell) -> float:
    """How wide a cell would be without wrapping."""
    texts = cell if isinstance(cell, tuple) else (cell,)
    return max(pdfmetrics.stringWidth(line, BOLD, 9) for text in texts for line in (_plain(text).split("\n") or [""]))


def _widths(heads: Sequence[str], rows: Sequence[Sequence[Cell]], align: str) -> list[float]:
    natural = [
        max(_natural(cell) for cell in (heads[column], *(row[column] for row in rows))) + 2 * PAD + 1
        for column in range(len(heads))
    ]
    share = WIDTH / len(heads)
    fixed = {at: min(width, 1.5 * share) for at, width in enumerate(natural) if align[at] == "r"}
    wrapping = [at for at in range(len(heads)) if at not in fixed]
    if not wrapping:
        scale = WIDTH / sum(fixed.values())
        return [fixed[at] * scale for at in range(len(heads))]
    rest = WIDTH - sum(fixed.values())
    # No column of words becomes thinner than a third of an even share, nor one text pushes the others out.
    wanted = {at: min(max(natural[at], rest / len(wrapping) / 3), rest) for at in wrapping}
    scale = rest / sum(wanted.values())
    return [fixed[at] if at in fixed else wanted[at] * scale for at in range(len(heads))]


def _table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], align: str) -> Table:
    data = [[_cell(head, side, strong=True) for head, side in zip(heads, align, strict=True)]]
    data += [[_cell(cell, side) for cell, side in zip(row, align, strict=True)] for row in rows]
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), TINT),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), PAD),
        ("RIGHTPADDING", (0, 0), (-1, -1), PAD),
        ("TOPPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ]
    # A row goes over to the next page as a whole, unless it is higher than a page.
    return Table(data, colWidths=_widths(heads, rows, align), repeatRows=1, splitInRow=1, style=TableStyle(style))


def _totals(totals: Sequence[tuple[Cell, str]]) -> list[Flowable]:
    if not totals:
        return []
    last = len(totals) - 1
    data = [
        [_cell(label, "r", strong=at == last), _cell(amount, "r", strong=at == last)]
        for at, (label, amount) in enumerate(totals)
    ]
    width = min(max(_natural(amount) for _label, amount in totals) + 2 * PAD + 1, WIDTH / 2)
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), PAD),
        ("RIGHTPADDING", (0, 0), (-1, -1), PAD),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("LINEABOVE", (1, last), (-1, last), 0.8, INK),
    ]
    return [KeepTogether([Spacer(0, 4), Table(data, colWidths=[WIDTH - width, width], style=TableStyle(style))])]


def _facts(rows: Sequence[tuple[str, str]]) -> Table:
    label_width = min(max(_natural(label) for label, _value in rows) + 2 * PAD, WIDTH * 0.35)
    data = [
        [Paragraph(_markup(label), _style("muted")), Paragraph(_markup(value), _style("text"))] for label, value in rows
    ]
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ]
    return Table(data, colWidths=[label_width, WIDTH - label_width], splitInRow=1, style=TableStyle(style))


class _NumberedCanvas(Canvas):
    """Keeps the pages until their number is known."""

    def __init__(self, *args: Any, running: str, made: str, pages: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept: list[dict[str, Any]] = []
        self._running, self._made, self._pages = running, made, pages

    def showPage(self) -> None:
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        count = len(self._kept)
        for number, state in enumerate(self._kept, start=1):
            self.__dict__.update(state)
            self._foot(number, count)
            super().showPage()
        super().save()

    def _foot(self, number: int, count: int) -> None:
        self.setFont(REGULAR, 7.5)
        self.setFillColor(MUTED)
        self.setStrokeColor(RULE)
        self.line(MARGIN, FOOT - 4 * mm, letter[0] - MARGIN, FOOT - 4 * mm)
        self.drawString(MARGIN, FOOT - 8 * mm, self._made)
        self.drawRightString(letter[0] - MARGIN, FOOT - 8 * mm, self._pages % {"page": number, "pages": count})
        if number > 1:
            self.drawString(MARGIN, letter[1] - MARGIN + 3 * mm, self._running)
