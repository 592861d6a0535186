"""What shapes a drawing besides the prompt: samples drawn otherwise do not spread alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from guardrail.codec import canonical

_SHAPING: Final = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "typical_p",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "repeat_penalty",
        "reasoning",
        "reasoning_effort",
        "thinking",
        "thinking_budget",
        "verbosity",
    }
)
_NESTED: Final = ("model_kwargs", "extra_body", "options", "generation_config", "generation_kwargs")


def shaping(settings: Mapping[str, Any], temperature: float | None = None) -> dict[str, str]:
    """Those of a request's settings that shape a drawing, as texts; ``temperature`` takes the place of theirs.

    Settings inside others (``extra_body`` and the like) count where they do not stand outside.
    """
    found: dict[str, Any] = {}
    for name in _NESTED:
        inner = settings.get(name)
        if isinstance(inner, Mapping):
            found.update(shaping(inner))
    found.update((name, value) for name, value in settings.items() if name in _SHAPING and value is not None)
    if temperature is not None:
        found["temperature"] = temperature
    return {name: _text(value) for name, value in sorted(found.items())}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    try:
        return canonical(value)
    except (TypeError, ValueError):
        return type(value).__name__
