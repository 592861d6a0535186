"""The request behind a plan of a local model, and how tokens may be chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from guardrail.codec import digest
from guardrail.errors import ConfigError
from guardrail.types import ToolSpec
from guardrail_transformers.decoding import Drawing

GREEDY: Final = Drawing(temperature=0.0)
"""The likeliest token at each place."""


@dataclass(frozen=True, kw_only=True)
class LocalRequest:
    """The request that planned a step: the conversation, the tools, and the prompt that they were rendered to.

    Samples are drawn behind this prompt. ``drawing`` is how the plan was drawn, which samples do not take over.
    """

    model: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[ToolSpec, ...]
    prompt: str
    drawing: Drawing = GREEDY

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's name, the prompt and how the plan was drawn."""
        return digest("local/v1", self.model, self.prompt, asdict(self.drawing))


def checked_drawing(drawing: Drawing) -> Drawing:
    """The drawing, if tokens can be chosen so.

    Raises:
        ConfigError: they cannot.
    """
    if not (0 <= drawing.temperature < float("inf") and 0 < drawing.top_p <= 1 and drawing.top_k >= 0):
        raise ConfigError(
            "temperature must be at least 0, top_p in (0, 1] and top_k at least 0, "
            f"but they are {drawing.temperature}, {drawing.top_p} and {drawing.top_k}"
        )
    return drawing
