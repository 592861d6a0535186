"""The tools that the server offers, as the guard takes them. All of it is the server's word: text and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from guardrail.types import ToolSpec

_RESERVED: Final = "io.modelcontextprotocol/"


def specs(listed: Sequence[Any]) -> tuple[ToolSpec, ...]:
    """The tools of a tools/list result that can be told apart and read; the others are unknown tools.

    Of a name that is listed twice nobody knows which tool would run: it has no annotations, as nothing is claimed.
    """
    found: dict[str, ToolSpec] = {}
    for one in listed:
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or not one["name"]:
            continue
        name = one["name"]
        if name in found:
            found[name] = replace(found[name], annotations={})
            continue
        found[name] = ToolSpec(
            name=name,
            description=_text(one.get("description")),
            parameters=_mapping(one.get("inputSchema")),
            annotations={key: value for key, value in _mapping(one.get("annotations")).items() if _hint(key, value)},
        )
    return tuple(found.values())


def structured(listed: Sequence[Any], name: str) -> bool:
    """Whether the tool promises structured results, which only it can give."""
    return any(isinstance(one, Mapping) and one.get("name") == name and "outputSchema" in one for one in listed)


def envelope(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a request of our own has to carry, by the version of the protocol that the client's request is of."""
    meta = _mapping((params or {}).get("_meta"))
    kept = {key: value for key, value in meta.items() if key.startswith(_RESERVED)}
    return {"_meta": kept} if kept else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _hint(key: str, value: object) -> bool:
    return isinstance(value, bool) or (key == "title" and isinstance(value, str))
