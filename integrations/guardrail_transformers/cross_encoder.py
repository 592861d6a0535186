"""A cross-encoder ready to use: tokenizer, model, and which of its outputs mean what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from guardrail_transformers.batching import Columns, Work, batches, padded, rows
from guardrail_transformers.bidirectional import Belief, Direction, outputs
from guardrail_transformers.sharing import Shared, not_loadable

RUNTIMES = ("torch", "onnx")
NO_LIMIT = 1_000_000
NOT_LOADED = (OSError, ValueError, RuntimeError, ImportError, KeyError)
"""What transformers and torch raise for models that are missing, broken or of an unknown kind."""


class Classifier(Protocol):
    """Runs the model."""

    config: Any

    def probabilities(self, columns: Columns) -> list[list[float]]: ...


@dataclass(frozen=True, kw_only=True)
class CrossEncoder:
    """A loaded NLI model. Safe to use from several threads."""

    tokenizer: Any
    classifier: Classifier
    limit: int

    def beliefs(
        self, directions: Sequence[Direction], *, labels: tuple[int, int], limit: int, size: int, tokens: int
    ) -> tuple[dict[Direction, Belief], Work]:
        """What the model believes of the directions that fit it, and what that took."""
        given = rows(self.tokenizer, [a for a, _ in directions], [b for _, b in directions])
        lengths = [len(row["input_ids"]) for row in given]
        found: dict[Direction, Belief] = {}
        work = Work(rounds=1)
        for batch in batches(lengths, limit=min(self.limit, limit), size=size, tokens=tokens):
            chances = self.classifier.probabilities(padded(self.tokenizer, [given[k] for k in batch]))
            for k, chance in zip(batch, chances, strict=True):
                found[directions[k]] = Belief(entailment=chance[labels[0]], contradiction=chance[labels[1]])
            work += Work(
                inputs=len(batch),
                batches=1,
                tokens=sum(lengths[k] for k in batch),
                padded_tokens=len(batch) * max(lengths[k] for k in batch),
            )
        return found, work

    def outputs(self, name: str, renamed: Mapping[str, str] | None) -> tuple[int, int]:
        """Which outputs mean entailment and contradiction; see ``bidirectional.outputs``."""
        return outputs(name, self.classifier.config.id2label, renamed)


def load(name: str, *, device: str, dtype: str, runtime: str) -> CrossEncoder:
    """The model of that name, loaded once in this process for one device, dtype and runtime.

    Raises:
        ConfigError: it cannot be loaded.
        MissingExtra: the runtime is not installed.
    """
    return _LOADED.get((name, device, dtype, runtime), lambda: _load(name, device, dtype, runtime))


_LOADED: Shared[CrossEncoder] = Shared()


def _load(name: str, device: str, dtype: str, runtime: str) -> CrossEncoder:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        classifier = _classifier(name, device, dtype, runtime)
    except NOT_LOADED as error:
        raise not_loadable("the NLI model", name, device, error) from error
    return CrossEncoder(tokenizer=tokenizer, classifier=classifier, limit=longest_input(tokenizer, classifier.config))


def _classifier(name: str, device: str, dtype: str, runtime: str) -> Classifier:
    if runtime == "onnx":
        from guardrail_transformers.onnx_runtime import OnnxClassifier

        return OnnxClassifier(name, device=device)
    from guardrail_transformers.torch_runtime import TorchClassifier

    return TorchClassifier(name, device=device, dtype=dtype)


def longest_input(tokenizer: Any, config: Any) -> int:
    """Tokens of an input, special ones included, that a model takes at most."""
    positions = getattr(config, "max_position_embeddings", None) or NO_LIMIT
    if "roberta" in getattr(config, "model_type", ""):
        positions -= 2  # its positions are counted from behind the padding index
    return int(min(tokenizer.model_max_length, positions))
