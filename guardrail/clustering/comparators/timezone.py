"""Time zones by their names in the IANA database, whose links name the same zone."""

from __future__ import annotations

from functools import cache

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import needed


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two names are of one zone; None where one is no IANA name."""
    one, other = _zones().get(a.strip().casefold()), _zones().get(b.strip().casefold())
    return one == other if one and other else None


@cache
def _zones() -> dict[str, str]:
    core = needed("babel.core")
    aliases: dict[str, str] = core.get_global("zone_aliases")
    zones = {*core.get_global("zone_territories"), *aliases, *aliases.values()}
    return {zone.casefold(): aliases.get(zone, zone) for zone in zones}
