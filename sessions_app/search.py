"""Finding people and sessions by what somebody types: any words, in any order, by their beginnings."""

import re

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import models
from django.db.models import Expression, F, Func, Value
from django.db.models.functions import Coalesce, Concat, Lower

# Folding in SQL, because the `unaccent` extension is not everywhere. Both strings have the same length; punctuation
# becomes a space, so that a part of an e-mail or of a phone number is a word of its own.
FROM = "áàâäãåéèêëíìîïóòôöõúùûüñçýÿ@.-_+/()'"
TO = "aaaaaaeeeeiiiiooooouuuuncyy         "


def word_vector(*fields: str) -> Func:
    """The fields as a vector of words, lower case and without accents. Immutable: it is indexed as an expression."""
    parts: list[Expression] = []
    for name in fields:
        parts += [Coalesce(F(name), Value("")), Value(" ")]
    text = Lower(Concat(*parts, output_field=models.TextField()))
    return Func(
        Func(text, Value(FROM), Value(TO), function="translate", output_field=models.TextField()),
        template="to_tsvector('simple'::regconfig, %(expressions)s)",
        output_field=SearchVectorField(),
    )


def fold(text: str) -> str:
    return text.lower().translate(str.maketrans(FROM, TO))


def word_prefixes(text: str) -> SearchQuery | None:
    """Every word of the text as a prefix, all required; ``None`` when there is no word in it."""
    words = re.findall(r"[^\W_]+", fold(text))[:8]
    if not words:
        return None
    return SearchQuery(" & ".join(f"'{word}':*" for word in words), config="simple", search_type="raw")
