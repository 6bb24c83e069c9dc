"""The message catalogues: what is missing in them, and the compiled form that Django reads.

Written with polib, so that neither an installation nor CI needs the gettext programs; only
writing new sentences into the catalogues (`makemessages`) does, on a developer's machine.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
from django.utils.translation.template import templatize

# A sentence as the source has it: its context (empty for most) and its words.
Sentence = tuple[str, str]

# How many of the first arguments are a context, and how many are words.
MARKERS = {
    "_": (0, 1),
    "gettext": (0, 1),
    "gettext_lazy": (0, 1),
    "gettext_noop": (0, 1),
    "ngettext": (0, 2),
    "ngettext_lazy": (0, 2),
    "pgettext": (1, 1),
    "pgettext_lazy": (1, 1),
    "npgettext": (1, 2),
    "npgettext_lazy": (1, 2),
}
MARKER_IN_TEMPLATE = re.compile(r"\b(?:_|n?p?gettext)\(")
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")


def catalogues(locale: Path) -> list[Path]:
    """Every .po file under a locale directory."""
    return sorted(locale.glob("*/LC_MESSAGES/*.po"))


def compiled(source: Path) -> Path:
    """Where the compiled form of a .po file lies."""
    return source.with_suffix(".mo")


def write_compiled(source: Path) -> None:
    """Make the .mo of a .po file."""
    polib.pofile(str(source)).save_as_mofile(str(compiled(source)))


def faults(source: Path) -> Iterator[str]:
    """What is wrong with a catalogue, a sentence each: missing, fuzzy, misfit, out of date.

    English is the language of the source: its catalogue may leave a sentence as it is.
    """
    catalogue = polib.pofile(str(source))
    is_english = source.parent.parent.name == "en"
    for entry in catalogue:
        where = f"{source.parent.parent.name}: {entry.msgid!r}"
        if entry.obsolete:
            continue
        if entry.fuzzy:
            yield f"{where} is fuzzy"
        elif not entry.translated() and not is_english:
            yield f"{where} is not translated"
        elif entry.translated() and not _placeholders_agree(entry):
            yield f"{where} has other placeholders in its translation"
    target = compiled(source)
    if not target.exists() or _messages(polib.mofile(str(target))) != _messages(catalogue):
        yield f"{target.name} of {source.parent.parent.name} is out of date: compile_translations"


def absent(source: Path, used: dict[Sentence, str]) -> Iterator[str]:
    """The sentences of the source code that a catalogue does not have."""
    known = {(entry.msgctxt or "", entry.msgid) for entry in polib.pofile(str(source)) if not entry.obsolete}
    for sentence, where in sorted(used.items()):
        if sentence not in known:
            yield f"{source.parent.parent.name}: {sentence[1]!r} of {where} is not there: makemessages"


def sentences_in(base: Path, packages: list[str]) -> dict[Sentence, str]:
    """Every sentence that the code and the templates mark for translation, and a file that does."""
    found: dict[Sentence, str] = {}
    for package in packages:
        for path in sorted((base / package).rglob("*.py")):
            if "migrations" not in path.parts:
                found |= dict.fromkeys(_marked(ast.parse(path.read_text())), str(path.relative_to(base)))
    for path in sorted((base / "templates").rglob("*")):
        if path.suffix in (".html", ".txt"):
            # What makemessages gives to xgettext: calls like Python's, amid the rest made unreadable.
            text = templatize(path.read_text())
            for call in MARKER_IN_TEMPLATE.finditer(text):
                found |= dict.fromkeys(_marked(_call_at(text, call.start())), str(path.relative_to(base)))
    return found


def _marked(tree: ast.AST) -> Iterator[Sentence]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        contexts, words = MARKERS.get(name, (0, 0))
        given = [each.value if isinstance(each, ast.Constant) else None for each in node.args[: contexts + words]]
        if words and len(given) == contexts + words and all(isinstance(each, str) for each in given):
            yield (given[0] if contexts else "", given[contexts])


def _call_at(text: str, start: int) -> ast.AST:
    """The call that begins there; it ends at the first bracket with which it can be read."""
    end = start
    while (end := text.find(")", end) + 1) > 0:
        try:
            return ast.parse(text[start:end])
        except SyntaxError:
            continue
    return ast.Module(body=[], type_ignores=[])


def _placeholders_agree(entry: polib.POEntry) -> bool:
    """A plural form may leave the number out; nothing may use what is not given."""
    if entry.msgid_plural:
        given = set(PLACEHOLDER.findall(entry.msgid + entry.msgid_plural))
        return all(set(PLACEHOLDER.findall(form)) <= given for form in entry.msgstr_plural.values())
    # Without a format flag, a percent sign or a brace is only text.
    if not any(flag.endswith("-format") for flag in entry.flags):
        return True
    return set(PLACEHOLDER.findall(entry.msgid)) == set(PLACEHOLDER.findall(entry.msgstr))


def _messages(catalogue: polib.POFile | polib.MOFile) -> dict[Sentence, object]:
    """The translated sentences; a compiled catalogue holds no others."""
    entries = catalogue.translated_entries() if isinstance(catalogue, polib.POFile) else catalogue
    return {
        (entry.msgctxt or "", entry.msgid): (entry.msgstr, tuple(sorted(entry.msgstr_plural.items())))
        for entry in entries
    }
