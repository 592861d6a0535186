"""Requests whose calls could not be held: what the provider carries out by itself runs before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from guardrail.errors import ConfigError
from guardrail.sampling.plain import items, mapping, snapshot, text

_OURS: Final = frozenset({"function", "custom", "local_shell", "apply_patch"})
_ANYWAY: Final = "; give allow_hosted=True if that may happen without a verdict"


def check_request(arguments: Mapping[str, Any], *, allow_hosted: bool) -> None:
    """Refuse a request whose plan could not be assessed and held as a whole.

    Raises:
        ConfigError: it asks for several plans, or for calls that cannot be held.
    """
    asked = mapping(snapshot(arguments))
    body = mapping(asked.get("extra_body"))
    everything = {**asked, **body}
    if everything.get("n") not in (None, 1):
        raise ConfigError(
            f"n={everything['n']} asks for several plans, and only one can be carried out: leave n out, the guard "
            "draws its samples itself"
        )
    if everything.get("background"):
        raise ConfigError("background=True returns before the plan is there, so it could not be assessed: leave it out")
    if everything.get("functions"):
        raise ConfigError("functions give calls without ids, which cannot be told apart: give them as tools")
    for tool in [*items(asked.get("tools")), *items(body.get("tools"))]:
        kind = text(tool.get("type")) or "function"
        if kind.startswith("computer"):
            raise ConfigError("a computer call that is held cannot be answered in words: leave the computer tool out")
        if not allow_hosted and (why := _hosted(tool, kind)):
            raise ConfigError(why + _ANYWAY)
    if not allow_hosted and everything.get("web_search_options") is not None:
        raise ConfigError("web_search_options lets the provider search by itself, before anybody is asked" + _ANYWAY)
    if not allow_hosted and everything.get("prompt") is not None:
        raise ConfigError("a stored prompt may have tools that the provider carries out by itself" + _ANYWAY)


def _hosted(tool: Mapping[str, Any], kind: str) -> str:
    """Why the calls of a tool cannot be held, if they cannot."""
    if kind in _OURS:
        return ""
    if kind == "mcp":
        label = text(tool.get("server_label")) or "an MCP server"
        if tool.get("require_approval", "always") == "always":
            return ""
        return f'the provider calls tools of {label} by itself: set its require_approval to "always"'
    if kind == "shell" and text(mapping(tool.get("environment")).get("type")) in ("", "local"):
        return ""
    return f"the provider carries out the tool {kind!r} by itself, before anybody is asked"
