"""The message catalogues: what is missing in them, and the compiled form that Django reads.

Written with polib, so that neither an installation nor CI needs the gettext programs; only
collecting new sentences from the source (`makemessages`) does, on a developer's machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polib

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


def _placeholders_agree(entry: polib.POEntry) -> bool:
    """A plural form may leave the number out; nothing may use what is not given."""
    if entry.msgid_plural:
        given = set(PLACEHOLDER.findall(entry.msgid + entry.msgid_plural))
        return all(set(PLACEHOLDER.findall(form)) <= given for form in entry.msgstr_plural.values())
    # Without a format flag, a percent sign or a brace is only text.
    if not any(flag.endswith("-format") for flag in entry.flags):
        return True
    return set(PLACEHOLDER.findall(entry.msgid)) == set(PLACEHOLDER.findall(entry.msgstr))


def _messages(catalogue: polib.POFile | polib.MOFile) -> dict[tuple[str, str], object]:
    return {
        (entry.msgctxt or "", entry.msgid): (
            entry.msgstr,
            tuple(sorted(entry.msgstr_plural.items())),
        )
        for entry in catalogue
        if entry.translated() and not entry.obsolete
    }
