"""Local chat models; judges of free texts: NLI and sentence embeddings on this machine, and NLI served over HTTP."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_transformers.batching import Work
    from guardrail_transformers.chat_model import LocalChatModel
    from guardrail_transformers.decoding import Drawing
    from guardrail_transformers.embeddings import EmbeddingEntailment
    from guardrail_transformers.local_requests import LocalRequest
    from guardrail_transformers.nli import NLIEntailment
    from guardrail_transformers.served import ServedNLIEntailment

__all__ = [
    "Drawing",
    "EmbeddingEntailment",
    "LocalChatModel",
    "LocalRequest",
    "NLIEntailment",
    "ServedNLIEntailment",
    "Work",
]

_PLACES = {
    "Drawing": "decoding",
    "EmbeddingEntailment": "embeddings",
    "LocalChatModel": "chat_model",
    "LocalRequest": "local_requests",
    "NLIEntailment": "nli",
    "ServedNLIEntailment": "served",
    "Work": "batching",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"guardrail_transformers.{_PLACES[name]}"), name)
