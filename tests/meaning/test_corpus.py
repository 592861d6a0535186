"""The committed pairs: near misses that no backend may merge, and paraphrases that show whether it merges at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.clustering import ExactEntailment
from tests.benchmarks.equivalence import Row, judge_rows, read_rows

DATA = Path(__file__).parent.parent / "data"
HARD, EASY = DATA / "hard_negatives.jsonl", DATA / "easy_positives.jsonl"


def merged(rows: list[Row], entailment: object) -> float:
    """Share of the rows held equal."""
    return sum(judge_rows(rows, entailment).decided) / len(rows)


@pytest.mark.parametrize(("path", "least", "same"), [(HARD, 180, False), (EASY, 60, True)])
def test_the_corpus_is_large_labelled_and_free_of_duplicates(path, least, same):
    rows = read_rows(path)
    assert len(rows) >= least
    assert {row.same for row in rows} == {same}
    assert len({repr((row.a, row.b)) for row in rows}) == len(rows)


def test_structure_keeps_near_misses_apart_and_folds_what_is_only_form():
    assert merged(read_rows(HARD), ExactEntailment()) <= 0.03
    assert merged(read_rows(EASY), ExactEntailment()) >= 0.2
