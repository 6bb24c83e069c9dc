"""The Spanish that people read: complete, intact, and in the studio's manner (screens, Everywhere)."""

import ast
import re
from pathlib import Path

import django
import polib
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.forms import EmailField, ValidationError
from django.utils import translation
from django.utils.formats import number_format
from django.utils.functional import Promise

from studio import django_words

CATALOGUE = polib.pofile(str(settings.BASE_DIR / "locale" / "es" / "LC_MESSAGES" / "django.po"))
ENTRIES = [entry for entry in CATALOGUE if not entry.obsolete]
OURS = ("studio", "catalog", "scheduling", "payments", "sessions_app")

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd%]|\{\w*\}")
TAG = re.compile(r"<[^>]+>")
# What the mock never says: it calls people tú, calmly.
LOUD_OR_FORMAL = re.compile(
    r"[¡!]|\b(usted|ustedes|vos|introduzca|seleccione|ingrese|asegúrese|por favor)\b", re.IGNORECASE
)


def spoken(entry: polib.POEntry) -> list[str]:
    """The translations of an entry: one, or one for each plural form."""
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def test_catalogue_is_complete_and_compiled():
    call_command("check_translations")


def test_catalogue_carries_nothing_dead():
    assert [entry.msgid for entry in CATALOGUE if entry.obsolete or entry.fuzzy] == []


def test_placeholders_survive_translation_with_or_without_a_format_flag():
    # Checked here without looking at the flags: a brace or a percent sign means the same to a reader.
    lost = [
        entry.msgid
        for entry in ENTRIES
        if not entry.msgid_plural
        and sorted(PLACEHOLDER.findall(entry.msgid)) != sorted(PLACEHOLDER.findall(entry.msgstr))
    ]
    assert lost == []


def test_plural_forms_say_the_number_whenever_english_does():
    for entry in (entry for entry in ENTRIES if entry.msgid_plural):
        assert sorted(entry.msgstr_plural) == [0, 1], entry.msgid
        assert set(PLACEHOLDER.findall(entry.msgid_plural)) == set(PLACEHOLDER.findall(entry.msgstr_plural[1])), (
            entry.msgid
        )


def test_markup_and_edges_survive_translation():
    for entry in ENTRIES:
        for text in spoken(entry):
            assert sorted(TAG.findall(entry.msgid)) == sorted(TAG.findall(text)), entry.msgid
            assert entry.msgid.endswith("…") == text.endswith("…"), entry.msgid
            assert text == text.strip(), entry.msgid


def test_spanish_is_calm_and_informal():
    assert [text for entry in ENTRIES for text in spoken(entry) if LOUD_OR_FORMAL.search(text)] == []


def test_sentences_end_as_english_ends_them():
    odd = [
        entry.msgid
        for entry in ENTRIES
        for text in spoken(entry)
        if entry.msgid.endswith((".", "?")) and entry.msgid[-1] != text[-1]
    ]
    assert odd == []


def test_sentences_of_django_are_still_those_of_django():
    # An upgrade that words them anew would quietly bring the formal ones back.
    theirs = {
        entry.msgid
        for part in ("conf", "contrib/auth", "contrib/admin")
        for entry in polib.pofile(str(Path(django.__file__).parent / part / "locale/es/LC_MESSAGES/django.po"))
    }
    source = ast.parse(Path(django_words.__file__).read_text())
    named = {call.args[0].value for call in ast.walk(source) if isinstance(call, ast.Call)}
    assert named - theirs == set()


def test_forms_speak_our_spanish():
    with translation.override("es"), pytest.raises(ValidationError) as refused:
        EmailField().clean("nobody")
    assert refused.value.messages == ["Escribe un correo válido."]


def test_names_of_records_and_fields_can_be_translated():
    # guardian's own two fields are not ours to name.
    foreign = {"SessionUserObjectPermission.permission", "SessionUserObjectPermission.user"}
    plain = set()
    for model in (model for label in OURS for model in apps.get_app_config(label).get_models()):
        assert isinstance(model._meta.verbose_name, Promise), model
        assert isinstance(model._meta.verbose_name_plural, Promise), model
        plain |= {
            f"{model.__name__}.{field.name}"
            for field in model._meta.local_fields
            if not field.primary_key and not isinstance(field.verbose_name, Promise)
        }
    assert plain == foreign


def test_figures_are_written_as_in_guatemala():
    with translation.override("es"):
        assert number_format("1250.50", force_grouping=True) == "1,250.50"
