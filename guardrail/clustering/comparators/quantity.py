"""Units of measure and amounts in them: 1 km is 1000 m, mW is not MW."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import needed
from guardrail.clustering.numbers import read_number

_AMOUNT = re.compile(r"(?P<number>[-+]?[\d.,]*\d)\s*(?P<unit>\D.*)", re.ASCII)
_UNIT = re.compile(r"(?:[^\W\d_]|[°µ%/*· .()-]|[²³]|\^-?\d|\*\*-?\d|(?<=[^\W\d])-?\d\b){1,40}")
_DEGREES = re.compile(r"^(?:°|deg(?:rees?)?)\s*(?=[CFcfK]|[Kk]elvin)")
_DIGITS = 12
_TEMPERATURES = {"c": "degC", "f": "degF"}  # beside coulomb and farad

Reading = frozenset[tuple[str, str]]


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two units, or two amounts with units, are one; None where a unit is unknown."""
    one, other = _readings(a), _readings(b)
    return not one.isdisjoint(other) if one and other else None


@lru_cache(maxsize=4096)
def _readings(text: str) -> Reading:
    text = text.strip()
    match = _AMOUNT.fullmatch(text)
    number, unit = (read_number(match["number"]), match["unit"].strip()) if match else (Decimal(1), text)
    if number is None or not _UNIT.fullmatch(unit):
        return frozenset()
    unit = _DEGREES.sub("", unit)
    found = {_measure(number, one) for one in (unit, _TEMPERATURES.get(unit.casefold(), "")) if one}
    prefix = "amount" if match else "unit"
    return frozenset((f"{prefix} {kind}", size) for kind, size in (one for one in found if one))


def _measure(number: Decimal, unit: str) -> tuple[str, str] | None:
    registry, parsed = _registry(), None
    for spelling in (unit, unit.casefold()):  # letter case counts where both forms are units
        try:
            parsed = registry.parse_units(_plain(spelling))
        except Exception:  # noqa: BLE001, S112 - pint raises many kinds on texts that are no units
            continue
        break
    if parsed is None:
        return None
    try:
        quantity = registry.Quantity(number, parsed)
        based = quantity.to_base_units()
    except Exception:  # noqa: BLE001 - an offset unit inside a product and the like
        return None
    return str(based.units), f"{Decimal(based.magnitude):.{_DIGITS}E}"


def _plain(unit: str) -> str:
    return unit.replace("°", "deg").replace("²", "**2").replace("³", "**3").replace("·", "*")


@cache
def _registry() -> Any:
    return needed("pint").UnitRegistry(cache_folder=None, non_int_type=Decimal)
