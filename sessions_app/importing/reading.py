"""Bytes to rows: whatever a spreadsheet saves as CSV. Values in, values out; what cannot be read says why."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass

MOST_BYTES = 2_000_000
MOST_ROWS = 20_000
MOST_COLUMNS = 100
LONGEST_CELL = 10_000
DELIMITERS = (",", ";", "\t")
# What spreadsheets and their like begin with when they were not saved as CSV.
NO_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
# No line of text has these; a tab, a line's end and a page's end may be there.
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# A cell that we once kept from being a formula (``studio.csv_files.defused``).
DEFUSED = re.compile(r"'(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


class Unreadable(Exception):
    """What is wrong with a file as a whole: ``why`` names it, ``figure`` is the number that its sentence needs."""

    def __init__(self, why: str, figure: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.figure = figure


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` is the one that a spreadsheet shows beside it."""

    number: int
    cells: list[str]

    def cell(self, place: int) -> str:
        return self.cells[place] if place < len(self.cells) else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    head: list[str]
    rows: list[Row]


def decoded(raw: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16 with its mark, in UTF-8 without, else in Latin-1 as Windows writes it.

    Raises ``Unreadable``: ``empty``, ``too_big``, ``no_text``.
    """
    if len(raw) > MOST_BYTES:
        raise Unreadable("too_big", MOST_BYTES)
    if raw.startswith(NO_TEXT):
        raise Unreadable("no_text")
    text = _text(raw).replace("\r\n", "\n").replace("\r", "\n")
    if CONTROLS.search(text):
        raise Unreadable("no_text")
    if not text.strip():
        raise Unreadable("empty")
    return text


def _text(raw: bytes) -> str:
    """A file that is no text has a character which ``decoded`` refuses."""
    is_wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return raw.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        # Five bytes mean nothing to Windows.
        return "\x00" if is_wide else raw.decode("cp1252", errors="replace")


def delimiter_of(text: str) -> str:
    """What stands between the headings of the first line, quoted ones left out; a comma where nothing does."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(DELIMITERS, key=bare.count)


def sheet_of(text: str, delimiter: str) -> Sheet:
    """Head and rows; empty rows are left out, and counted in the numbers.

    Raises ``Unreadable``: ``no_rows``, ``columns``, ``too_many``, ``long_cell``, ``broken``.
    """
    head: list[str] = []
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        for number, cells in enumerate(reader, start=1):
            if len(cells) > MOST_COLUMNS:
                raise Unreadable("columns", MOST_COLUMNS)
            tidy = [DEFUSED.sub("", cell.strip(), count=1) for cell in cells]
            if not any(tidy):
                continue
            if any(len(cell) > LONGEST_CELL for cell in tidy):
                raise Unreadable("long_cell", number)
            if not head:
                head = tidy
                continue
            rows.append(Row(number, tidy))
            if len(rows) > MOST_ROWS:
                raise Unreadable("too_many", MOST_ROWS)
    except csv.Error as wrong:
        raise Unreadable("broken", reader.line_num) from wrong
    if not rows:
        raise Unreadable("no_rows")
    return Sheet(head, rows)


def plain(text: str) -> str:
    """A word for comparing: small letters without accents, one space between words."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", letters))
