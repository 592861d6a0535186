"""The benchmark's measures on cases worked by hand, and the command on a small file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.scores import accepted, aurc, auroc, auroc_interval, brier, cross_fitted, ece, ece_null
from tests.benchmarks.signals import main

CASES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=2, max_size=12)


@given(CASES)
def test_auroc_counts_pairs(cases: list[tuple[float, bool]]) -> None:
    rights, wrongs = [s for s, good in cases if good], [s for s, good in cases if not good]
    pairs = [1.0 if right > wrong else 0.5 if right == wrong else 0.0 for right in rights for wrong in wrongs]
    expected = sum(pairs) / len(pairs) if pairs else None
    assert auroc([s for s, _ in cases], [good for _, good in cases]) == (
        expected if expected is None else pytest.approx(expected)
    )


def test_aurc_by_hand() -> None:
    assert aurc([0.9, 0.8, 0.1], [True, True, False]) == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert aurc([0.9, 0.8, 0.1], [False, True, True]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert aurc([1, 1, 1, 1], [True, False, True, True]) == pytest.approx(0.25)


def test_coverage_and_error() -> None:
    assert accepted([1.0, 2 / 3, 0.5, 0.0], [True, False, True, False], 2 / 3) == (0.5, 0.5)
    assert accepted([0.1], [True], 0.5) == (0.0, None)


def test_probabilities_are_judged() -> None:
    assert brier([1.0, 0.0, 0.5], [True, False, True]) == pytest.approx(0.25 / 3)
    assert ece([0.5] * 10, [True] * 5 + [False] * 5) == pytest.approx(0)
    assert ece([1.0] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.5)
    assert ece([0.1] * 5 + [0.9] * 5, [True] * 5 + [False] * 5, bins=2) == pytest.approx(0.9)


def test_a_calibrated_forecast_has_the_error_of_chance_alone() -> None:
    rng = random.Random(1)
    probabilities = [rng.random() for _ in range(500)]
    right = [rng.random() < p for p in probabilities]
    assert ece(probabilities, right) == pytest.approx(ece_null(probabilities, seed=2), abs=0.03)


def test_cross_fitting_recovers_a_logistic_world() -> None:
    rng = random.Random(1)
    scores = [rng.uniform(-3, 3) for _ in range(2000)]
    right = [rng.random() < 1 / (1 + 2.718281828 ** -(1 + 2 * s)) for s in scores]
    fitted = cross_fitted(scores, right, folds=5, seed=0)
    assert (
        sum(abs(p - 1 / (1 + 2.718281828 ** -(1 + 2 * s))) for p, s in zip(fitted, scores, strict=True)) / 2000 < 0.03
    )
    assert all(0 < p < 1 for p in cross_fitted([0.0, 0.0, 1.0, 1.0], [False, False, True, True], folds=2, seed=0))


def test_the_interval_holds_the_estimate_and_repeats() -> None:
    rng = random.Random(3)
    scores = [rng.random() for _ in range(200)]
    right = [rng.random() < s for s in scores]
    low, high = auroc_interval(scores, right, seed=0, rounds=200) or (1, 0)
    assert low < (auroc(scores, right) or 0) < high
    assert (low, high) == auroc_interval(scores, right, seed=0, rounds=200)
    assert auroc_interval([1.0, 2.0], [True, True], seed=0) is None


def plan(amount: object) -> list[dict[str, Any]]:
    return [] if amount is None else [{"name": "pay", "arguments": {"amount": amount}}]


TOOL = {
    "type": "function",
    "function": {"name": "pay", "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}}},
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path.parent / "bfcl.jsonl").write_text(
        "".join(json.dumps({"id": row["id"], "tools": [TOOL]}) + "\n" for row in rows)
    )
    return path


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_plans_by_several_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def row(number: int, right: bool | None) -> dict[str, Any]:
        amounts = [5, 5.0, "5", 5, 5] if right else [5, 6, 7, None, 9]
        return {
            "id": f"c{number}",
            "category": "simple_python",
            "samples": [{"calls": plan(amount), "correct": bool(right), "correct_sem": right} for amount in amounts],
        }

    silent = {"id": "s", "category": "multiple", "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 5}
    skipped = {
        "id": "x",
        "category": "irrelevance",
        "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 5,
    }
    few = {"id": "f", "category": "multiple", "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 2}
    rows = [row(number, number % 2 == 0) for number in range(30)] + [row(30, None), silent, skipped, few]
    assert main([str(write(tmp_path / "cases.jsonl", rows)), "--json"]) == 0
    found = last_line(capsys)
    assert (found["label"], found["n"], found["error_rate"]) == ("correct_sem", 31, 15 / 31)
    assert found["beside"]["correct"]["n"] == 32
    assert found["beside"]["correct_sem, plans with a call"]["n"] == 30
    agreement = found["signals"]["agreement"]
    assert (agreement["auroc"], agreement["missing"]) == (1.0, 0)
    assert agreement["executed"] == {"rule": "unanimous", "coverage": 16 / 31, "error": 0.0}
    exact = found["signals"]["exact_agreement"]
    assert exact["executed"]["coverage"] == 1 / 31
    assert "logprob_min" not in found["signals"]
    assert set(agreement) >= {"auroc", "ci", "aurc", "brier", "ece", "ece_null", "missing"}


def test_recorded_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def row(number: int) -> dict[str, Any]:
        right = number % 2 == 0
        tokens = ['{"name": "', "pay", '", "arguments": {"amount": ', "5", "}}"]
        sample = {"calls": plan(5), "text": "x", "sum_logprob": -3.0, "n_tokens": 3, "finish": "stop"}
        other = {**sample, "calls": plan(6), "text": "y", "sum_logprob": -30.0, "finish": "stop" if right else "length"}
        return {
            "id": f"c{number}",
            "category": "live_simple",
            "correct": right,
            "plan": {
                "calls": plan(5),
                "text": "".join(tokens),
                "tokens": None if number == 0 else tokens,
                "logprobs": [-9, -0.1, -9, -0.1 if right else -2.0, -9, -9],
            },
            "samples": [sample, sample, sample, other],
        }

    assert main([str(write(tmp_path / "cases.jsonl", [row(number) for number in range(30)])), "--json"]) == 0
    found = last_line(capsys)
    assert found["signals"]["logprob_min"]["missing"] == 1
    assert found["signals"]["logprob_min"]["auroc"] == 1.0
    assert found["signals"]["logprob_min"]["executed"]["error"] == 0.0
    assert found["signals"]["agreement"]["auroc"] == 0.5
    assert found["signals"]["semantic_entropy_weighted"]["auroc"] == 0.0, "a truncated sample is no evidence of spread"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read"),
        ("{", "line 1: not JSON"),
        ("[]", "line 1: not an object with an id"),
        ('{"id": "a", "category": "multiple"}', "row 1: not a case"),
        ('{"id": "a", "category": "parallel", "samples": []}', "has no cases"),
        (
            json.dumps(
                {
                    "id": "a",
                    "category": "multiple",
                    "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 5,
                }
            ),
            "fewer than 20 cases",
        ),
    ],
)
def test_bad_files_are_one_message_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, says: str
) -> None:
    cases = tmp_path / "cases.jsonl"
    if content is not None:
        cases.write_text(content)
    (tmp_path / "bfcl.jsonl").write_text(json.dumps({"id": "a", "tools": [TOOL]}))
    assert main([str(cases)]) == 2
    assert says in capsys.readouterr().err
