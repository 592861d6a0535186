"""What other packages have registered by entry points of one group."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from guardrail.errors import ConfigError


def owner(entry: EntryPoint) -> str:
    """The package that registered it."""
    return entry.dist.name if entry.dist else entry.value


def registered(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Every entry by name; one that is found twice is one."""
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, {})[entry.value, owner(entry)] = entry
    return {name: tuple(entries.values()) for name, entries in found.items()}


def single(found: Mapping[str, tuple[EntryPoint, ...]], name: str, kind: str, *, known: str = "") -> EntryPoint:
    """The only entry of that name; ``known`` is added to the error where there is none.

    Raises:
        ConfigError: there is none, or several packages have registered one.
    """
    entries = found.get(name, ())
    if not entries:
        raise ConfigError(f"no installed package registers the {kind} {name!r}{known}")
    if len(entries) > 1:
        owners = " and by ".join(sorted({owner(entry) for entry in entries}))
        raise ConfigError(f"the {kind} {name!r} is registered by {owners}: uninstall all but one")
    return entries[0]
