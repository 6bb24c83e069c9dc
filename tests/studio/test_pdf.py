"""Documents on paper: every sign, long tables, nothing of the text taken for markup, the same bytes again."""

from datetime import UTC, datetime

import pytest

from studio.conf import STUDIO
from studio.pdf import Document, full_day, pdf_response
from tests.factories.pdf_text import pages_of, text_of

MADE = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)


def document(language="en", **values):
    return Document("Quote", language, made_at=MADE, **values)


def test_signs_outside_of_latin_1_are_written():
    paper = document()
    paper.paragraph("Peña – 20 € \N{MINUS SIGN} «ok»")
    assert "Peña – 20 € \N{MINUS SIGN} «ok»" in text_of(paper.build())


@pytest.mark.parametrize(
    "text", ["<b>bold</b>", "<img src='file:///etc/passwd'/>", "a & b", "</para>", "&#0;", "%(x)s"]
)
def test_text_is_never_markup(text):
    paper = document(reference=text)
    paper.heading(text)
    paper.paragraph(text)
    paper.facts([(text, text)])
    paper.table([text], [[(text, text)]], totals=[((text, text), text)])
    assert text_of(paper.build()).count(text) >= 9


def test_signs_without_a_shape_are_left_out():
    paper = document()
    paper.paragraph("a\x00b\x1b\u202ec\ud800d\ufeff")
    assert "abcd" in text_of(paper.build())


def test_long_table_repeats_its_header_on_each_page_and_counts_them():
    paper = document()
    paper.heading("Lines")
    paper.table(["What", "Amount"], [(f"line {n}", str(n)) for n in range(120)], align="lr")
    pages = pages_of(paper.build())
    assert len(pages) > 2
    assert "Lines" in pages[0] and "line 0" in pages[0]
    for number, page in enumerate(pages, start=1):
        assert "What" in page and f"Page {number} of {len(pages)}" in page
    text = " ".join(pages)
    assert all(f"line {n}\n" in text for n in range(120))


@pytest.mark.parametrize("text", ["W" * 10_000, "word " * 2_000, "\n".join("l" * 500)])
def test_cell_higher_than_a_page_goes_over(text):
    paper = document()
    paper.table(["What", "Amount"], [((text, text), "1"), ("end", "2")], align="lr")
    paper.facts([("Note", text)])
    pages = pages_of(paper.build())
    assert len(pages) > 2 and any("end" in page for page in pages)


def test_footer_says_when_in_the_studios_zone_and_the_documents_language():
    with STUDIO.overridden(time_zone="America/Guatemala"):
        assert "November 2026 at 11:00 (America/Guatemala)" in text_of(document().build())


def test_same_calls_give_the_same_bytes():
    def made():
        paper = document(reference="S-1")
        paper.facts([("Client", "Ana"), ("Nothing", "")])
        paper.table(["a"], [["b"]])
        return paper.build()

    assert made() == made() and b"Nothing" not in made()


def test_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="as many cells"):
        document().table(["a", "b"], [["only one"]])


def test_answer_is_shown_under_its_name_and_never_sniffed(settings):
    answer = pdf_response(b"%PDF-", 'año "x"\r\n.pdf')
    assert answer["Content-Type"] == "application/pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("inline") and "\n" not in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]


def test_day_has_its_year_always():
    assert full_day(MADE).endswith("2026")
