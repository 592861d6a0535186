"""The comparators by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module

from guardrail import comparing
from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import MissingLibraryError

_MODULES = {
    "number": "numeric",
    "quantity": "quantity",
    "money": "money",
    "date": "moment",
    "phone": "phone",
    "email": "mail",
    "url": "url",
    "path": "path",
    "place": "place",
    "person": "person",
    "organisation": "organisation",
    "language": "language",
    "timezone": "timezone",
    "shell": "shell",
    "sql": "sql",
    "code": "program",
    "regex": "regex",
    "math": "formula",
    "json": "json_text",
    "pitch": "pitch",
    "words": "wording",
}

FIELDS = tuple(name for name in _MODULES if name != "words")
"""Comparators that read a value in the terms of its field."""

EXACTING = frozenset(("number", "phone", "email", "url", "path", "shell", "sql", "code", "regex", "math", "json"))
"""Those among them whose values name one thing each or are read by a machine: no judge of language is asked."""

COMPARATORS = ("exact", "number", "set", "sequence", "text", "words", "ignore", *FIELDS[1:])
"""The comparators that a policy may name for an argument ("number:0.01" with a tolerance); the schema suggests one."""

_LONGEST = 500  # longer texts are neither names nor amounts, and are not kept
_OF_ANY_LENGTH = frozenset(("shell", "sql", "code", "regex", "json", "path", "url"))
_TOLERANCE = re.compile(r"\d+(\.\d+)?|\.\d+", re.ASCII)

Settle = Callable[[str, str, About], bool | None]


def check(name: comparing.Named) -> str:
    """What is wrong with the name of a comparator; "" if nothing."""
    if isinstance(name, comparing.Own) or (name not in COMPARATORS and name in comparing.names()):
        return ""
    plain, colon, option = name.partition(":")
    if plain not in COMPARATORS:
        return f"use one of {', '.join(COMPARATORS)}"
    if not colon:
        return ""
    if plain != "number":
        return f"{plain!r} takes no option; only number does (number:0.01)"
    return "" if _TOLERANCE.fullmatch(option) else "a tolerance is a plain number, at least 0 (number:0.01)"


def settle(name: str, a: str, b: str, about: About) -> bool | None:
    """What the comparator of that name says; None where it does not understand both texts, or lacks its library."""
    longest = max(len(a), len(b))
    if longest > _LONGEST and name not in _OF_ANY_LENGTH:
        return None
    return _settled(name, a, b, about) if longest <= _LONGEST else _asked(name, a, b, about)


@lru_cache(maxsize=16_384)
def _settled(name: str, a: str, b: str, about: About) -> bool | None:
    return _asked(name, a, b, about)


def _asked(name: str, a: str, b: str, about: About) -> bool | None:
    try:
        return _load(name)(a, b, about)
    except MissingLibraryError:
        return None


@cache
def _load(name: str) -> Settle:
    found: Settle = import_module(f"guardrail.clustering.comparators.{_MODULES[name]}").settle
    return found
