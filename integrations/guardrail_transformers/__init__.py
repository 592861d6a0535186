"""Local models through transformers and torch: an NLI cross-encoder that judges free texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_transformers.nli import NLIEntailment

__all__ = ["NLIEntailment"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from guardrail_transformers import nli

    return getattr(nli, name)
