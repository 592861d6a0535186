"""A natural-language-inference cross-encoder as judge of whether two texts mean the same."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, MissingExtra

DEFAULT_MODEL = "cross-encoder/nli-deberta-v3-small"
"""Apache-2.0, 142 M parameters, 512 tokens; by its card 91.65 % on SNLI test and 87.55 % on MNLI
mismatched, within a point of the base size at half the layers. English only."""

_Direction = tuple[str, str]


class NLIEntailment:
    """Judges texts with an NLI model on this machine; implements ``Entailment`` and ``AsyncEntailment``.

    Two texts mean the same if each entails the other with probability ``threshold`` or more and neither
    contradicts the other with probability ``veto`` or more (bidirectional entailment: Kuhn et al. 2023,
    arXiv:2302.09664, section 4.2). The texts are put to the model as they are, without the conversation
    and without the argument's name. Equal texts are equal; a blank text equals no other; texts too long
    for the model differ, because a text that is cut is another text.

    The model is loaded on first use, once, whatever the number of threads. Which of its outputs means
    entailment is read from the ``id2label`` of its configuration.

    Args:
        model: a folder, or an identifier on the Hugging Face hub.
        threshold: probability of entailment asked for in both directions, in [0.5, 1].
        veto: probability of contradiction, in either direction, that separates.
        device: where torch runs it ("cpu", "cuda", "cuda:1", "mps").
        batch_size: premise-hypothesis pairs in one forward pass.
        max_length: tokens of a pair, both texts together, at most; None for the model's own limit.

    Raises:
        ConfigError: an argument cannot be used.
        MissingExtra: torch or transformers is not installed.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        threshold: float = 0.85,
        veto: float = 0.1,
        device: str = "cpu",
        batch_size: int = 32,
        max_length: int | None = None,
    ) -> None:
        if not (0.5 <= threshold <= 1 and 0 < veto <= 1):
            raise ConfigError(f"threshold must lie in [0.5, 1] and veto in (0, 1], but they are {threshold} and {veto}")
        if batch_size < 1 or (max_length is not None and max_length < 1):
            raise ConfigError(f"batch_size and max_length must be at least 1, but are {batch_size} and {max_length}")
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtra("NLIEntailment", "transformers")
        self.name = f"nli:{model}"
        self._model = str(model)
        self._threshold = threshold
        self._veto = veto
        self._device = device
        self._batch_size = batch_size
        self._max_length = max_length
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def load(self) -> None:
        """Loads the model now instead of on first use.

        Raises:
            ConfigError: it cannot be loaded, or its labels do not tell entailment and contradiction.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self._model, self._device, self._max_length)

    def equivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """Whether each pair means the same, in the pairs' order.

        Raises:
            ConfigError: the model cannot be loaded.
            EntailmentError: the model failed, or gave numbers that are not finite.
        """
        asked = {
            direction
            for pair in pairs
            if pair.a != pair.b and pair.a.strip() and pair.b.strip()
            for direction in ((pair.a, pair.b), (pair.b, pair.a))
        }
        found = self._judged(sorted(asked)) if asked else {}
        return [pair.a == pair.b or self._same(found, pair) for pair in pairs]

    async def aequivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """As ``equivalent``, in a thread of its own."""
        return await asyncio.to_thread(self.equivalent, pairs)

    def _same(self, found: Mapping[_Direction, _Belief], pair: TextPair) -> bool:
        beliefs = [found.get((pair.a, pair.b)), found.get((pair.b, pair.a))]
        return all(
            belief is not None and belief.entailment >= self._threshold and belief.contradiction < self._veto
            for belief in beliefs
        )

    def _judged(self, directions: Sequence[_Direction]) -> dict[_Direction, _Belief]:
        self.load()
        assert self._loaded is not None
        found: dict[_Direction, _Belief] = {}
        try:
            for batch in self._loaded.batches(directions, self._batch_size):
                found.update(zip(batch, self._loaded.beliefs(batch), strict=True))
        except RuntimeError as error:  # what torch raises, out of memory included
            raise EntailmentError(f"the NLI model {self._model} failed: {error}") from error
        for belief in found.values():
            if not (math.isfinite(belief.entailment) and math.isfinite(belief.contradiction)):
                raise EntailmentError(
                    f"the NLI model {self._model} gave a probability that is not a number; "
                    "load it in float32 or choose another model"
                )
        return found


@dataclass(frozen=True, kw_only=True)
class _Belief:
    """Probabilities, in [0, 1], of what a premise does to a hypothesis."""

    entailment: float
    contradiction: float


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A model ready to use; torch and transformers objects are Any because their types are not followed."""

    model: Any
    tokenizer: Any
    device: str
    limit: int
    entailment: int
    contradiction: int

    def batches(self, directions: Sequence[_Direction], size: int) -> Iterator[list[_Direction]]:
        """The directions that fit the model, those of like length together so that little is padded."""
        lengths = {direction: self._length(direction) for direction in directions}
        fitting = sorted((length, direction) for direction, length in lengths.items() if length <= self.limit)
        for start in range(0, len(fitting), size):
            yield [direction for _, direction in fitting[start : start + size]]

    def _length(self, direction: _Direction) -> int:
        return len(self.tokenizer(*direction, truncation=False, verbose=False)["input_ids"])

    def beliefs(self, batch: Sequence[_Direction]) -> list[_Belief]:
        """What the model believes of each direction of one batch."""
        import torch

        premises, hypotheses = (list(side) for side in zip(*batch, strict=True))
        encoded = self.tokenizer(premises, hypotheses, padding=True, truncation=False, return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(**encoded.to(self.device)).logits.float()
            rows = torch.softmax(logits, dim=-1).tolist()
        return [_Belief(entailment=row[self.entailment], contradiction=row[self.contradiction]) for row in rows]


def _load(name: str, device: str, max_length: int | None) -> _Loaded:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForSequenceClassification.from_pretrained(name).float().to(device).eval()
    except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
        raise ConfigError(
            f"the NLI model {name!r} cannot be loaded on {device!r}: {error}\n"
            "Give a folder that holds config, tokenizer and weights, or an identifier that this machine can "
            "fetch from the hub or has in its cache."
        ) from error
    labels = model.config.id2label
    return _Loaded(
        model=model,
        tokenizer=tokenizer,
        device=device,
        limit=min(_limit(tokenizer, model.config), max_length or _UNLIMITED),
        entailment=_output(name, labels, "entailment"),
        contradiction=_output(name, labels, "contradiction"),
    )


_UNLIMITED = 1_000_000


def _limit(tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or _UNLIMITED
    if "roberta" in getattr(config, "model_type", ""):
        positions -= 2  # its positions are counted from behind the padding index
    return int(min(tokenizer.model_max_length, positions))


def _output(name: str, labels: Mapping[int, str], meaning: str) -> int:
    found = [index for index, label in labels.items() if str(label).strip().casefold() == meaning]
    if len(found) != 1:
        raise ConfigError(
            f"the NLI model {name!r} has labels {', '.join(map(str, labels.values()))}; one of them must be "
            f"{meaning!r}. Set id2label in its configuration, or choose a model with three-way labels."
        )
    return int(found[0])
