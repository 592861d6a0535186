"""Sentence embeddings with a guard as judge of whether two texts mean the same: the CPU-cheap middle way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from guardrail.clustering import TextPair, never_same, wording
from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers.batching import Tally, Work, batches, padded, rows
from guardrail_transformers.cross_encoder import NOT_LOADED, longest_input
from guardrail_transformers.sharing import Shared, not_loadable, resolved_device
from guardrail_transformers.torch_runtime import TorchEncoder, checked_dtype

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
"""Apache-2.0, 22.7 M parameters, 384 numbers a text, trained on a billion sentence pairs. English."""


class EmbeddingEntailment:
    """Judges texts by the cosine of their embeddings, behind a guard; ``Entailment`` and ``AsyncEntailment``.

    A cosine is high between any two texts on one subject, opposites included, so it decides only what a
    guard leaves open. Texts differ, whatever the cosine, if they differ in numbers, dates, negations,
    units, currencies, opposites, names or the order of their parts (``guardrail.clustering.never_same``),
    or if only one of them has a content word more. Where both say the same content words in other
    forms, ``same_words`` is the cosine asked for. Where each has words that the other lacks beside words
    that both share ("fix the printer", "repair the printer"), ``threshold`` is. Texts without a word in
    common differ.

    Equal texts are equal; a blank text equals no other; texts too long for the model differ. The model is
    loaded on first use and shared in this process. An embedding is the mean of the token states.

    Args:
        model: a folder, or an identifier on the Hugging Face hub.
        threshold: cosine asked for where words differ, in [0.5, 1].
        same_words: cosine asked for where the content words are the same, in [0.5, 1].
        question: words of an argument's description, where it is a question, say nothing new in a text.
        device: where torch runs it ("cpu", "cuda", "cuda:1", "mps"), or "auto".
        dtype: "float32", "bfloat16" or "float16".
        batch_size: texts in one forward pass, at most.
        batch_tokens: tokens in one forward pass, padding included, at most.

    Raises:
        ConfigError: an argument cannot be used.
        MissingExtra: torch or transformers is not installed.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        threshold: float = 0.9,
        same_words: float = 0.7,
        question: bool = False,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int = 256,
        batch_tokens: int = 2048,
    ) -> None:
        if not (0.5 <= threshold <= 1 and 0.5 <= same_words <= 1):
            raise ConfigError(f"threshold and same_words must lie in [0.5, 1], but are {threshold} and {same_words}")
        if batch_size < 1 or batch_tokens < 1:
            raise ConfigError(f"batch_size and batch_tokens must be at least 1, but are {batch_size}, {batch_tokens}")
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtra("EmbeddingEntailment", "transformers")
        self.name = f"embeddings:{model}"
        self._model = str(model)
        self._threshold = threshold
        self._same_words = same_words
        self._question = question
        self._device = device
        self._dtype = checked_dtype(dtype)
        self._size = batch_size
        self._tokens = batch_tokens
        self._tally = Tally()
        self._loaded: _Embedder | None = None

    @property
    def stats(self) -> Work:
        """What this object has put through the model so far."""
        return self._tally.total

    def load(self) -> None:
        """Loads the model now instead of on first use.

        Raises:
            ConfigError: it cannot be loaded.
        """
        self._ready()

    def equivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """Whether each pair means the same, in the pairs' order.

        Raises:
            ConfigError: the model cannot be loaded.
            EntailmentError: the model failed.
        """
        needed = [self._needed(pair) for pair in pairs]
        texts = sorted({text for pair, bar in zip(pairs, needed, strict=True) if bar for text in (pair.a, pair.b)})
        found: Mapping[str, Any] = {}
        if texts:
            embedder = self._ready()
            try:
                found, work = embedder.embed(texts, size=self._size, tokens=self._tokens)
            except RuntimeError as error:  # what torch raises, out of memory included
                raise EntailmentError(f"the embedding model {self._model} failed: {error}") from error
            self._tally.add(work + Work(pairs=sum(bar is not None for bar in needed)))
            if not all(math.isfinite(float(vector.sum())) for vector in found.values()):
                raise EntailmentError(
                    f"the embedding model {self._model} gave a number that is not finite; load it in float32"
                )
        return [
            pair.a == pair.b or (bar is not None and _cosine(found, pair) >= bar)
            for pair, bar in zip(pairs, needed, strict=True)
        ]

    async def aequivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """As ``equivalent``, in a thread of its own."""
        return await asyncio.to_thread(self.equivalent, pairs)

    def _needed(self, pair: TextPair) -> float | None:
        """The cosine that would make two texts one meaning; None where none would."""
        if pair.a == pair.b or not pair.a.strip() or not pair.b.strip() or never_same(pair.a, pair.b):
            return None
        found = wording(pair.a, pair.b, said=self._said(pair))
        if not found.only_a and not found.only_b:
            return self._same_words
        return self._threshold if found.shared and not found.adds else None

    def _said(self, pair: TextPair) -> str:
        asks = self._question and pair.description.rstrip().endswith("?")
        return f"{pair.argument} {pair.description}" if asks else pair.argument

    def _ready(self) -> _Embedder:
        if self._loaded is None:
            device = resolved_device(self._device)
            self._loaded = _LOADED.get(
                (self._model, device, self._dtype), lambda: _load(self._model, device, self._dtype)
            )
        return self._loaded


@dataclass(frozen=True, kw_only=True)
class _Embedder:
    """A loaded model. Safe to use from several threads."""

    tokenizer: Any
    encoder: TorchEncoder
    limit: int

    def embed(self, texts: Sequence[str], *, size: int, tokens: int) -> tuple[dict[str, Any], Work]:
        """The embeddings of the texts that fit the model, and what that took."""
        given = rows(self.tokenizer, texts)
        lengths = [len(row["input_ids"]) for row in given]
        found: dict[str, Any] = {}
        work = Work(rounds=1)
        for batch in batches(lengths, limit=self.limit, size=size, tokens=tokens):
            vectors = self.encoder.embeddings(padded(self.tokenizer, [given[k] for k in batch]))
            found.update(zip((texts[k] for k in batch), vectors, strict=True))
            work += Work(
                inputs=len(batch),
                batches=1,
                tokens=sum(lengths[k] for k in batch),
                padded_tokens=len(batch) * max(lengths[k] for k in batch),
            )
        return found, work


_LOADED: Shared[_Embedder] = Shared()


def _load(name: str, device: str, dtype: str) -> _Embedder:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        encoder = TorchEncoder(name, device=device, dtype=dtype)
    except NOT_LOADED as error:
        raise not_loadable("the embedding model", name, device, error) from error
    return _Embedder(tokenizer=tokenizer, encoder=encoder, limit=longest_input(tokenizer, encoder.config))


def _cosine(found: Mapping[str, Any], pair: TextPair) -> float:
    """The cosine of two texts; -1 where one was too long to embed."""
    if pair.a not in found or pair.b not in found:
        return -1.0
    return float(found[pair.a] @ found[pair.b])
