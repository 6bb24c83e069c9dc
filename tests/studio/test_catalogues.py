"""What check_translations finds: every way in which a Spanish reader would meet English."""

from pathlib import Path

import polib
import pytest

from studio import catalogues


@pytest.fixture
def spanish(tmp_path: Path) -> Path:
    """A complete catalogue of one sentence, compiled."""
    source = tmp_path / "locale" / "es" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    write(source, polib.POEntry(msgid="%(count)s rooms", msgstr="%(count)s salas", flags=["python-format"]))
    catalogues.write_compiled(source)
    return source


def write(source: Path, *entries: polib.POEntry) -> None:
    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    catalogue.extend(entries)
    catalogue.save(str(source))


def test_complete_catalogue_has_no_fault(spanish):
    assert list(catalogues.faults(spanish)) == []


def test_missing_translation_is_found(spanish):
    write(spanish, polib.POEntry(msgid="Rooms", msgstr=""))
    assert any("not translated" in fault for fault in catalogues.faults(spanish))


def test_fuzzy_translation_is_found(spanish):
    write(spanish, polib.POEntry(msgid="Rooms", msgstr="Clientes", flags=["fuzzy"]))
    assert any("fuzzy" in fault for fault in catalogues.faults(spanish))


def test_placeholder_lost_in_translation_is_found(spanish):
    write(spanish, polib.POEntry(msgid="%(count)s rooms", msgstr="%(cuenta)s salas", flags=["python-format"]))
    assert any("placeholders" in fault for fault in catalogues.faults(spanish))


def test_plural_may_leave_the_number_out_but_not_invent_one(spanish):
    forms = {0: "una sala", 1: "%(count)s salas"}
    entry = polib.POEntry(msgid="%(count)s room", msgid_plural="%(count)s rooms", msgstr_plural=forms)
    write(spanish, entry)
    catalogues.write_compiled(spanish)
    assert list(catalogues.faults(spanish)) == []
    entry.msgstr_plural = {0: "una sala", 1: "%(number)s salas"}
    write(spanish, entry)
    catalogues.write_compiled(spanish)
    assert any("placeholders" in fault for fault in catalogues.faults(spanish))


def test_compiled_file_behind_its_source_is_found(spanish):
    write(spanish, polib.POEntry(msgid="Rooms", msgstr="Salas"))
    assert any("out of date" in fault for fault in catalogues.faults(spanish))
    catalogues.write_compiled(spanish)
    assert list(catalogues.faults(spanish)) == []


def test_sentences_are_collected_from_code_and_templates(tmp_path, spanish):
    package, templates = tmp_path / "rooms", tmp_path / "templates"
    package.mkdir()
    templates.mkdir()
    (package / "models.py").write_text(
        'A = _("Room " "taken (today)")\nB = ngettext("%(count)s rooms", "%(count)s rooms", 2)\n'
        'C = pgettext("a verb", "Book")\nD = _(name)\n'
    )
    (templates / "list.html").write_text(
        '{% load i18n %}<p title="{% translate "All rooms (open)" %}">{% blocktranslate with n=name %}'
        "Room {{ n }} is free{% endblocktranslate %}{{ _('Close') }}</p>"
    )
    used = catalogues.sentences_in(tmp_path, ["rooms"])
    assert set(used) == {
        ("", "Room taken (today)"),
        ("", "%(count)s rooms"),
        ("a verb", "Book"),
        ("", "All rooms (open)"),
        ("", "Room %(n)s is free"),
        ("", "Close"),
    }
    missing = list(catalogues.absent(spanish, used))
    assert len(missing) == 5
    assert any("'Book' of rooms/models.py" in each for each in missing)
