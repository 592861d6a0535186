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
_NEARLY_GREEDY_TOP_P: Final = 0.01
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


def greedy_setting(settings: Mapping[str, Any], temperature: float | None) -> str | None:
    """The setting that makes every sample the same, if there is one, also among those inside others."""
    top_p, min_p = settings.get("top_p"), settings.get("min_p")
    if settings.get("top_k") == 1:
        return "top_k=1"
    if settings.get("use_beam_search"):
        return "use_beam_search"
    if isinstance(top_p, int | float) and top_p <= _NEARLY_GREEDY_TOP_P:
        return f"top_p={top_p}"
    if isinstance(min_p, int | float) and min_p >= 1:
        return f"min_p={min_p}"
    if temperature is None and settings.get("temperature") == 0:
        return "temperature=0"
    nested = (value for name in _NESTED if isinstance(value := settings.get(name), Mapping))
    return next((found for value in nested if (found := greedy_setting(value, temperature))), None)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    try:
        return canonical(value)
    except (TypeError, ValueError):
        return type(value).__name__
