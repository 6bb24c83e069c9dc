"""Lists as CSV, for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse

# What makes a spreadsheet take a cell for a formula. The full-width signs are the same to some of them.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def defused(value: Any) -> str:
    """The text of a cell, never a formula: whoever typed it may not run in the reader's spreadsheet."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip().startswith(DANGEROUS) or text.startswith(DANGEROUS) else text


def csv_response(name: str, head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """A file that is written while it is read, so that a long list needs no memory. ``name`` without the ending."""
    response = StreamingHttpResponse(_written(head, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _written(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    # Without the mark, spreadsheets read accents wrong.
    yield BOM + writer.writerow([defused(cell) for cell in head])
    for row in rows:
        yield writer.writerow([defused(cell) for cell in row])
