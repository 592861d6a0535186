"""The judges of free texts that the benchmarks know by name."""

from __future__ import annotations

from guardrail.clustering import Entailment, ExactEntailment
from guardrail.errors import ConfigError
from tests.support.minilm import packaged_minilm

BACKENDS = "structure, embeddings[:FOLDER_OR_ID], nli:FOLDER_OR_ID, onnx:FOLDER_OR_ID, served:URL or judge:MODEL@URL"


def backend(name: str) -> Entailment:
    """The judge of that name; ``embeddings`` alone is all-MiniLM-L6-v2, from its package where that is installed.

    Raises:
        ConfigError: there is none, or it cannot be loaded.
    """
    kind, _, model = name.partition(":")
    if kind == "structure" and not model:
        return ExactEntailment()
    if kind in ("nli", "onnx") and model:
        from guardrail_transformers import NLIEntailment

        return NLIEntailment(model, runtime="onnx" if kind == "onnx" else "torch")
    if kind == "embeddings":
        from guardrail_transformers import EmbeddingEntailment
        from guardrail_transformers.embeddings import DEFAULT_MODEL

        return EmbeddingEntailment(model or packaged_minilm() or DEFAULT_MODEL)
    if kind == "served" and model:
        from guardrail_transformers import ServedNLIEntailment

        return ServedNLIEntailment(model)
    if kind == "judge" and "@" in model:
        return _judge(*model.split("@", 1))
    raise ConfigError(f"there is no backend {name!r}; use {BACKENDS}")


def _judge(model: str, url: str) -> Entailment:
    """A chat model behind an OpenAI-compatible address; the key, if one is needed, is in OPENAI_API_KEY."""
    import os

    from langchain_openai import ChatOpenAI

    from guardrail_langgraph.judge import ChatModelEntailment

    key = os.environ.get("OPENAI_API_KEY", "none")
    return ChatModelEntailment(ChatOpenAI(model=model, base_url=url, api_key=key), structured=True, timeout=300)
