"""The benchmark's command on small files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrail.calibration import RiskModel
from guardrail.catalogue import BUILT_IN
from tests.benchmarks.scores import BASELINES
from tests.benchmarks.signals import main


def plan(amount: object, name: str = "pay") -> list[dict[str, Any]]:
    return [] if amount is None else [{"name": name, "arguments": {"amount": amount}}]


def tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"amount": {"type": "number"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def named(number: int) -> str:
    """Three cases a function."""
    return f"pay{number // 3}"


FAST = "--json", "--rounds", "40"
TOOLS = [tool("pay"), *(tool(named(number)) for number in range(0, 60, 3))]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path.parent / "bfcl.jsonl").write_text(
        "".join(json.dumps({"id": row["id"], "tools": TOOLS}) + "\n" for row in rows)
    )
    return path


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_plans_by_several_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def row(number: int, right: bool | None) -> dict[str, Any]:
        amounts = [5, 5.0, "5", 5, 5] if right else [5, 6, 7, None, 9]
        calls = [plan(amount, named(number)) for amount in amounts]
        return {
            "id": f"c{number}",
            "category": "simple_python",
            "samples": [{"calls": one, "correct": bool(right), "correct_sem": right} for one in calls],
        }

    silent = {"id": "s", "category": "multiple", "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 5}
    skipped = {
        "id": "x",
        "category": "irrelevance",
        "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 5,
    }
    few = {"id": "f", "category": "multiple", "samples": [{"calls": [], "correct": True, "correct_sem": True}] * 2}
    rows = [row(number, number % 2 == 0) for number in range(30)] + [row(30, None), silent, skipped, few]
    assert main([str(write(tmp_path / "cases.jsonl", rows)), *FAST]) == 0
    found = last_line(capsys)
    assert (found["label"], found["n"], found["error_rate"]) == ("correct_sem", 31, 15 / 31)
    assert found["beside"]["correct"]["n"] == 32
    assert found["beside"]["correct_sem, plans with a call"]["n"] == 30
    agreement = found["signals"]["agreement"]
    assert (agreement["auroc"], agreement["missing"]) == (1.0, 0)
    assert agreement["by_share"]["all"] == {"coverage": 16 / 31, "error": 0.0}
    assert found["signals"]["exact_agreement"]["by_share"]["all"]["coverage"] == 1 / 31
    assert found["signals"]["logprob_min"]["missing"] == 31
    assert found["signals"]["logprob_min"]["auroc"] is None
    assert set(found["signals"]) == {*BUILT_IN, *(one.name for one in BASELINES)}
    keys = {"auroc", "ci", "aurc", "excess_aurc", "brier", "log_loss", "ece", "ece_debiased", "ece_null", "missing"}
    assert set(agreement) >= keys
    assert set(found["combined"]) >= keys | {"inputs", "pooled", "by_seed"}
    assert set(found["combined"]["inputs"]) == {"agreement", "semantic_entropy"}
    assert {one["other"] for one in found["differences"] if one["one"] == "risk"} >= {"agreement", "exact_entropy"}
    assert all(one["improves"] <= one["decided"] for one in found["differences"])
    assert found["peer"].startswith("not asked for")


def recorded(number: int) -> dict[str, Any]:
    right = number % 2 == 0
    name = named(number)
    tokens = ['{"name": "', name, '", "arguments": {"amount": ', "5", "}}"]
    sample = {"calls": plan(5, name), "text": "x", "sum_logprob": -3.0, "n_tokens": 3, "finish": "stop"}
    last = {"text": "y", "sum_logprob": -30.0, "finish": "stop" if right else "length"}
    other = {**sample, "calls": plan(6, name), **last}
    return {
        "id": f"c{number}",
        "category": "live_simple",
        "correct": right,
        "p_true": 0.9 if right else 0.8,
        "verbalized": ["10", "100", "sure"][number % 3],
        "plan": {
            "calls": plan(5, name),
            "text": "".join(tokens),
            "tokens": None if number == 0 else tokens,
            "logprobs": [-9, -0.1, -9, -0.1 if right else -2.0, -9, -9],
        },
        "samples": [sample, sample, sample, other],
    }


def test_recorded_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [recorded(number) for number in range(30)]
    rows.append({**recorded(33), "category": "parallel"})
    path, risk = write(tmp_path / "cases.jsonl", rows), tmp_path / "risk.json"
    assert main([str(path), *FAST, "--save-risk", str(risk)]) == 0
    found = last_line(capsys)
    assert (found["n"], found["beside"]["all plans"]["n"]) == (30, 31)
    assert found["signals"]["logprob_min"]["missing"] == 1
    assert found["signals"]["logprob_min"]["auroc"] == 1.0
    assert found["signals"]["logprob_sum"]["auroc"] == 1.0
    assert found["signals"]["all_logprob_min"]["auroc"] == 0.5
    assert found["signals"]["p_true"]["auroc"] == 1.0
    assert found["signals"]["agreement"]["auroc"] == 0.5
    assert found["signals"]["semantic_entropy_weighted"]["auroc"] == 0.0, "a truncated sample is no evidence of spread"
    assert found["signals"]["verbalized_confidence"]["missing"] == 10, "a word is no number"
    assert found["verbalized"] == {"10": 10, "100": 10, "sure": 11} | {"10": 11, "sure": 10}
    assert set(found["combined"]["inputs"]) == {"logprob_sum", "logprob_turn", "agreement", "p_true"}
    assert found["combined"]["auroc"] == 1.0
    assert RiskModel.load(risk).signals == tuple(found["combined"]["inputs"])


def test_the_same_file_gives_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "cases.jsonl", [recorded(number) for number in range(30)])
    figures = []
    for seed in ("0", "0", "1"):
        assert main([str(path), *FAST, "--seed", seed]) == 0
        figures.append(last_line(capsys))
    assert figures[0] == figures[1]
    assert figures[0] != figures[2]


def test_fewer_samples_change_no_verdict_unless_a_stated_error_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine of ten calls are unanimous from the start, one disagrees at once."""

    def row(number: int) -> dict[str, Any]:
        base = recorded(number)
        ok, other = base["samples"][0], {**base["samples"][0], "calls": plan(6, named(number))}
        doubtful = number % 5 == 0
        return {**base, "correct": not doubtful, "samples": [other if doubtful else ok] * 10}

    assert main([str(write(tmp_path / "cases.jsonl", [row(number) for number in range(60)])), *FAST]) == 0
    samples = last_line(capsys)["samples"]
    assert samples["full"]["samples"] == 8
    assert samples["curtailed"]["different_verdicts"] == 0
    assert 0 < samples["curtailed"]["saved"] < 0.5
    assert samples["curtailed"]["samples"] == pytest.approx(8 * (1 - samples["curtailed"]["saved"]))
    bayesian = samples["bayesian"]
    assert (bayesian["asked"], bayesian["looks"], bayesian["samples"]) == (10, [5], 5)
    assert bayesian["saved"] == 0.5
    assert bayesian["auroc"] == bayesian["auroc_full"] == 1.0
    assert bayesian["different_verdicts"] == 0
    assert len(bayesian["priors"]) == 5
    assert set(samples["tiers"]) == {"high", "medium", "low"}


def test_a_peer_that_is_not_there_is_said_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "cases.jsonl", [recorded(number) for number in range(30)])
    assert main([str(path), *FAST, "--peer-nli", str(tmp_path / "absent")]) == 0
    found = last_line(capsys)
    assert "left out" in found["peer"]
    assert "peer_entropy" not in found["signals"]


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
    (tmp_path / "bfcl.jsonl").write_text(json.dumps({"id": "a", "tools": TOOLS}))
    assert main([str(cases)]) == 2
    assert says in capsys.readouterr().err
