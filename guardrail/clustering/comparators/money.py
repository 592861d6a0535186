"""Currencies by code, name and symbol, and amounts of money."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import needed
from guardrail.clustering.numbers import number_key, read_number

_NUMBER = re.compile(r"[-+]?\d[\d.,]*", re.ASCII)
_SPACES = re.compile(r"[\s_-]+")
_LONGEST = 60


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two currencies, or two amounts with one, are the same; None where a currency is unknown."""
    one, other = _reading(a), _reading(b)
    return one == other if one and other else None


def _reading(text: str) -> tuple[str, str] | None:
    text = text.strip()
    numbers = _NUMBER.findall(text)
    if len(text) > _LONGEST or len(numbers) > 1:
        return None
    name, amount = text, ""
    if numbers:
        number = read_number(numbers[0].rstrip(".,"))
        before, _, after = text.partition(numbers[0])
        if number is None or (before.strip() and after.strip()):
            return None
        name, amount = f"{before}{after}".strip(), number_key(number)
    code = _names().get(_folded(name))
    return (code, amount) if code else None


def _folded(name: str) -> str:
    return _SPACES.sub(" ", name).strip(" .").casefold()


@cache
def _names() -> dict[str, str]:
    """Currency by name. A bare "dollar" is the currency that English writes with the bare symbol."""
    english = needed("babel").Locale("en")
    numbers = needed("babel.numbers")
    found: dict[str, set[str]] = defaultdict(set)
    bare: dict[str, dict[str, bool]] = defaultdict(dict)
    for currency in needed("pycountry").currencies:
        code = currency.alpha_3
        symbol = english.currency_symbols.get(code, code)
        names = {numbers.get_currency_name(code, count=count, locale="en") for count in (None, 1, 2)}
        for name in {code, symbol, currency.name, *names}:
            found[_folded(name)].add(code)
        lone = not any(letter.isalpha() for letter in symbol)
        for name in names:
            bare[_folded(name).rpartition(" ")[2]][code] = lone
    for word, codes in bare.items():
        plain = [code for code, lone in codes.items() if lone or len(codes) == 1]
        if len(plain) == 1:
            found[word] = set(plain)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1}
