"""A natural-language-inference cross-encoder as judge of whether two texts mean the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers import cross_encoder
from guardrail_transformers.batching import Tally, Work
from guardrail_transformers.bidirectional import Rule
from guardrail_transformers.cross_encoder import NO_LIMIT, RUNTIMES, CrossEncoder
from guardrail_transformers.sharing import resolved_device
from guardrail_transformers.torch_runtime import checked_dtype

DEFAULT_MODEL = "cross-encoder/nli-deberta-v3-small"
"""Apache-2.0, 142 M parameters, 512 tokens, safetensors and ONNX weights; by its card 91.65 % on SNLI test
and 87.55 % on MNLI mismatched: within 0.8 and 2.5 points of the base size (184 M) at half the layers.
Labelled by name. English only; for other languages give a multilingual NLI model."""


class NLIEntailment:
    """Judges texts with an NLI model on this machine; implements ``Entailment`` and ``AsyncEntailment``.

    Two texts mean the same if each entails the other with probability ``threshold`` or more and neither
    contradicts the other with probability ``veto`` or more (bidirectional entailment: Kuhn et al. 2023,
    arXiv:2302.09664, section 4.2). The texts are put to the model as they are, without the conversation
    and without the argument's name. Equal texts are equal; a blank text equals no other; texts too long
    for the model differ, because a text that is cut is another text; so do a short value and the same
    value with a common word more ("coconut", "coconut milk").

    The model is loaded on first use and shared by every object of this process that names it with the
    same device, dtype and runtime. Which of its outputs means entailment is read from the ``id2label``
    of its configuration. The distinct directions of all pairs of one call go through it together, sorted
    by length, as one batch if ``batch_size`` and ``batch_tokens`` allow.

    Args:
        model: a folder, or an identifier on the Hugging Face hub.
        threshold: probability of entailment asked for in both directions, in [0.5, 1].
        veto: probability of contradiction, in either direction, that separates.
        question: put an argument's description before both texts where it is a question, as in
            "What is the capital of France? It's Paris".
        labels: what the model's labels mean, for a model that calls them LABEL_0 and so on.
        device: where the model runs ("cpu", "cuda", "cuda:1", "mps"), or "auto".
        dtype: "float32", or "bfloat16" or "float16" where the device is fast at it.
        runtime: "torch", or "onnx" for ONNX Runtime, which needs the extra of that name and a model.onnx.
        batch_size: premise-hypothesis pairs in one forward pass, at most.
        batch_tokens: tokens in one forward pass, padding included, at most.
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
        question: bool = False,
        labels: Mapping[str, str] | None = None,
        device: str = "cpu",
        dtype: str = "float32",
        runtime: str = "torch",
        batch_size: int = 256,
        batch_tokens: int = 2048,
        max_length: int | None = None,
    ) -> None:
        self._rule = Rule(threshold=threshold, veto=veto, question=question)
        if batch_size < 1 or batch_tokens < 1 or (max_length is not None and max_length < 1):
            raise ConfigError(
                "batch_size, batch_tokens and max_length must be at least 1, "
                f"but are {batch_size}, {batch_tokens} and {max_length}"
            )
        if runtime not in RUNTIMES:
            raise ConfigError(f"runtime must be one of {', '.join(RUNTIMES)}, but is {runtime!r}")
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise MissingExtra("NLIEntailment", "transformers")
        if runtime == "onnx" and find_spec("onnxruntime") is None:
            raise MissingExtra("NLIEntailment(runtime='onnx')", "onnx")
        self.name = f"nli:{model}"
        self._model = str(model)
        self._labels = labels
        self._device = device
        self._dtype = checked_dtype(dtype)
        self._runtime = runtime
        self._size = batch_size
        self._tokens = batch_tokens
        self._longest = NO_LIMIT if max_length is None else max_length
        self._tally = Tally()
        self._loaded: tuple[CrossEncoder, tuple[int, int]] | None = None

    @property
    def stats(self) -> Work:
        """What this object has put through the model so far."""
        return self._tally.total

    def load(self) -> None:
        """Loads the model now instead of on first use.

        Raises:
            ConfigError: it cannot be loaded, or its labels do not tell entailment and contradiction.
        """
        self._ready()

    def equivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """Whether each pair means the same, in the pairs' order.

        Raises:
            ConfigError: the model cannot be loaded.
            EntailmentError: the model failed, or gave numbers that are not finite.
        """
        asked = self._rule.asked(pairs)
        if not asked:
            return self._rule.decide(pairs, {})
        encoder, outputs = self._ready()
        try:
            beliefs, work = encoder.beliefs(
                asked, labels=outputs, limit=self._longest, size=self._size, tokens=self._tokens
            )
        except RuntimeError as error:  # what torch and ONNX Runtime raise, out of memory included
            raise EntailmentError(f"the NLI model {self._model} failed: {error}") from error
        self._tally.add(work + Work(pairs=len(asked) // 2))
        return self._rule.decide(pairs, beliefs)

    async def aequivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """As ``equivalent``, in a thread of its own."""
        return await asyncio.to_thread(self.equivalent, pairs)

    def _ready(self) -> tuple[CrossEncoder, tuple[int, int]]:
        if self._loaded is None:
            encoder = cross_encoder.load(
                self._model, device=resolved_device(self._device), dtype=self._dtype, runtime=self._runtime
            )
            self._loaded = encoder, encoder.outputs(self._model, self._labels)
        return self._loaded
