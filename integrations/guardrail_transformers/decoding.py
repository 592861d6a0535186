"""Continues a prompt that was read once: n answers at a time, and how likely each of their tokens was.

Where the model allows it, the answers stand in one row behind the prompt, each token at the position that it has
in its own answer, and a mask hides the answers from each other. The prompt's states are then there once, whatever
n is, and attention over them is one matrix product, as in the trees of speculative decoding (Cai et al. 2024,
arXiv:2401.10774, section 3.1.2). Other models get a row an answer, over copies of the prompt's states. Rows all
begin at the same place, so that nothing is padded on either way, and an answer that has ended is not computed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from guardrail.errors import SamplingError

if TYPE_CHECKING:
    from guardrail_transformers.causal_model import CausalModel, Prefix


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How tokens are chosen: temperature 0 takes the likeliest; ``top_p`` 1 and ``top_k`` 0 leave none out."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


@dataclass(kw_only=True)
class Continuation:
    """The tokens of one answer with their log-probabilities, in nats, at temperature 1 and with no token left out.

    ``top`` are the likeliest tokens at each place, as far as asked for. ``ended`` says whether the model ended it.
    """

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top: list[list[tuple[int, float]]] = field(default_factory=list)
    ended: bool = False


class _Answers(Protocol):
    def step(self, tokens: Any, staying: Sequence[int]) -> Any:
        """Logits (answers, vocabulary) behind one more token of each answer that stays."""


class Branches:
    """Answers in one row behind the prompt."""

    def __init__(self, model: CausalModel, prefix: Prefix, n: int) -> None:
        import torch

        self._model = model
        self._cache = model.reopened(prefix.cache)
        self._owners = torch.full((prefix.length,), -1)  # of every state the answer that sees it; -1: all do
        self._answers = torch.arange(n)
        self._position = prefix.length

    def step(self, tokens: Any, staying: Sequence[int]) -> Any:
        import torch

        self._answers = self._answers[list(staying)]
        self._owners = torch.cat([self._owners, self._answers])
        visible = (self._owners == -1) | (self._owners == self._answers[:, None])
        positions = torch.full((1, len(self._answers)), self._position)
        self._position += 1
        return self._model.forward(tokens[None], self._cache, mask=self._model.mask(visible), positions=positions)[0]


class Rows:
    """Each answer in a row of its own."""

    def __init__(self, model: CausalModel, prefix: Prefix, n: int) -> None:
        self._model = model
        self._cache = model.reopened(prefix.cache)
        self._rows = n
        if n > 1:
            self._cache.batch_repeat_interleave(n)

    def step(self, tokens: Any, staying: Sequence[int]) -> Any:
        import torch

        if len(staying) < self._rows:
            self._cache.batch_select_indices(torch.tensor(list(staying), device=self._model.model.device))
            self._rows = len(staying)
        return self._model.forward(tokens[:, None], self._cache)[:, -1]


def continuations(
    model: CausalModel,
    prefix: Prefix,
    n: int,
    drawing: Drawing,
    *,
    max_tokens: int,
    generator: Any,
    top: int = 0,
    watched: Sequence[int] = (),
) -> list[Continuation]:
    """Draws n independent answers of at most ``max_tokens`` tokens, the one that ends an answer included.

    ``generator`` is torch's, on the CPU. ``watched`` tokens are among the reported ones at every place.

    Raises:
        SamplingError: the model gave numbers that are not numbers.
    """
    import torch

    answers = [Continuation() for _ in range(n)]
    open_ = list(answers)
    behind: _Answers = (Branches if n > 1 and model.branches else Rows)(model, prefix, n)
    logits = prefix.logits.expand(n, -1)
    most = min(max_tokens, model.limit - prefix.length)
    for place in range(most):
        logprobs = torch.log_softmax(logits, dim=-1)
        if logprobs[:, 0].isnan().any():
            raise SamplingError(f"{model.name} gave logits that are not numbers; load it in float32 or bfloat16")
        chosen = _chosen(logprobs, drawing, generator)
        found = logprobs.gather(1, chosen[:, None])[:, 0].tolist()
        reported = _reported(logprobs, top, watched)
        for answer, token, logprob, alternatives in zip(open_, chosen.tolist(), found, reported, strict=True):
            answer.ids.append(token)
            answer.logprobs.append(logprob)
            answer.top.append(alternatives)
            answer.ended = token in model.ends
        staying = [k for k, answer in enumerate(open_) if not answer.ended]
        if not staying or place + 1 == most:
            break
        open_ = [open_[k] for k in staying]
        logits = behind.step(chosen[staying], staying)
    return answers


def _chosen(logprobs: Any, drawing: Drawing, generator: Any) -> Any:
    import torch

    if drawing.temperature == 0:
        return logprobs.argmax(dim=-1)
    scores = logprobs / drawing.temperature
    if 0 < drawing.top_k < scores.shape[-1]:
        least = scores.topk(drawing.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    probabilities = scores.double().softmax(dim=-1)
    if drawing.top_p < 1:
        ordered, places = probabilities.sort(dim=-1, descending=True)
        ordered[ordered.cumsum(dim=-1) - ordered >= drawing.top_p] = 0
        probabilities = torch.zeros_like(probabilities).scatter(1, places, ordered)
    # by inversion, which takes one random number an answer instead of one a token of the vocabulary
    cumulative = probabilities.cumsum(dim=-1)
    wanted = torch.rand(len(scores), 1, dtype=torch.float64, generator=generator) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, wanted, right=True)[:, 0].clamp(max=scores.shape[-1] - 1)


def _reported(logprobs: Any, top: int, watched: Sequence[int]) -> list[list[tuple[int, float]]]:
    if not top and not watched:
        return [[]] * len(logprobs)
    likeliest = logprobs.topk(min(top, logprobs.shape[-1]))
    rows: list[list[tuple[int, float]]] = []
    for ids, values, row in zip(likeliest.indices.tolist(), likeliest.values.tolist(), logprobs, strict=True):
        more = [token for token in watched if token not in ids]
        rows.append([*zip(ids, values, strict=True), *zip(more, row[more].tolist(), strict=True)])
    return rows
