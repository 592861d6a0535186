"""Texts as rows of token ids, those of like length together so that little is padded. No torch here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

Row = Mapping[str, list[int]]
Columns = dict[str, list[list[int]]]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a backend has done so far: ``inputs`` went through the model, ``padded_tokens`` count padding too.

    ``pairs`` are the differing text pairs that were put to it, ``inputs`` the rows of its batches: both
    directions of every distinct pair, or every distinct text.
    """

    rounds: int = 0
    pairs: int = 0
    inputs: int = 0
    batches: int = 0
    tokens: int = 0
    padded_tokens: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            rounds=self.rounds + other.rounds,
            pairs=self.pairs + other.pairs,
            inputs=self.inputs + other.inputs,
            batches=self.batches + other.batches,
            tokens=self.tokens + other.tokens,
            padded_tokens=self.padded_tokens + other.padded_tokens,
        )


@dataclass
class Tally:
    """A count of work that threads may add to."""

    total: Work = Work()
    _lock: Lock = field(default_factory=Lock)

    def add(self, work: Work) -> None:
        with self._lock:
            self.total += work


def rows(tokenizer: Any, first: Sequence[str], second: Sequence[str] | None = None) -> list[Row]:
    """The token ids of texts, or of pairs of texts, in one call of the tokenizer; nothing is cut."""
    given = [list(first)] if second is None else [list(first), list(second)]
    encoded = tokenizer(*given, truncation=False, padding=False, verbose=False)
    return [{name: encoded[name][k] for name in encoded} for k in range(len(first))]


def batches(lengths: Sequence[int], *, limit: int, size: int, tokens: int) -> Iterator[list[int]]:
    """Positions of the rows that fit ``limit``, shortest first, at most ``size`` and ``tokens`` a batch.

    ``tokens`` counts what padding adds; a row longer than that is a batch alone.
    """
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda k: (lengths[k], k)):
        if lengths[position] > limit:
            break
        if batch and (len(batch) == size or lengths[position] * (len(batch) + 1) > tokens):
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def padded(tokenizer: Any, batch: Sequence[Row]) -> Columns:
    """The rows of a batch, filled up on the right to the longest of them."""
    longest = max(len(row["input_ids"]) for row in batch)
    filling = {
        "input_ids": tokenizer.pad_token_id or 0,
        "token_type_ids": getattr(tokenizer, "pad_token_type_id", 0),
        "attention_mask": 0,
    }
    return {
        name: [row[name] + [filling.get(name, 0)] * (longest - len(row[name])) for row in batch] for name in batch[0]
    }
