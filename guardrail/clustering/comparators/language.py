"""Languages by name and code: "English" is "en", "en-US" is American English and not British."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import needed


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two texts name one language; None where one is unknown."""
    one, other = _names().get(_folded(a)), _names().get(_folded(b))
    return one == other if one and other else None


def _folded(text: str) -> str:
    return text.strip().replace("-", "_").casefold().removesuffix(" language")


@cache
def _names() -> dict[str, str]:
    """Codes by name and code; a code is that code, whatever language may be called so (En is spoken in Vietnam)."""
    english = needed("babel").Locale("en")
    names: dict[str, set[str]] = defaultdict(set)
    codes: dict[str, str] = {}
    for language in needed("pycountry").languages:
        short = getattr(language, "alpha_2", language.alpha_3)
        names[_folded(language.name)].add(short)
        for code in (language.alpha_3, getattr(language, "bibliographic", short)):
            codes[code] = short
    for code, name in english.languages.items():
        names[_folded(name)] = {codes.get(code, code)}
        codes.setdefault(_folded(code), code)
    found = {name: known.pop() for name, known in names.items() if len(known) == 1}
    return {**found, **codes}
