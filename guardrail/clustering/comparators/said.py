"""The words that a schema says already, so that a value which says them again says nothing more."""

from __future__ import annotations

import re
from functools import lru_cache

from guardrail.clustering import vocabulary
from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.wordforms import stem
from guardrail.clustering.naming import words

_WORD = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\([^()]*\)")
_CHOICE = re.compile(r"\b\w+(?:\s+or\s+\w+)+", re.IGNORECASE)
_EXAMPLES = re.compile(
    r"\b(?:e\.?g\b|i\.?e\b|such as|for example|for instance|examples?:|like|including|include|supports?|supported"
    r"|either|one of|can be|could be|options?|values?|default)",
    re.IGNORECASE,
)
_SAYS_MORE = (
    (vocabulary.SAY_MORE - {"of"} | vocabulary.NEGATION | vocabulary.RELATIVE | vocabulary.DIRECTED - {"of"})
    | frozenset(vocabulary.OPPOSITES)
    | frozenset(vocabulary.WEEKDAYS)
    | frozenset(vocabulary.COUNTS)
)


@lru_cache(maxsize=1024)
def schema_words(about: About) -> frozenset[str]:
    """The words by which the schema names the argument's thing, without examples and values."""
    plain = _CHOICE.sub(" ", _QUOTED.sub(" ", about.description))
    described = _EXAMPLES.split(plain, maxsplit=1)[0].split(". ")[0]
    found = {*words(about.name), *_WORD.findall(described.casefold())}
    found |= {word for word in about.beside if word.isalpha()}
    found |= {noun for word in found for noun in vocabulary.CLASSES.get(word, ())}
    legal = frozenset() if vocabulary.COMPANY.isdisjoint(found) else vocabulary.LEGAL_FORMS
    return frozenset(stem(word) for word in found if word not in _SAYS_MORE and word.isalpha()) | legal
